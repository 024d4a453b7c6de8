"""What plans are made from: what was read of the account."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from identity_service.domain.entities import AccountSummary, GroupRecord, PolicyRecord, UserSnapshot
from identity_service.domain.passwords import DEFAULT_POLICY, PasswordPolicy


@dataclass(frozen=True)
class GroupFact:
    """What is known of a group that a request names; `group` is None if there is no such group."""

    group: GroupRecord | None
    grants_nothing: bool = False


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
    `granted_documents` holds, by ARN, the documents of the managed policies that are named or copied.
    `boundary_document` is the document of the boundary that will be in force, `policy_documents` those of the managed
    policies that the user will have, directly or by groups; both are read only where a forced reset depends on them.
    `pending_mfa_devices` and `used_mfa_devices` hold the serial numbers of the account's virtual devices.
    """

    password_policy: PasswordPolicy = DEFAULT_POLICY
    alias: str = ""
    snapshot: UserSnapshot | None = None
    copied: UserSnapshot | None = None
    granted_documents: Mapping[str, str] = field(default_factory=dict)
    boundary_document: str | None = None
    policy_documents: tuple[str, ...] = ()
    pending_mfa_devices: frozenset[str] = frozenset()
    used_mfa_devices: frozenset[str] = frozenset()
