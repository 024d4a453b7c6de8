"""From facts to a plan: the rules of the wizard, without input or output.

One request shape, `UserChange`, stands behind ProvisionUser, CreateUser, CreateCredentials and AssignPermissions;
a part that a request does not have adds no step. Every problem is collected, none is raised.
"""

import json
from dataclasses import dataclass, field

from identity_service.domain import passwords, policy_documents, tags
from identity_service.domain.entities import PolicyRecord, UserSnapshot
from identity_service.domain.errors import QuotaViolation, Reason, Resource
from identity_service.domain.facts import Facts
from identity_service.domain.names import aws_managed_policy_arn, name_key, user_arn
from identity_service.domain.plan import Plan, PlanWarning, Problem, QuotaUse, WarningKind, in_rounds
from identity_service.domain.request import ConsolePassword, InlinePolicy, NewUser, UserChange
from identity_service.domain.steps import (
    AddUserToGroup,
    AttachUserPolicy,
    CreateAccessKey,
    CreateLoginProfile,
    CreateUser,
    PutUserPermissionsBoundary,
    PutUserPolicy,
    Step,
)

CREATE, BOUND, GRANT, MINT = 1, 2, 3, 4
"""Phases; credentials come last, so that nobody can sign in before permissions and boundary are there."""

CHANGE_PASSWORD_POLICY = "IAMUserChangePassword"  # noqa: S105 - the name of a policy of AWS
CHANGE_PASSWORD = "iam:ChangePassword"  # noqa: S105 - the name of an action
NEARLY_USED = 0.9

DEFAULT_LIMITS = {
    "UsersQuota": 5000,
    "GroupsPerUserQuota": 10,
    "AttachedPoliciesPerUserQuota": 10,
    "AccessKeysPerUserQuota": 2,
    "UserPolicySizeQuota": 2048,
}
"""AWS's documented quotas, for an account summary that lacks one."""


@dataclass
class Draft:
    """A plan in the making."""

    change: UserChange
    facts: Facts
    steps: list[Step] = field(default_factory=list)
    satisfied: list[Step] = field(default_factory=list)
    quota_uses: list[QuotaUse] = field(default_factory=list)
    warnings: list[PlanWarning] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def before(self) -> UserSnapshot | None:
        """The user as it is; None for one that is to be made, whoever has the name."""
        return None if self.change.new_user else self.facts.snapshot

    @property
    def user_name(self) -> str:
        """The user's name as IAM has it, or as it is asked for."""
        return self.before.user.user_name if self.before else self.change.user_name

    @property
    def path(self) -> str:
        """The path that the user has or will have."""
        if self.change.new_user:
            return self.change.new_user.path
        return self.before.user.path if self.before else "/"

    @property
    def user_arn(self) -> str:
        """The ARN that the user has or will have."""
        return user_arn(self.facts.partition, self.facts.account_id, self.path, self.user_name)

    def warn(self, kind: WarningKind, message: str, at: str = "") -> None:
        """Add a warning."""
        self.warnings.append(PlanWarning(kind, message, at))

    def stop(self, reason: Reason, message: str, at: str, resource: Resource | None = None) -> None:
        """Add a problem."""
        self.problems.append(Problem(reason, message, at, resource=resource))

    def use_quota(self, name: str, before: int, after: int, at: str, limit: int | None = None) -> None:
        """Add the use of a quota, and a problem if it does not suffice."""
        limit = self.facts.summary.limit(name, DEFAULT_LIMITS.get(name, 0)) if limit is None else limit
        self.quota_uses.append(QuotaUse(name, before, after, limit))
        if after > limit:
            quota = QuotaViolation(name, used=before, needed=after - before, limit=limit)
            message = f"{name}: {before} used, {after - before} more needed, the limit is {limit}"
            self.problems.append(Problem(Reason.QUOTA_EXCEEDED, message, at, quota=quota))

    def finish(self) -> Plan:
        """Return the plan, its rounds numbered from 1 without gaps."""
        return Plan(
            account_id=self.facts.account_id,
            user_name=self.user_name,
            steps=in_rounds(self.steps),
            satisfied=tuple(self.satisfied),
            quota_uses=tuple(self.quota_uses),
            warnings=tuple(self.warnings),
            problems=tuple(self.problems),
        )


