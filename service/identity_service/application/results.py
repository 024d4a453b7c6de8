"""What a mutation that worked answers."""

from identity_service.application.executor import Journal
from identity_service.application.planner import PlannedMutation
from identity_service.domain import passwords
from identity_service.domain.outcome import ExecutedStep, IssuedAccessKey, IssuedCredentials, IssuedPassword, Outcome
from identity_service.domain.passwords import PasswordPolicy
from identity_service.domain.request import UserChange, UserDeletion
from identity_service.domain.secret import Secret


def password_for(body: UserChange | UserDeletion, policy: PasswordPolicy) -> Secret | None:
    """Return the caller's own password or a generated one; None if no console password is asked for."""
    if isinstance(body, UserDeletion) or body.credentials.console_password is None:
        return None
    return body.credentials.console_password.custom or passwords.generate(policy)


def describe_outcome(
    body: UserChange | UserDeletion, planned: PlannedMutation, journal: Journal, password: Secret | None
) -> Outcome:
    """Describe what was done: the user as IAM has it, what was issued, and the calls in the order of their answers."""
    unchanged = tuple(
        ExecutedStep(step.iam_action, step.resource, aws_request_id="", completed_at=None, unchanged=True)
        for step in planned.plan.satisfied
    )
    user = journal.user or (planned.before.user if planned.before else None)
    return Outcome(
        user=user,
        credentials=_issued(body, journal, password),
        sign_in_url=planned.sign_in_url,
        steps=unchanged + journal.executed,
    )


def _issued(body: UserChange | UserDeletion, journal: Journal, password: Secret | None) -> IssuedCredentials | None:
    if isinstance(body, UserDeletion):
        return None
    key = journal.access_key
    asked = body.credentials.console_password
    if key is None and asked is None:
        return None
    return IssuedCredentials(
        access_key=IssuedAccessKey(key.access_key_id, key.created_at, key.secret) if key else None,
        password=IssuedPassword(
            reset_required=asked.require_reset,
            generated=asked.custom is None,
            password=password if asked.custom is None else None,
        )
        if asked
        else None,
    )
