"""The credentials that a user gets: access key, console password, virtual MFA device."""

from identity_service.domain import passwords, policy_documents
from identity_service.domain.errors import Reason, Resource
from identity_service.domain.names import MFA_MARK, aws_managed_policy_arn, mfa_device_arn, name_key
from identity_service.domain.plan import WarningKind
from identity_service.domain.planning.draft import MINT
from identity_service.domain.planning.user_draft import UserDraft
from identity_service.domain.request import ConsolePassword, VirtualMfaDevice
from identity_service.domain.steps import (
    CreateAccessKey,
    CreateLoginProfile,
    CreateVirtualMfaDevice,
    DeleteVirtualMfaDevice,
)

CHANGE_PASSWORD_POLICY = "IAMUserChangePassword"  # noqa: S105 - the name of a policy of AWS
CHANGE_PASSWORD = "iam:ChangePassword"  # noqa: S105 - the name of an action


def plan_credentials(draft: UserDraft) -> list[str]:
    """Plan the credentials that are asked for; return the ARNs of managed policies that the user needs for them."""
    asked = draft.change.credentials
    needed = _plan_password(draft, asked.console_password) if asked.console_password else []
    if asked.access_key:
        _plan_access_key(draft)
    if asked.mfa_device:
        _plan_mfa_device(draft, asked.mfa_device)
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
    if not password.require_reset:
        return []
    _warn_of_deadlocks(draft, f"{at}.require_reset")
    if policy.allow_users_to_change:
        return []
    return [aws_managed_policy_arn(draft.facts.partition, CHANGE_PASSWORD_POLICY)]


def _warn_of_deadlocks(draft: UserDraft, at: str) -> None:
    """Warn of what would keep the user from resetting the password at the first sign-in."""
    boundary = draft.user_facts.boundary_document
    if boundary is not None and not policy_documents.may_allow(boundary, CHANGE_PASSWORD, draft.user_arn):
        draft.warn(
            WarningKind.RESET_DEADLOCK,
            f"the password must be reset at first sign-in, but the boundary does not allow {CHANGE_PASSWORD}",
            at,
        )
    permissions = draft.change.permissions
    inline = [policy.document for policy in permissions.inline_policies]
    inline += [policy.document for policy in permissions.new_policies]
    held = [*draft.before.inline_policies.values()] if draft.before else []
    copied = [*draft.user_facts.copied.inline_policies.values()] if draft.user_facts.copied else []
    documents = [*inline, *held, *copied, *draft.user_facts.policy_documents, *([boundary] if boundary else [])]
    if any(policy_documents.denies(document, CHANGE_PASSWORD, draft.user_arn) for document in documents):
        draft.warn(
            WarningKind.RESET_DEADLOCK,
            f"the password must be reset at first sign-in, but a policy denies {CHANGE_PASSWORD}",
            at,
        )
    if any(policy_documents.denies_without_mfa(document, CHANGE_PASSWORD) for document in documents):
        draft.warn(
            WarningKind.MFA_DEADLOCK,
            f"the password must be reset at first sign-in, but a policy denies {CHANGE_PASSWORD} without MFA",
            at,
        )


def _plan_access_key(draft: UserDraft) -> None:
    held = len(draft.before.access_keys) if draft.before else 0
    draft.use_quota("AccessKeysPerUserQuota", held, held + 1, draft.change.fields.credential("access_key"))
    draft.do(CreateAccessKey(user_name=draft.user_name, user_arn=draft.user_arn, round=MINT))


def is_named_like(user_name: str, serial_number: str) -> bool:
    """Tell whether a virtual device bears the user's name, which is all that tells whose a pending one is."""
    return name_key(serial_number.rpartition(MFA_MARK)[2]) == name_key(user_name)


def _plan_mfa_device(draft: UserDraft, device: VirtualMfaDevice) -> None:
    """Plan a pending device; one of its name that nobody enabled would block it, and is deleted before."""
    at = draft.change.fields.credential("mfa_device")
    name = device.device_name or draft.user_name
    arn = mfa_device_arn(draft.facts.partition, draft.facts.account_id, name)
    if arn in draft.user_facts.used_mfa_devices:
        draft.stop(Reason.IN_USE, f"the MFA device {name} is in use", at, Resource("iam:MFADevice", arn))
    if arn in draft.user_facts.pending_mfa_devices and not is_named_like(draft.user_name, arn):
        message = f"a device {name} waits to be enabled, and nobody can tell for whom; choose another name"
        draft.stop(Reason.IN_USE, message, at, Resource("iam:MFADevice", arn))
    elif arn in draft.user_facts.pending_mfa_devices:
        draft.do(
            DeleteVirtualMfaDevice(
                user_name=draft.user_name, user_arn=draft.user_arn, round=MINT - 1, serial_number=arn
            )
        )
        draft.warn(WarningKind.ABANDONED_MFA_DEVICE, f"the MFA device {name}, which nobody enabled, is replaced", at)
    draft.do(
        CreateVirtualMfaDevice(
            user_name=draft.user_name, user_arn=draft.user_arn, round=MINT, device_name=name, device_arn=arn
        )
    )