def plan_change(change: UserChange, facts: Facts, row_id: str, team: str) -> Plan:
    """Plan a change of one user; `row_id` and `team` go into the tags of a new one."""
    draft = Draft(change, facts)
    boundary = _resolve_boundary(draft)
    if change.new_user:
        _plan_new_user(draft, change.new_user, boundary, row_id, team)
    else:
        _plan_existing_user(draft, boundary)
    attached = _plan_managed_policies(draft)
    inline = _plan_inline_policies(draft)
    _plan_groups(draft)
    if change.credentials.console_password:
        _plan_password(draft, change.credentials.console_password, attached)
    if change.credentials.access_key:
        _plan_access_key(draft)
    _count_policies(draft, attached, inline)
    _warn_of_combinations(draft)
    return draft.finish()


def _resolve_boundary(draft: Draft) -> str | None:
    reference = draft.change.permissions.boundary
    if not reference:
        return None
    policy = _resolve_policy(draft, reference, draft.change.fields.boundary)
    return policy.arn if policy else None


def _resolve_policy(draft: Draft, reference: str, at: str) -> PolicyRecord | None:
    fact = draft.facts.policies[reference]
    resource = Resource("iam:Policy", reference)
    if fact.ambiguous:
        draft.stop(Reason.POLICY_AMBIGUOUS, f"both the account and AWS have a policy {reference}; use its ARN", at)
    elif fact.policy is None:
        draft.stop(Reason.POLICY_NOT_FOUND, f"there is no managed policy {reference}", at, resource)
    elif not fact.policy.attachable:
        draft.stop(Reason.POLICY_NOT_ATTACHABLE, f"policy {reference} cannot be given to a user", at, resource)
    else:
        return fact.policy
    return None


def _plan_new_user(draft: Draft, new_user: NewUser, boundary: str | None, row_id: str, team: str) -> None:
    fields = draft.change.fields
    if draft.facts.snapshot:
        name = draft.facts.snapshot.user.user_name
        draft.stop(
            Reason.USER_ALREADY_EXISTS,
            f"there is a user {name}; names are unique in any letter case",
            fields.user_name,
            Resource("iam:User", name),
        )
    for violation in tags.violations(new_user.tags, fields.tags):
        draft.stop(Reason.INVALID_FIELD, violation.message, violation.field)
    all_tags = dict((*new_user.tags, *tags.service_tags(row_id, team)))
    users = draft.facts.summary.used("Users")
    draft.use_quota("UsersQuota", users, users + 1, fields.user_name)
    _warn_if_nearly_used(draft)
    draft.steps.append(
        CreateUser(
            user_name=draft.user_name,
            user_arn=draft.user_arn,
            round=CREATE,
            path=new_user.path,
            boundary_arn=boundary,
            tags=all_tags,
        )
    )


def _warn_if_nearly_used(draft: Draft) -> None:
    use = draft.quota_uses[-1]
    if NEARLY_USED * use.limit <= use.used_after <= use.limit:
        draft.warn(
            WarningKind.QUOTA_NEARLY_USED, f"{use.quota_name}: {use.used_after} of {use.limit} are used after this"
        )


def _plan_existing_user(draft: Draft, boundary: str | None) -> None:
    snapshot = draft.before
    name = draft.change.user_name
    if snapshot is None:
        draft.stop(
            Reason.USER_NOT_FOUND,
            f"there is no user {name}",
            draft.change.fields.user_name,
            Resource("iam:User", name),
        )
    if boundary:
        step = PutUserPermissionsBoundary(
            user_name=draft.user_name, user_arn=draft.user_arn, round=BOUND, boundary_arn=boundary
        )
        so_already = snapshot is not None and snapshot.user.boundary_arn == boundary
        (draft.satisfied if so_already else draft.steps).append(step)


