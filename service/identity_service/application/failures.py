"""What IAM's refusal of a call means for the request: the one table from IamError to IdentityError."""

from identity_service.application.journal import Journal, StepFailedError
from identity_service.domain.errors import (
    ANSWER_LOST,
    IamError,
    IamErrorKind,
    IdentityError,
    QuotaViolation,
    Reason,
    Resource,
)
from identity_service.domain.plan import Plan
from identity_service.domain.planning.draft import DEFAULT_LIMITS
from identity_service.domain.steps import (
    AddUserToGroup,
    AttachGroupPolicy,
    AttachUserPolicy,
    CreateAccessKey,
    CreateGroup,
    CreateLoginProfile,
    CreatePolicy,
    CreateUser,
    CreateVirtualMfaDevice,
    DeleteGroup,
    DeletePolicy,
    EnableMfaDevice,
    GroupStep,
    PolicyStep,
    PutUserPermissionsBoundary,
    PutUserPolicy,
    Step,
    UpdateUser,
    UserStep,
)

REASONS = {
    IamErrorKind.NOT_FOUND: Reason.USER_NOT_FOUND,
    IamErrorKind.ALREADY_EXISTS: Reason.CONFLICT,
    IamErrorKind.LIMIT_EXCEEDED: Reason.QUOTA_EXCEEDED,
    IamErrorKind.IN_USE: Reason.CONFLICT,
    IamErrorKind.BUSY: Reason.CONFLICT,
    IamErrorKind.INVALID_INPUT: Reason.INVALID_FIELD,
    IamErrorKind.MALFORMED_DOCUMENT: Reason.MALFORMED_POLICY_DOCUMENT,
    IamErrorKind.PASSWORD_REFUSED: Reason.PASSWORD_POLICY_VIOLATION,
    IamErrorKind.NOT_ATTACHABLE: Reason.POLICY_NOT_ATTACHABLE,
    IamErrorKind.WRONG_CODE: Reason.INVALID_MFA_CODE,
    IamErrorKind.ACCESS_DENIED: Reason.AWS_ACCESS_DENIED,
    IamErrorKind.CREDENTIALS_REFUSED: Reason.AWS_CREDENTIALS_REFUSED,
    IamErrorKind.THROTTLED: Reason.THROTTLED,
    IamErrorKind.UNAVAILABLE: Reason.AWS_UNAVAILABLE,
}
"""What a refusal means where no step says otherwise."""

STEP_REASONS: dict[tuple[type[Step], IamErrorKind], Reason] = {
    (CreateUser, IamErrorKind.ALREADY_EXISTS): Reason.USER_ALREADY_EXISTS,
    (CreateUser, IamErrorKind.NOT_FOUND): Reason.POLICY_NOT_FOUND,
    (CreateLoginProfile, IamErrorKind.ALREADY_EXISTS): Reason.PASSWORD_ALREADY_EXISTS,
    (AddUserToGroup, IamErrorKind.NOT_FOUND): Reason.GROUP_NOT_FOUND,
    (AttachUserPolicy, IamErrorKind.NOT_FOUND): Reason.POLICY_NOT_FOUND,
    (PutUserPermissionsBoundary, IamErrorKind.NOT_FOUND): Reason.POLICY_NOT_FOUND,
    (UpdateUser, IamErrorKind.ALREADY_EXISTS): Reason.USER_ALREADY_EXISTS,
    (CreateGroup, IamErrorKind.ALREADY_EXISTS): Reason.GROUP_ALREADY_EXISTS,
    (CreatePolicy, IamErrorKind.ALREADY_EXISTS): Reason.POLICY_ALREADY_EXISTS,
    (AttachGroupPolicy, IamErrorKind.NOT_FOUND): Reason.POLICY_NOT_FOUND,
    (DeleteGroup, IamErrorKind.IN_USE): Reason.IN_USE,
    (DeletePolicy, IamErrorKind.IN_USE): Reason.IN_USE,
    (CreateVirtualMfaDevice, IamErrorKind.ALREADY_EXISTS): Reason.IN_USE,
    (EnableMfaDevice, IamErrorKind.ALREADY_EXISTS): Reason.IN_USE,
    (EnableMfaDevice, IamErrorKind.NOT_FOUND): Reason.MFA_DEVICE_NOT_FOUND,
}
"""What a refusal means for certain steps."""

