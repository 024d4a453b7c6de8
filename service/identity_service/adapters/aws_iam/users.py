"""Users: made, renamed, tagged, deleted, listed."""

from collections.abc import Mapping, Sequence

from identity_service.adapters.aws_iam import answers
from identity_service.adapters.aws_iam.iam_part import IamPart, none_if_absent, only_set, tag_list
from identity_service.adapters.aws_iam.recent_entities import Entity
from identity_service.application.ports import Answer, Receipt
from identity_service.domain.entities import Page, UserRecord


class Users(IamPart):
    """The calls about users themselves."""

    async def get_user(self, user_name: str, *, expected: bool = False) -> UserRecord | None:
        """GetUser. `expected` waits for a user that was made here a moment ago and is not seen yet."""
        waited_for = (Entity.user(user_name),) if expected else ()
        reply = await none_if_absent(self._iam.call("GetUser", waited_for, UserName=user_name))
        return None if reply is None else answers.user(reply.value["User"])

    async def page_of_users(self, page_size: int, token: str | None) -> Page[UserRecord]:
        """GetAccountAuthorizationDetails(Filter=User): users with tags and boundary."""
        page, next_token = await self._iam.page(
            "GetAccountAuthorizationDetails", token, Filter=["User"], MaxItems=page_size
        )
        return Page(tuple(answers.user(fields) for fields in page["UserDetailList"]), next_token)

    async def create_user(
        self, user_name: str, path: str, boundary_arn: str | None, tags: Mapping[str, str]
    ) -> Answer[UserRecord]:
        """CreateUser: the user as the reply holds it, boundary and tags included."""
        reply = await self._made(
            Entity.user(user_name),
            "CreateUser",
            UserName=user_name,
            Path=path,
            **only_set(PermissionsBoundary=boundary_arn, Tags=tag_list(tags) or None),
        )
        return Answer(answers.user(reply.value["User"]), reply.receipt)

    async def update_user(self, user_name: str, new_user_name: str | None, new_path: str | None) -> Receipt:
        """UpdateUser. A new name is waited for like a new user."""
        if new_user_name is None:
            return await self._done("UpdateUser", UserName=user_name, **only_set(NewPath=new_path))
        renamed = Entity.user(new_user_name)
        params = only_set(NewUserName=new_user_name, NewPath=new_path)
        reply = await self._made(renamed, "UpdateUser", UserName=user_name, **params)
        if Entity.user(user_name) != renamed:
            self._recent.remove(Entity.user(user_name))
        return reply.receipt

    async def tag_user(self, user_name: str, tags: Mapping[str, str]) -> Receipt:
        """TagUser."""
        return await self._done("TagUser", UserName=user_name, Tags=tag_list(tags))

    async def untag_user(self, user_name: str, tag_keys: Sequence[str]) -> Receipt:
        """UntagUser."""
        return await self._done("UntagUser", UserName=user_name, TagKeys=list(tag_keys))

    async def delete_user(self, user_name: str) -> Receipt:
        """DeleteUser."""
        return await self._deleted(Entity.user(user_name), "DeleteUser", UserName=user_name)
