"""The credentials that a user gets: access key, console password, virtual MFA device."""

from identity_service.domain import passwords
from identity_service.domain.errors import Reason
from identity_service.domain.names import aws_managed_policy_arn
from identity_service.domain.planning.draft import MINT
from identity_service.domain.planning.mfa import plan_mfa_device
from identity_service.domain.planning.user_draft import UserDraft
from identity_service.domain.request import ConsolePassword
from identity_service.domain.steps import (
    CreateAccessKey,
    CreateLoginProfile,
)

CHANGE_PASSWORD_POLICY = "IAMUserChangePassword"  # noqa: S105 - the name of a policy of AWS


def plan_credentials(draft: UserDraft) -> list[str]:
    """Plan the credentials that are asked for; return the ARNs of managed policies that the user needs for them."""
    asked = draft.change.credentials
    needed = _plan_password(draft, asked.console_password) if asked.console_password else []
    if asked.access_key:
        _plan_access_key(draft)
    if asked.mfa_device:
        plan_mfa_device(draft, asked.mfa_device)
    return needed


def _plan_password(draft: UserDraft, password: ConsolePassword) -> list[str]:
    at = draft.change.fields.credential("console_password")
    policy = draft.user_facts.password_policy
    if draft.before and draft.before.login_profile:
        draft.stop(Reason.PASSWORD_ALREADY_EXISTS, f"user {draft.user_name} has a console password already", at)
    if password.custom:
        for rule in passwords.violations(password.custom, policy, draft.user_name):
            draft.stop(Reason.PASSWORD_POLICY_VIOLATION, f"the password {rule}", f"{at}.custom_password")
    draft.do(
        CreateLoginProfile(
            user_name=draft.user_name,
            user_arn=draft.user_arn,
            round=MINT,
            reset_required=password.require_reset,
            generated=password.custom is None,
        )
    )
    if not password.require_reset or policy.allow_users_to_change:
        return []
    return [aws_managed_policy_arn(draft.facts.partition, CHANGE_PASSWORD_POLICY)]


def _plan_access_key(draft: UserDraft) -> None:
    held = len(draft.before.access_keys) if draft.before else 0
    draft.use_quota("AccessKeysPerUserQuota", held, held + 1, draft.change.fields.credential("access_key"))
    draft.do(CreateAccessKey(user_name=draft.user_name, user_arn=draft.user_arn, round=MINT))