READ_REASONS = {
    (action, IamErrorKind.NOT_FOUND): reason
    for reason, actions in {
        Reason.GROUP_NOT_FOUND: ("iam:GetGroup", "iam:ListAttachedGroupPolicies", "iam:ListGroupPolicies"),
        Reason.POLICY_NOT_FOUND: (
            "iam:GetPolicy",
            "iam:GetPolicyVersion",
            "iam:ListPolicyVersions",
            "iam:ListEntitiesForPolicy",
        ),
    }.items()
    for action in actions
}
"""What it means if something is gone between two reads."""

STEP_QUOTAS: dict[type[Step], str] = {
    CreateUser: "UsersQuota",
    AddUserToGroup: "GroupsPerUserQuota",
    AttachUserPolicy: "AttachedPoliciesPerUserQuota",
    PutUserPolicy: "UserPolicySizeQuota",
    CreateAccessKey: "AccessKeysPerUserQuota",
    CreateGroup: "GroupsQuota",
    CreatePolicy: "PoliciesQuota",
    AttachGroupPolicy: "AttachedPoliciesPerGroupQuota",
}

WORDS = {
    Reason.USER_NOT_FOUND: "IAM does not find the user",
    Reason.GROUP_NOT_FOUND: "IAM does not find the group",
    Reason.POLICY_NOT_FOUND: "IAM does not find the policy",
    Reason.GROUP_ALREADY_EXISTS: "a group of that name exists; names are unique in any letter case",
    Reason.POLICY_ALREADY_EXISTS: "the account has a policy of that name; names are unique in any letter case",
    Reason.IN_USE: "IAM says that it is in use",
    Reason.MFA_DEVICE_NOT_FOUND: "IAM does not find the MFA device",
    Reason.USER_ALREADY_EXISTS: "a user of that name exists; names are unique in any letter case",
    Reason.PASSWORD_ALREADY_EXISTS: "the user has a console password already",
    Reason.CONFLICT: "IAM was changed by somebody else, or cannot change the entity yet; try again",
    Reason.QUOTA_EXCEEDED: "an IAM quota is exceeded",
    Reason.INVALID_FIELD: "IAM takes a value for invalid",
    Reason.MALFORMED_POLICY_DOCUMENT: "IAM takes a policy document for malformed",
    Reason.PASSWORD_POLICY_VIOLATION: "IAM refuses the password under the account's password policy",
    Reason.POLICY_NOT_ATTACHABLE: "IAM does not let the policy be attached",
    Reason.INVALID_MFA_CODE: "a code of the MFA device is wrong",
    Reason.AWS_ACCESS_DENIED: "AWS denies this service the action; its role lacks the permission",
    Reason.AWS_CREDENTIALS_REFUSED: "AWS refuses this service's credentials",
    Reason.THROTTLED: "IAM throttles the account; try again later",
    Reason.AWS_UNAVAILABLE: "AWS cannot be reached or does not answer in form; try again later",
}

RETRY_AFTER_SECONDS = 1.0

NOTHING = "nothing"
"""What remains of a request that failed, normally."""


def explain(error: IamError, step: Step | None = None, plan: Plan | None = None) -> IdentityError:
    """Say what IAM's refusal means, of a step of a plan or of a read."""
    reason = STEP_REASONS.get((type(step), error.kind)) if step else READ_REASONS.get((error.action, error.kind))
    reason = reason or REASONS[error.kind]
    failure = IdentityError(
        reason,
        f"{_in_words(reason, step)} ({error.action})",
        metadata={"aws_action": error.action, "aws_error_code": error.code, "aws_request_id": error.request_id},
        resource=_resource_of(step) if step else None,
        quota_violations=_quota(step, plan) if reason is Reason.QUOTA_EXCEEDED else (),
    )
    failure.retry_after = RETRY_AFTER_SECONDS if failure.transient else None
    return failure


def _in_words(reason: Reason, step: Step | None) -> str:
    if reason is Reason.MALFORMED_POLICY_DOCUMENT and isinstance(step, PutUserPolicy | CreatePolicy):
        return f"IAM takes the document of policy {step.policy_name} for malformed"
    return WORDS[reason]


