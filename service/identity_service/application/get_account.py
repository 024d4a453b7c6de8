"""GetAccount: what a caller needs to know of an account before making users in it."""

import asyncio

from identity_service.application.account_description import AccountDescription
from identity_service.application.failures import explain
from identity_service.application.ports import Accounts, Authorizer
from identity_service.domain.caller import Caller
from identity_service.domain.errors import IamError
from identity_service.domain.sign_in import sign_in_url


class GetAccount:
    """Answers one account."""

    def __init__(self, *, accounts: Accounts, authorizer: Authorizer) -> None:
        self._accounts = accounts
        self._authorizer = authorizer

    async def __call__(self, caller: Caller, account_id: str) -> AccountDescription:
        """Read the account; `account_id` "" means the only one. Raises IdentityError."""
        account = self._accounts.get(account_id)
        self._authorizer.may_ask(caller, "GetAccount", account.account_id, None)
        try:
            summary, policy, alias = await asyncio.gather(
                account.get_account_summary(), account.get_password_policy(), account.get_alias()
            )
        except IamError as error:
            raise explain(error) from None
        return AccountDescription(
            account_id=account.account_id,
            partition=account.partition,
            alias=alias,
            sign_in_url=sign_in_url(account.partition, account.account_id, alias),
            password_policy=policy,
            summary=summary,
        )
