"""Finds a user again that bears another name by now: what is on a user moves along with it."""

from collections.abc import Iterable

from identity_service.application.ports import IamAccount
from identity_service.domain.entities import UserRecord
from identity_service.domain.holdings import PastRequest
from identity_service.domain.steps import DeleteUser, UpdateUser

PAGE_SIZE = 1000


async def find_renamed(account: IamAccount, user_id: str, past: Iterable[PastRequest]) -> UserRecord | None:
    """Return the user of an id; None if it is gone, or if the id is not known.

    What requests have done to it since tells its name, or that it was deleted. Otherwise all users of the account are
    listed, which is for those that somebody else has renamed or deleted. Raises IamError.
    """
    if not user_id:
        return None
    for step in (step for request in past if request.user_id == user_id for step in request.plan.steps):
        if isinstance(step, DeleteUser):
            return None
        if isinstance(step, UpdateUser) and step.new_user_name:
            user = await account.get_user(step.new_user_name)
            if user is not None and user.user_id == user_id:
                return user
    return await _find_among_all(account, user_id)


async def _find_among_all(account: IamAccount, user_id: str) -> UserRecord | None:
    token: str | None = None
    while True:
        page = await account.page_of_users(PAGE_SIZE, token)
        found = next((user for user in page.items if user.user_id == user_id), None)
        if found is not None or page.next_token is None:
            return found
        token = page.next_token
