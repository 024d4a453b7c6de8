"""GetUser: everything about a user but secrets."""

from identity_service.application.failures import explain
from identity_service.application.ports import Accounts, Authorizer
from identity_service.application.reading import read_user, with_last_use, with_pending_devices
from identity_service.domain import target
from identity_service.domain.caller import Caller
from identity_service.domain.entities import UserSnapshot
from identity_service.domain.errors import IamError, IdentityError, Reason, Resource


class GetUser:
    """Answers one user."""

    def __init__(self, *, accounts: Accounts, authorizer: Authorizer) -> None:
        self._accounts = accounts
        self._authorizer = authorizer

    async def __call__(self, caller: Caller, account_id: str, user_name: str) -> UserSnapshot:
        """Read the user; `account_id` "" means the only account. Raises IdentityError, USER_NOT_FOUND among others."""
        account = self._accounts.get(account_id)
        self._authorizer.may_ask(caller, "GetUser", account.account_id, target.user(user_name))
        try:
            snapshot = await read_user(account, user_name, expected=True)
            if snapshot is not None:
                return await with_pending_devices(account, await with_last_use(account, snapshot))
        except IamError as error:
            raise explain(error) from None
        raise IdentityError(
            Reason.USER_NOT_FOUND, f"there is no user {user_name}", resource=Resource("iam:User", user_name)
        )
