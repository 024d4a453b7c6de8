"""Managed policies of the fake account."""

from collections.abc import Iterable, Mapping

from identity_service.application.ports import Answer, PolicyScope, Receipt
from identity_service.domain.entities import Page, PolicyDetails, PolicyRecord, PolicyUsage
from identity_service.domain.errors import IamErrorKind
from tests.contract.fake_account import FakeAccount
from tests.contract.fake_paging import page_of
from tests.contract.fake_rules import (
    LONG_NAME,
    MAXIMUM_DESCRIPTION,
    PATH,
    check,
    check_document,
    check_room_for_document,
    check_tags,
    compact,
    fold,
    refuse,
)
from tests.contract.fake_state import PolicyState


class FakePolicies(FakeAccount):
    """The calls about managed policies."""

    async def get_policy(self, policy_arn: str) -> PolicyRecord | None:
        """GetPolicy."""

        def read() -> PolicyRecord | None:
            self._check_arn(policy_arn)
            policy = self._policies.get(policy_arn)
            return policy.record if policy else None

        return await self._read("GetPolicy", {"PolicyArn": policy_arn}, read)

    async def get_policy_document(self, policy: PolicyRecord) -> str:
        """GetPolicyVersion."""

        def read() -> str:
            found = self._policies.get(policy.arn)
            if found is None or found.record.default_version_id != policy.default_version_id:
                refuse(IamErrorKind.NOT_FOUND)
            return compact(found.document)

        return await self._read("GetPolicyVersion", {"PolicyArn": policy.arn}, read)

    async def find_customer_policy(self, policy_name: str) -> PolicyRecord | None:
        """ListPolicies, the account's own."""
        return await self._read("ListPolicies", {"Scope": "Local"}, lambda: self._find(self._account_id, policy_name))

    async def find_aws_policy(self, policy_name: str) -> PolicyRecord | None:
        """ListPolicies, AWS's."""
        return await self._read("ListPolicies", {"Scope": "AWS"}, lambda: self._find("aws", policy_name))

    async def get_policy_details(self, policy_arn: str) -> PolicyDetails | None:
        """GetPolicy."""

        def read() -> PolicyDetails | None:
            self._check_arn(policy_arn)
            policy = self._policies.get(policy_arn)
            return self._details_of(policy, policy.description, policy.tags) if policy else None

        return await self._read("GetPolicy", {"PolicyArn": policy_arn}, read)

    async def page_of_policies(self, scope: PolicyScope, page_size: int, token: str | None) -> Page[PolicyDetails]:
        """ListPolicies, without descriptions and tags."""

        def read() -> Page[PolicyDetails]:
            listed = (
                (f"{fold(policy.record.policy_name)} {arn}", self._details_of(policy, "", {}))
                for arn, policy in self._policies.items()
                if scope is PolicyScope.ALL or self._is_own(arn) == (scope is PolicyScope.CUSTOMER)
            )
            return page_of("ListPolicies", listed, page_size, token)

        params = {"Scope": scope.value, "MaxItems": page_size, "Marker": token}
        return await self._read("ListPolicies", params, read)

    async def list_policy_versions(self, policy_arn: str) -> tuple[str, ...]:
        """ListPolicyVersions, the newest first."""
        params: dict[str, object] = {"PolicyArn": policy_arn}
        return await self._read(
            "ListPolicyVersions", params, lambda: tuple(reversed(self._policy(policy_arn).old_versions))
        )

    async def get_policy_usage(self, policy_arn: str) -> PolicyUsage:
        """ListEntitiesForPolicy."""

        def read() -> PolicyUsage:
            self._policy(policy_arn)
            return self._usage(policy_arn)

        return await self._read("ListEntitiesForPolicy", {"PolicyArn": policy_arn}, read)

    async def create_policy(
        self, policy_name: str, path: str, description: str, document: str, tags: Mapping[str, str]
    ) -> Answer[PolicyDetails]:
        """CreatePolicy."""

        def write() -> PolicyDetails:
            check(LONG_NAME.fullmatch(policy_name) is not None, IamErrorKind.INVALID_INPUT)
            check(PATH.fullmatch(path) is not None, IamErrorKind.INVALID_INPUT)
            check(len(description) <= MAXIMUM_DESCRIPTION, IamErrorKind.INVALID_INPUT)
            check_tags(tags)
            check_document(document)
            check_room_for_document(document, self.quotas["PolicySizeQuota"])
            own = [policy for arn, policy in self._policies.items() if self._is_own(arn)]
            taken = {fold(policy.record.policy_name) for policy in own}
            check(fold(policy_name) not in taken, IamErrorKind.ALREADY_EXISTS)
            check(len(own) < self.quotas["PoliciesQuota"], IamErrorKind.LIMIT_EXCEEDED)
            made = self.add_policy(policy_name, path=path, document=document, description=description, tags=tags)
            return self._details_of(self._policies[made.arn], description, tags)

        params = {
            "PolicyName": policy_name,
            "Path": path,
            "Description": description,
            "PolicyDocument": document,
            "Tags": dict(tags),
        }
        return await self._write("CreatePolicy", params, write)

    async def delete_policy_version(self, policy_arn: str, version_id: str) -> Receipt:
        """DeletePolicyVersion; the default one goes only with the policy."""

        def write() -> None:
            policy = self._own_policy(policy_arn)
            check(version_id != policy.record.default_version_id, IamErrorKind.IN_USE)
            check(version_id in policy.old_versions, IamErrorKind.NOT_FOUND)
            policy.old_versions.remove(version_id)

        params = {"PolicyArn": policy_arn, "VersionId": version_id}
        return (await self._write("DeletePolicyVersion", params, write)).receipt

    async def delete_policy(self, policy_arn: str) -> Receipt:
        """DeletePolicy."""

        def write() -> None:
            policy = self._own_policy(policy_arn)
            check(not policy.old_versions and not self._usage(policy_arn).in_words, IamErrorKind.IN_USE)
            del self._policies[policy_arn]

        return (await self._write("DeletePolicy", {"PolicyArn": policy_arn}, write)).receipt

    def _details_of(self, policy: PolicyState, description: str, tags: Mapping[str, str]) -> PolicyDetails:
        usage = self._usage(policy.record.arn)
        return PolicyDetails(
            policy_name=policy.record.policy_name,
            policy_id=policy.policy_id,
            arn=policy.record.arn,
            path=policy.path,
            default_version_id=policy.record.default_version_id,
            attachment_count=len(usage.users) + len(usage.groups) + len(usage.roles),
            boundary_usage_count=len(usage.bounded_users) + len(usage.bounded_roles),
            created_at=policy.created_at,
            updated_at=policy.created_at,
            description=description,
            tags=dict(tags),
        )

    def _usage(self, policy_arn: str) -> PolicyUsage:
        users, groups, roles = self._users.values(), self._groups.values(), self._roles.values()
        return PolicyUsage(
            users=_sorted(user.record.user_name for user in users if policy_arn in user.attached),
            groups=_sorted(group.record.group_name for group in groups if policy_arn in group.attached),
            roles=_sorted(role.role_name for role in roles if policy_arn in role.attached),
            bounded_users=_sorted(user.record.user_name for user in users if user.record.boundary_arn == policy_arn),
            bounded_roles=_sorted(role.role_name for role in roles if role.boundary_arn == policy_arn),
        )

    def _own_policy(self, policy_arn: str) -> PolicyState:
        policy = self._policy(policy_arn)
        check(self._is_own(policy_arn), IamErrorKind.ACCESS_DENIED)
        return policy

    def _is_own(self, policy_arn: str) -> bool:
        return f"::{self._account_id}:" in policy_arn

    def _find(self, owner: str, policy_name: str) -> PolicyRecord | None:
        for arn, policy in self._policies.items():
            if f"::{owner}:" in arn and fold(policy.record.policy_name) == fold(policy_name):
                return policy.record
        return None


def _sorted(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(names, key=fold))
