"""Groups of the fake account."""

from identity_service.application.ports import Answer, Receipt
from identity_service.domain.entities import GroupDetails, GroupPolicies, GroupRecord, Page
from identity_service.domain.errors import IamErrorKind
from tests.contract.fake_account import FakeAccount
from tests.contract.fake_paging import page_of
from tests.contract.fake_rules import LONG_NAME, PATH, check, compact, fold
from tests.contract.fake_state import GroupState


class FakeGroups(FakeAccount):
    """The calls about groups."""

    async def get_group(self, group_name: str) -> GroupRecord | None:
        """GetGroup."""

        def read() -> GroupRecord | None:
            group = self._groups.get(fold(group_name))
            return group.record if group else None

        return await self._read("GetGroup", {"GroupName": group_name}, read)

    async def get_group_policies(self, group_name: str) -> GroupPolicies | None:
        """ListAttachedGroupPolicies, ListGroupPolicies and GetGroupPolicy."""

        def read() -> GroupPolicies | None:
            group = self._groups.get(fold(group_name))
            if group is None:
                return None
            inline = {name: compact(group.inline[name]) for name in sorted(group.inline, key=fold)}
            return GroupPolicies(self._attached_records(group.attached), inline)

        return await self._read("ListGroupPolicies", {"GroupName": group_name}, read)

    async def get_group_details(self, group_name: str) -> GroupDetails | None:
        """GetGroup, ListAttachedGroupPolicies and ListGroupPolicies."""

        def read() -> GroupDetails | None:
            group = self._groups.get(fold(group_name))
            return None if group is None else self._details(group, with_members=True)

        return await self._read("GetGroup", {"GroupName": group_name}, read)

    async def page_of_groups(self, page_size: int, token: str | None) -> Page[GroupDetails]:
        """GetAccountAuthorizationDetails(Filter=Group)."""
        operation = "GetAccountAuthorizationDetails"

        def read() -> Page[GroupDetails]:
            listed = ((key, self._details(group, with_members=False)) for key, group in self._groups.items())
            return page_of(operation, listed, page_size, token)

        return await self._read(operation, {"Filter": ["Group"], "MaxItems": page_size, "Marker": token}, read)

    async def create_group(self, group_name: str, path: str) -> Answer[GroupDetails]:
        """CreateGroup."""

        def write() -> GroupDetails:
            check(LONG_NAME.fullmatch(group_name) is not None, IamErrorKind.INVALID_INPUT)
            check(PATH.fullmatch(path) is not None, IamErrorKind.INVALID_INPUT)
            check(fold(group_name) not in self._groups, IamErrorKind.ALREADY_EXISTS)
            check(len(self._groups) < self.quotas["GroupsQuota"], IamErrorKind.LIMIT_EXCEEDED)
            self.add_group(group_name, path=path, grants_nothing=True)
            return self._details(self._group(group_name), with_members=False)

        return await self._write("CreateGroup", {"GroupName": group_name, "Path": path}, write)

    async def delete_group(self, group_name: str) -> Receipt:
        """DeleteGroup."""

        def write(group: GroupState) -> None:
            held = (self._members(group), group.attached, group.inline)
            check(not any(held), IamErrorKind.IN_USE)
            del self._groups[fold(group_name)]

        return await self._write_group("DeleteGroup", group_name, {}, write)

    async def attach_group_policy(self, group_name: str, policy_arn: str) -> Receipt:
        """AttachGroupPolicy; what is attached stays so."""

        def write(group: GroupState) -> None:
            self._attachable_policy(policy_arn)
            wanted = group.attached | {policy_arn}
            check(len(wanted) <= self.quotas["AttachedPoliciesPerGroupQuota"], IamErrorKind.LIMIT_EXCEEDED)
            group.attached = wanted

        return await self._write_group("AttachGroupPolicy", group_name, {"PolicyArn": policy_arn}, write)

    async def detach_group_policy(self, group_name: str, policy_arn: str) -> Receipt:
        """DetachGroupPolicy."""

        def write(group: GroupState) -> None:
            self._check_arn(policy_arn)
            check(policy_arn in group.attached, IamErrorKind.NOT_FOUND)
            group.attached.remove(policy_arn)

        return await self._write_group("DetachGroupPolicy", group_name, {"PolicyArn": policy_arn}, write)

    async def delete_group_policy(self, group_name: str, policy_name: str) -> Receipt:
        """DeleteGroupPolicy."""

        def write(group: GroupState) -> None:
            check(policy_name in group.inline, IamErrorKind.NOT_FOUND)
            del group.inline[policy_name]

        return await self._write_group("DeleteGroupPolicy", group_name, {"PolicyName": policy_name}, write)

    def _details(self, group: GroupState, *, with_members: bool) -> GroupDetails:
        return GroupDetails(
            group_name=group.record.group_name,
            group_id=group.group_id,
            arn=group.record.arn,
            path=group.path,
            created_at=group.created_at,
            attached_policies=self._attached_records(group.attached),
            inline_policy_names=tuple(sorted(group.inline, key=fold)),
            member_names=self._members(group) if with_members else (),
        )

    def _members(self, group: GroupState) -> tuple[str, ...]:
        key = fold(group.record.group_name)
        return tuple(
            user.record.user_name
            for _, user in sorted(self._users.items(), key=lambda entry: entry[0])
            if key in user.group_keys
        )