def _plan_groups(draft: Draft) -> None:
    asked = draft.change.permissions.group_names
    held = {name_key(group.group_name) for group in draft.before.groups} if draft.before else set()
    before, after = len(held), set(held)
    for index, name in enumerate(asked):
        at = f"{draft.change.fields.permissions}.group_names[{index}]"
        fact = draft.facts.groups[name]
        if fact.group is None:
            draft.stop(Reason.GROUP_NOT_FOUND, f"there is no group {name}", at, Resource("iam:Group", name))
            after.add(name_key(name))
            continue
        key = name_key(fact.group.group_name)
        if key in after - held:
            draft.stop(Reason.INVALID_FIELD, f"group {name} is named twice; letter case does not count", at)
            continue
        if fact.grants_nothing:
            draft.warn(WarningKind.EMPTY_GROUP, f"group {fact.group.group_name} has no policies: it grants nothing", at)
        step = AddUserToGroup(
            user_name=draft.user_name,
            user_arn=draft.user_arn,
            round=GRANT,
            group_name=fact.group.group_name,
            group_arn=fact.group.arn,
        )
        (draft.satisfied if key in held else draft.steps).append(step)
        after.add(key)
    if asked:
        draft.use_quota("GroupsPerUserQuota", before, len(after), f"{draft.change.fields.permissions}.group_names")


def _plan_managed_policies(draft: Draft) -> set[str]:
    """Plan the attachments that are asked for; return the ARNs that the user will have."""
    held = {policy.policy_arn for policy in draft.before.attached_policies} if draft.before else set()
    after = set(held)
    for index, reference in enumerate(draft.change.permissions.managed_policies):
        at = f"{draft.change.fields.permissions}.managed_policies[{index}]"
        policy = _resolve_policy(draft, reference, at)
        if policy is None:
            after.add(reference)
            continue
        if policy.arn in after - held:
            draft.stop(Reason.INVALID_FIELD, f"policy {policy.arn} is named twice", at)
            continue
        draft.warn(
            WarningKind.DIRECT_ATTACHMENT,
            f"policy {policy.policy_name} is attached to the user; a group would serve the next user as well",
            at,
        )
        _attach(draft, policy.arn, satisfied=policy.arn in held)
        after.add(policy.arn)
    return after


def _attach(draft: Draft, policy_arn: str, *, satisfied: bool) -> None:
    step = AttachUserPolicy(user_name=draft.user_name, user_arn=draft.user_arn, round=GRANT, policy_arn=policy_arn)
    (draft.satisfied if satisfied else draft.steps).append(step)


def _plan_inline_policies(draft: Draft) -> dict[str, str]:
    """Plan the inline policies that are asked for; return the documents that the user will have, by name."""
    after = dict(draft.before.inline_policies) if draft.before else {}
    seen: set[str] = set()
    for index, inline in enumerate(draft.change.permissions.inline_policies):
        at = f"{draft.change.fields.permissions}.inline_policies[{index}]"
        if name_key(inline.policy_name) in seen:
            draft.stop(Reason.INVALID_FIELD, "the name is there more than once", f"{at}.policy_name")
        seen.add(name_key(inline.policy_name))
        wrong = policy_documents.violations(inline.document)
        for what in wrong:
            draft.stop(Reason.MALFORMED_POLICY_DOCUMENT, f"the document {what}", f"{at}.document")
        if not wrong and policy_documents.allows_every_action_or_resource(inline.document):
            draft.warn(
                WarningKind.WILDCARD,
                f"inline policy {inline.policy_name} allows every action or every resource",
                f"{at}.document",
            )
        _put_inline(draft, inline, after)
    return after


