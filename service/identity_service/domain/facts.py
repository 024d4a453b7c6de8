"""What a plan is made from: everything that was read of the account."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from identity_service.domain.entities import AccountSummary, GroupRecord, PolicyRecord, UserSnapshot
from identity_service.domain.passwords import PasswordPolicy


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


@dataclass(frozen=True)
class Facts:
    """The account, the user as it is (None if absent), and what the request's names stand for.

    `boundary_document` is the document of the boundary that will be in force, read only where it matters.
    """

    account_id: str
    partition: str
    summary: AccountSummary
    password_policy: PasswordPolicy
    alias: str
    snapshot: UserSnapshot | None
    groups: Mapping[str, GroupFact] = field(default_factory=dict)
    policies: Mapping[str, PolicyFact] = field(default_factory=dict)
    boundary_document: str | None = None