def _resource_of(step: Step) -> Resource:
    match step:
        case AddUserToGroup() | GroupStep():
            return Resource("iam:Group", step.group_name)
        case AttachUserPolicy() | PolicyStep():
            return Resource("iam:Policy", step.policy_arn)
        case UserStep():
            return Resource("iam:User", step.user_name)
        case _:
            return Resource("iam:Resource", step.resource)


def _quota(step: Step | None, plan: Plan | None) -> tuple[QuotaViolation, ...]:
    name = STEP_QUOTAS.get(type(step)) if step else None
    if name is None:
        return ()
    uses = [use for use in plan.quota_uses if use.quota_name == name] if plan else []
    if not uses:
        return (QuotaViolation(name, used=DEFAULT_LIMITS[name], needed=1, limit=DEFAULT_LIMITS[name]),)
    use = uses[0]
    return (QuotaViolation(name, used=use.used_before, needed=use.used_after - use.used_before, limit=use.limit),)


def refuse(plan: Plan) -> IdentityError:
    """Turn the problems of a plan into one error that names them all; the first says the reason."""
    first = plan.problems[0]
    more = f" (and {len(plan.problems) - 1} more)" if len(plan.problems) > 1 else ""
    return IdentityError(
        first.reason,
        f"{first.message}{more}",
        metadata={"account_id": plan.account_id, "target": str(plan.target), "remaining": NOTHING},
        field_violations=tuple(filter(None, (problem.field_violation for problem in plan.problems))),
        quota_violations=tuple(filter(None, (problem.quota for problem in plan.problems))),
        resource=first.resource,
    )


def explain_step(failure: StepFailedError, plan: Plan) -> IdentityError:
    """Say which step failed and why; what nobody expected becomes INTERNAL."""
    match failure.cause:
        case IamError() as cause:
            error = explain(cause, failure.step, plan)
        case IdentityError() as cause:
            error = cause
        case _:
            error = IdentityError(Reason.INTERNAL, "a step failed for an unexpected reason")
    error.metadata = {
        **error.metadata,
        "account_id": plan.account_id,
        "target": str(plan.target),
        "failed_step": failure.step.iam_action,
        "failed_step_description": failure.step.description,
    }
    return error


def with_remaining(error: IdentityError, remaining: tuple[str, ...]) -> IdentityError:
    """Say in an error what remains of its request."""
    error.metadata = {**error.metadata, "remaining": in_words(remaining)}
    return error


def undo_incomplete(error: IdentityError) -> IdentityError:
    """Say that an undo has left something: what could not be undone does not get better by asking again.

    A reason that is not passing says more than this one, so it stays.
    """
    if not error.transient:
        return error
    return IdentityError(
        Reason.UNDO_INCOMPLETE,
        f"{error.message}; and what was made could not be undone whole",
        metadata={**error.metadata, "cause": error.reason.name},
        resource=error.resource,
    )


def in_progress() -> IdentityError:
    """Say that the same request is being executed."""
    return IdentityError(Reason.IN_PROGRESS, "this request is being executed", retry_after=RETRY_AFTER_SECONDS)


def taken_over() -> IdentityError:
    """Say that another attempt executes the request."""
    return IdentityError(
        Reason.IN_PROGRESS,
        "another attempt has taken this request over",
        metadata=dict(ANSWER_LOST),
        retry_after=RETRY_AFTER_SECONDS,
    )


def interrupted() -> IdentityError:
    """Say that a request was undone since its server had died, and its caller did not come back with its secrets."""
    return IdentityError(
        Reason.INTERRUPTED,
        "an earlier attempt was cut off by the end of its server, and what it had done is undone; ask again",
        retry_after=RETRY_AFTER_SECONDS,
    )


def request_id_reused() -> IdentityError:
    """Say that the request_id stands for another request."""
    return IdentityError(Reason.REQUEST_ID_REUSED, "the request_id was used for another request; make a new one")


def not_reached(plan: Plan, journal: Journal) -> tuple[str, ...]:
    """Name the steps of a plan that were not done."""
    done = [step for step, _ in journal.done]
    return tuple(step.description for step in plan.steps if step not in done)


def in_words(remaining: tuple[str, ...]) -> str:
    """Say what remains of a request that failed."""
    return "; ".join(remaining) or NOTHING
