"""Users of the fake account."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from identity_service.application.ports import Answer, Receipt
from identity_service.domain.entities import Page, UserRecord
from identity_service.domain.errors import IamErrorKind
from tests.contract.fake_account import FakeAccount
from tests.contract.fake_paging import page_of
from tests.contract.fake_rules import MAXIMUM_TAGS, PATH, USER_NAME, check, check_tags, fold
from tests.contract.fake_state import UserState


class FakeUsers(FakeAccount):
    """The calls about users themselves."""

    async def get_user(self, user_name: str, *, expected: bool = False) -> UserRecord | None:
        """GetUser; here a user that was made is seen at once, expected or not."""

        def read() -> UserRecord | None:
            user = self._users.get(fold(user_name))
            return user.record if user else None

        return await self._read("GetUser", {"UserName": user_name}, read)

    async def page_of_users(self, page_size: int, token: str | None) -> Page[UserRecord]:
        """GetAccountAuthorizationDetails(Filter=User); it does not tell when a password was used."""
        operation = "GetAccountAuthorizationDetails"

        def read() -> Page[UserRecord]:
            listed = ((key, replace(user.record, password_last_used_at=None)) for key, user in self._users.items())
            return page_of(operation, listed, page_size, token)

        return await self._read(operation, {"Filter": ["User"], "MaxItems": page_size, "Marker": token}, read)

    async def create_user(
        self, user_name: str, path: str, boundary_arn: str | None, tags: Mapping[str, str]
    ) -> Answer[UserRecord]:
        """CreateUser."""
        params = {"UserName": user_name, "Path": path, "PermissionsBoundary": boundary_arn, "Tags": dict(tags)}

        def write() -> UserRecord:
            check(USER_NAME.fullmatch(user_name) is not None, IamErrorKind.INVALID_INPUT)
            check(PATH.fullmatch(path) is not None, IamErrorKind.INVALID_INPUT)
            check_tags(tags)
            if boundary_arn is not None:
                self._policy(boundary_arn)
            check(fold(user_name) not in self._users, IamErrorKind.ALREADY_EXISTS)
            check(len(self._users) < self.quotas["UsersQuota"], IamErrorKind.LIMIT_EXCEEDED)
            kept = None if self.drop_boundary else boundary_arn
            return self.add_user(user_name, path=path, tags=tags, boundary_arn=kept)

        return await self._write("CreateUser", params, write)

    async def update_user(self, user_name: str, new_user_name: str | None, new_path: str | None) -> Receipt:
        """UpdateUser: everything the user has goes along."""

        def write(user: UserState) -> None:
            old = user.record
            name = old.user_name if new_user_name is None else new_user_name
            path = old.path if new_path is None else new_path
            check(USER_NAME.fullmatch(name) is not None, IamErrorKind.INVALID_INPUT)
            check(PATH.fullmatch(path) is not None, IamErrorKind.INVALID_INPUT)
            check(self._users.get(fold(name), user) is user, IamErrorKind.ALREADY_EXISTS)
            del self._users[fold(old.user_name)]
            user.record = replace(old, user_name=name, path=path, arn=self._arn("user", path, name))
            self._users[fold(name)] = user
            if old.user_name in self.passwords:
                self.passwords[name] = self.passwords.pop(old.user_name)

        params = {"NewUserName": new_user_name, "NewPath": new_path}
        return await self._write_user("UpdateUser", user_name, params, write)

    async def tag_user(self, user_name: str, tags: Mapping[str, str]) -> Receipt:
        """TagUser; a key that is there in another letter case is replaced."""

        def write(user: UserState) -> None:
            check_tags(tags)
            wanted = {**_without(user.record.tags, tags), **tags}
            check(len(wanted) <= MAXIMUM_TAGS, IamErrorKind.LIMIT_EXCEEDED)
            user.record = replace(user.record, tags=wanted)

        return await self._write_user("TagUser", user_name, {"Tags": dict(tags)}, write)

    async def untag_user(self, user_name: str, tag_keys: Sequence[str]) -> Receipt:
        """UntagUser; a key that is not there is no error."""

        def write(user: UserState) -> None:
            user.record = replace(user.record, tags=_without(user.record.tags, tag_keys))

        return await self._write_user("UntagUser", user_name, {"TagKeys": list(tag_keys)}, write)

    async def delete_user(self, user_name: str) -> Receipt:
        """DeleteUser."""

        def write(user: UserState) -> None:
            held = (
                user.login_profile, user.access_keys, user.certificates, user.ssh_keys, user.service_credentials,
                user.mfa_devices, user.inline, user.attached, user.group_keys,
            )  # fmt: skip
            check(not any(held), IamErrorKind.IN_USE)
            del self._users[fold(user_name)]

        return await self._write_user("DeleteUser", user_name, {}, write)


def _without(tags: Mapping[str, str], keys: Iterable[str]) -> dict[str, str]:
    unwanted = {fold(key) for key in keys}
    return {key: value for key, value in tags.items() if fold(key) not in unwanted}
