"""A plan in the making."""

from dataclasses import dataclass, field

from identity_service.domain.entities import PolicyRecord
from identity_service.domain.errors import QuotaViolation, Reason, Resource
from identity_service.domain.facts import AccountFacts
from identity_service.domain.plan import Plan, PlanWarning, Problem, QuotaUse, Severity, WarningKind, in_rounds
from identity_service.domain.steps import Step
from identity_service.domain.target import Target

POLICIES, ENTITIES, BOUND, GRANT, MINT = 1, 2, 3, 4, 5
"""Phases: policies before who is bounded by them, boundaries before grants, credentials last, so that nobody can sign
in before permissions and boundary are there."""

At = str
"""The path of the request's field that something comes from."""

NEARLY_USED = 0.9

DEFAULT_LIMITS = {
    "UsersQuota": 5000,
    "GroupsQuota": 300,
    "PoliciesQuota": 1500,
    "GroupsPerUserQuota": 10,
    "AttachedPoliciesPerUserQuota": 10,
    "AttachedPoliciesPerGroupQuota": 10,
    "AccessKeysPerUserQuota": 2,
    "UserPolicySizeQuota": 2048,
    "PolicySizeQuota": 6144,
}
"""AWS's documented quotas, for an account summary that lacks one."""


@dataclass
class Draft:
    """What a plan has so far."""

    facts: AccountFacts
    target: Target
    user_id: str = ""
    steps: list[Step] = field(default_factory=list)
    satisfied: list[Step] = field(default_factory=list)
    quota_uses: list[QuotaUse] = field(default_factory=list)
    warnings: list[PlanWarning] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def do(self, step: Step, *, satisfied: bool = False) -> None:
        """Add a step, or note that there is nothing to do for it."""
        (self.satisfied if satisfied else self.steps).append(step)

    def warn(self, kind: WarningKind, message: str, at: str = "") -> None:
        """Add a warning; `at` is the request's field."""
        self.warnings.append(PlanWarning(kind, message, at))

    def tell(self, kind: WarningKind, message: str, at: str = "") -> None:
        """Add what is good to know and needs no decision; `at` is the request's field."""
        self.warnings.append(PlanWarning(kind, message, at, Severity.INFORMATION))

    def stop(self, reason: Reason, message: str, at: str, resource: Resource | None = None) -> None:
        """Add a problem; `at` is the request's field."""
        self.problems.append(Problem(reason, message, at, resource=resource))

    def use_quota(
        self, name: str, before: int, after: int, at: str, limit: int | None = None, subject: str = ""
    ) -> None:
        """Add the use of a quota, a problem if it does not suffice, a warning if an account's is nearly used.

        `subject` names the policy or group that is meant, where a plan can make several.
        """
        limit = self.facts.summary.limit(name, DEFAULT_LIMITS.get(name, 0)) if limit is None else limit
        self.quota_uses.append(QuotaUse(name, before, after, limit, subject))
        if after > limit and after > before:
            quota = QuotaViolation(name, used=before, needed=after - before, limit=limit)
            of_what = f"{name} of {subject}" if subject else name
            message = f"{of_what}: {before} used, {after - before} more needed, the limit is {limit}"
            self.problems.append(Problem(Reason.QUOTA_EXCEEDED, message, at, quota=quota))
        elif name in ACCOUNT_WIDE and after >= NEARLY_USED * limit:
            self.warn(WarningKind.QUOTA_NEARLY_USED, f"{name}: {after} of {limit} are used after this")

    def use_account_quota(self, name: str, entries: int, at: str, pending: int = 0) -> None:
        """Add the use of an account-wide quota by so many more entries; `pending` others are about to be made."""
        if entries:
            used = self.facts.summary.used(ACCOUNT_WIDE[name]) + pending
            self.use_quota(name, used, used + entries, at)

    def resolve_policy(self, reference: str, at: str) -> PolicyRecord | None:
        """Return the managed policy that a reference stands for, or add the problem with it."""
        fact = self.facts.policies[reference]
        resource = Resource("iam:Policy", reference)
        if fact.ambiguous:
            self.stop(Reason.POLICY_AMBIGUOUS, f"both the account and AWS have a policy {reference}; use its ARN", at)
        elif fact.policy is None:
            self.stop(Reason.POLICY_NOT_FOUND, f"there is no managed policy {reference}", at, resource)
        elif not fact.policy.attachable:
            self.stop(Reason.POLICY_NOT_ATTACHABLE, f"policy {reference} cannot be given to anybody", at, resource)
        else:
            return fact.policy
        return None

    def finish(self) -> Plan:
        """Return the plan, its rounds numbered from 1 without gaps."""
        return Plan(
            account_id=self.facts.account_id,
            target=self.target,
            user_id=self.user_id,
            steps=in_rounds(self.steps),
            satisfied=tuple(self.satisfied),
            quota_uses=tuple(self.quota_uses),
            warnings=tuple(self.warnings),
            problems=tuple(self.problems),
        )


ACCOUNT_WIDE = {"UsersQuota": "Users", "GroupsQuota": "Groups", "PoliciesQuota": "Policies"}
"""Quotas of the whole account, and the summary's figure of what is used of each."""
