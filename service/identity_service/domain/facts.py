"""What plans are made from: what was read of the account."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from identity_service.domain.entities import (
    AccountSummary,
    GroupPolicies,
    GroupRecord,
    PolicyRecord,
    UserSnapshot,
    VirtualMfaDeviceRecord,
)
from identity_service.domain.passwords import DEFAULT_POLICY, PasswordPolicy


@dataclass(frozen=True)
class GroupFact:
    """What is known of a group; `group` is None if there is no such group.

    `policies` is None where it was not read: of a group that is to be made.
    """

    group: GroupRecord | None
    policies: GroupPolicies | None = None


@dataclass(frozen=True)
class PolicyFact:
    """What is known of a managed policy that a request names by ARN or name.

    `policy` is None if there is none; `ambiguous` tells that the account and AWS both have one of that name.
    """

    policy: PolicyRecord | None
    ambiguous: bool = False


@dataclass(frozen=True, kw_only=True)
class AccountFacts:
    """The account: its id and partition, its quotas and their use, and what the request's names stand for.

    `taken_policy_names` holds the names of policies to be made that the account has already.
    """

    account_id: str
    partition: str
    summary: AccountSummary
    groups: Mapping[str, GroupFact] = field(default_factory=dict)
    policies: Mapping[str, PolicyFact] = field(default_factory=dict)
    taken_policy_names: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class UserFacts(AccountFacts):
    """The account, and the user as it is (None if absent).

    `copied` is the user whose permissions are copied, None if there is no such user or nobody was named.
    `groups` also holds the groups that are copied, and where a forced reset depends on them those that the user is in.
    `managed_documents` holds, by ARN, the documents of the managed policies that are given, directly or by groups;
    where a forced reset depends on them, also those of the policies that the user has. `boundary_document` is the
    document of the boundary that will be in force, and is read only where rights are given or a forced reset depends on
    it.
    `virtual_mfa_devices` holds the account's virtual devices by serial number, the one that is named with its tags.
    """

    password_policy: PasswordPolicy = DEFAULT_POLICY
    alias: str = ""
    snapshot: UserSnapshot | None = None
    copied: UserSnapshot | None = None
    managed_documents: Mapping[str, str] = field(default_factory=dict)
    boundary_document: str | None = None
    virtual_mfa_devices: Mapping[str, VirtualMfaDeviceRecord] = field(default_factory=dict)

    def policies_of(self, group: GroupRecord) -> GroupPolicies:
        """Return what a group grants, as far as it was read."""
        known = (fact.policies for fact in self.groups.values() if fact.group == group)
        return next((policies for policies in known if policies), GroupPolicies())