def _put_inline(draft: Draft, inline: InlinePolicy, after: dict[str, str]) -> None:
    step = PutUserPolicy(
        user_name=draft.user_name,
        user_arn=draft.user_arn,
        round=GRANT,
        policy_name=inline.policy_name,
        document=inline.document,
    )
    satisfied = _same_document(after.get(inline.policy_name), inline.document)
    (draft.satisfied if satisfied else draft.steps).append(step)
    after[inline.policy_name] = inline.document


def _same_document(held: str | None, asked: str) -> bool:
    if held is None:
        return False
    try:
        return bool(json.loads(held) == json.loads(asked))
    except ValueError:
        return False


def _plan_password(draft: Draft, password: ConsolePassword, attached: set[str]) -> None:
    at = f"{draft.change.fields.credentials}.console_password"
    if draft.before and draft.before.login_profile:
        draft.stop(Reason.PASSWORD_ALREADY_EXISTS, f"user {draft.user_name} has a console password already", at)
    if password.custom:
        for rule in passwords.violations(password.custom, draft.facts.password_policy, draft.user_name):
            draft.stop(Reason.PASSWORD_POLICY_VIOLATION, f"the password {rule}", f"{at}.custom_password")
    if password.require_reset and not draft.facts.password_policy.allow_users_to_change:
        _let_change_own_password(draft, attached)
    if password.require_reset:
        _warn_of_reset_deadlock(draft, at)
    draft.steps.append(
        CreateLoginProfile(
            user_name=draft.user_name,
            user_arn=draft.user_arn,
            round=MINT,
            reset_required=password.require_reset,
            generated=password.custom is None,
        )
    )


def _let_change_own_password(draft: Draft, attached: set[str]) -> None:
    """Plan what lets the user reset the password, unless the user has it."""
    arn = aws_managed_policy_arn(draft.facts.partition, CHANGE_PASSWORD_POLICY)
    if arn not in attached:
        _attach(draft, arn, satisfied=False)
        attached.add(arn)


def _warn_of_reset_deadlock(draft: Draft, at: str) -> None:
    boundary = draft.facts.boundary_document
    if boundary is not None and not policy_documents.may_allow(boundary, CHANGE_PASSWORD):
        draft.warn(
            WarningKind.RESET_DEADLOCK,
            f"the password must be reset at first sign-in, but the boundary does not allow {CHANGE_PASSWORD}",
            f"{at}.require_reset",
        )


def _plan_access_key(draft: Draft) -> None:
    held = len(draft.before.access_keys) if draft.before else 0
    draft.use_quota("AccessKeysPerUserQuota", held, held + 1, f"{draft.change.fields.credentials}.access_key")
    draft.steps.append(CreateAccessKey(user_name=draft.user_name, user_arn=draft.user_arn, round=MINT))


def _count_policies(draft: Draft, attached: set[str], inline: dict[str, str]) -> None:
    snapshot = draft.before
    held = len(snapshot.attached_policies) if snapshot else 0
    if len(attached) > held:
        at = f"{draft.change.fields.permissions}.managed_policies"
        draft.use_quota("AttachedPoliciesPerUserQuota", held, len(attached), at)
    before = sum(map(policy_documents.size, snapshot.inline_policies.values())) if snapshot else 0
    after = sum(map(policy_documents.size, inline.values()))
    if after != before:
        draft.use_quota("UserPolicySizeQuota", before, after, f"{draft.change.fields.permissions}.inline_policies")


def _warn_of_combinations(draft: Draft) -> None:
    credentials, permissions = draft.change.credentials, draft.change.permissions
    if credentials.access_key and credentials.console_password:
        draft.warn(
            WarningKind.BOTH_CREDENTIALS,
            "both an access key and a console password are made; most users need one of them",
            draft.change.fields.credentials,
        )
    wants_credentials = credentials.access_key or credentials.console_password
    has_permissions = permissions.group_names or permissions.managed_policies or permissions.inline_policies
    if draft.change.new_user and wants_credentials and not has_permissions:
        draft.warn(
            WarningKind.NO_PERMISSIONS, "the user gets credentials but no permissions", draft.change.fields.permissions
        )
