"""Memberships, policies and boundaries of the fake account's users."""

from collections.abc import Mapping
from dataclasses import replace

from identity_service.application.ports import Receipt
from identity_service.domain.entities import AttachedPolicyRecord, GroupRecord
from identity_service.domain.errors import IamErrorKind
from tests.contract.fake_account import FakeAccount
from tests.contract.fake_rules import check, check_document, compact, fold
from tests.contract.fake_state import UserState


class FakeUserPermissions(FakeAccount):
    """The calls about a user's permissions."""

    async def list_groups(self, user_name: str) -> tuple[GroupRecord, ...]:
        """ListGroupsForUser."""

        def read(user: UserState) -> tuple[GroupRecord, ...]:
            return tuple(self._groups[key].record for key in sorted(user.group_keys))

        return await self._read_user("ListGroupsForUser", user_name, read)

    async def add_user_to_group(self, user_name: str, group_name: str) -> Receipt:
        """AddUserToGroup; a member stays one."""

        def write(user: UserState) -> None:
            check(fold(group_name) in self._groups, IamErrorKind.NOT_FOUND)
            wanted = user.group_keys | {fold(group_name)}
            check(len(wanted) <= self.quotas["GroupsPerUserQuota"], IamErrorKind.LIMIT_EXCEEDED)
            user.group_keys = wanted

        return await self._write_user("AddUserToGroup", user_name, {"GroupName": group_name}, write)

    async def remove_user_from_group(self, user_name: str, group_name: str) -> Receipt:
        """RemoveUserFromGroup; one who is no member stays none."""

        def write(user: UserState) -> None:
            check(fold(group_name) in self._groups, IamErrorKind.NOT_FOUND)
            user.group_keys.discard(fold(group_name))

        return await self._write_user("RemoveUserFromGroup", user_name, {"GroupName": group_name}, write)

    async def list_attached_policies(self, user_name: str) -> tuple[AttachedPolicyRecord, ...]:
        """ListAttachedUserPolicies."""

        def read(user: UserState) -> tuple[AttachedPolicyRecord, ...]:
            return self._attached_records(user.attached)

        return await self._read_user("ListAttachedUserPolicies", user_name, read)

    async def attach_user_policy(self, user_name: str, policy_arn: str) -> Receipt:
        """AttachUserPolicy; what is attached stays so."""

        def write(user: UserState) -> None:
            self._attachable_policy(policy_arn)
            wanted = user.attached | {policy_arn}
            check(len(wanted) <= self.quotas["AttachedPoliciesPerUserQuota"], IamErrorKind.LIMIT_EXCEEDED)
            user.attached = wanted

        return await self._write_user("AttachUserPolicy", user_name, {"PolicyArn": policy_arn}, write)

    async def detach_user_policy(self, user_name: str, policy_arn: str) -> Receipt:
        """DetachUserPolicy."""

        def write(user: UserState) -> None:
            self._check_arn(policy_arn)
            check(policy_arn in user.attached, IamErrorKind.NOT_FOUND)
            user.attached.remove(policy_arn)

        return await self._write_user("DetachUserPolicy", user_name, {"PolicyArn": policy_arn}, write)

    async def list_inline_policies(self, user_name: str) -> Mapping[str, str]:
        """ListUserPolicies and GetUserPolicy."""

        def read(user: UserState) -> Mapping[str, str]:
            return {name: compact(user.inline[name]) for name in sorted(user.inline, key=fold)}

        return await self._read_user("ListUserPolicies", user_name, read)

    async def put_user_policy(self, user_name: str, policy_name: str, document: str) -> Receipt:
        """PutUserPolicy; one of the same name is replaced."""

        def write(user: UserState) -> None:
            check_document(document)
            wanted = {**user.inline, policy_name: document}
            size = sum(len("".join(text.split())) for text in wanted.values())
            check(size <= self.quotas["UserPolicySizeQuota"], IamErrorKind.LIMIT_EXCEEDED)
            user.inline = wanted

        params = {"PolicyName": policy_name, "PolicyDocument": document}
        return await self._write_user("PutUserPolicy", user_name, params, write)

    async def delete_user_policy(self, user_name: str, policy_name: str) -> Receipt:
        """DeleteUserPolicy."""

        def write(user: UserState) -> None:
            check(policy_name in user.inline, IamErrorKind.NOT_FOUND)
            del user.inline[policy_name]

        return await self._write_user("DeleteUserPolicy", user_name, {"PolicyName": policy_name}, write)

    async def put_user_permissions_boundary(self, user_name: str, boundary_arn: str) -> Receipt:
        """PutUserPermissionsBoundary."""

        def write(user: UserState) -> None:
            self._policy(boundary_arn)
            user.record = replace(user.record, boundary_arn=boundary_arn)

        params = {"PermissionsBoundary": boundary_arn}
        return await self._write_user("PutUserPermissionsBoundary", user_name, params, write)

    async def delete_user_permissions_boundary(self, user_name: str) -> Receipt:
        """DeleteUserPermissionsBoundary."""

        def write(user: UserState) -> None:
            check(user.record.boundary_arn is not None, IamErrorKind.NOT_FOUND)
            user.record = replace(user.record, boundary_arn=None)

        return await self._write_user("DeleteUserPermissionsBoundary", user_name, {}, write)
