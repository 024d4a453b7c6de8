"""The secrets that a mutation needs, and what it answers when it has worked."""

from identity_service.application.journal import Journal, SecretInputs
from identity_service.application.ledger import Intent
from identity_service.application.ports import IamAccount
from identity_service.domain import passwords
from identity_service.domain.entities import GroupDetails, MfaDeviceRecord, UserRecord
from identity_service.domain.errors import IamError
from identity_service.domain.outcome import (
    ExecutedStep,
    IssuedAccessKey,
    IssuedCredentials,
    IssuedMfaDevice,
    IssuedPassword,
    Outcome,
)
from identity_service.domain.passwords import PasswordPolicy
from identity_service.domain.plan import Plan
from identity_service.domain.request import Body, MfaDeviceEnabling, UserChange
from identity_service.domain.steps import CreateLoginProfile, EnableMfaDevice, UpdateUser
from identity_service.domain.target import TargetKind

DISABLE_CONSOLE_ACCESS = "DisableConsoleAccess"
READ_AGAIN = frozenset({"AdoptUser", "UpdateUser"})
"""RPCs after which the user is not what it was, and whose IAM calls do not answer it."""


def brings_secrets(body: Body) -> bool:
    """Tell whether a request itself holds a secret that carrying it out needs; no store ever has it."""
    if isinstance(body, UserChange):
        return bool(body.credentials.console_password and body.credentials.console_password.custom)
    return isinstance(body, MfaDeviceEnabling)


def secrets_of(body: Body, plan: Plan, policy: PasswordPolicy) -> SecretInputs:
    """Return the secrets that carrying out a plan needs: those of its request, or a generated password."""
    if isinstance(body, UserChange) and body.credentials.console_password and body.credentials.console_password.custom:
        return SecretInputs(password=body.credentials.console_password.custom)
    if isinstance(body, MfaDeviceEnabling):
        return SecretInputs(mfa_codes=(body.first_code, body.second_code))
    return generated_secrets(plan, policy)


def generated_secrets(plan: Plan, policy: PasswordPolicy) -> SecretInputs:
    """Return the secrets that a plan needs whose request brings none."""
    if sets_password(plan):
        return SecretInputs(password=passwords.generate(policy), generated=True)
    return SecretInputs()


def sets_password(plan: Plan) -> bool:
    """Tell whether a plan sets a console password."""
    return any(isinstance(step, CreateLoginProfile) for step in plan.steps)


async def describe_outcome(account: IamAccount, intent: Intent, journal: Journal, secrets: SecretInputs) -> Outcome:
    """Describe what was done: things as IAM has them, what was issued, the calls in the order of their answers."""
    plan, before = intent.plan, intent.snapshot
    unchanged = tuple(
        ExecutedStep(step.iam_action, step.resource, "", None, unchanged=True, description=step.description)
        for step in plan.satisfied
    )
    return Outcome(
        user=await _user_after(account, intent, journal),
        group=await _made_group(account, plan, journal),
        policy=journal.policies[0] if plan.target.kind is TargetKind.POLICY and journal.policies else None,
        mfa_device=await _enabled_device(account, plan),
        access_keys=before.access_keys if before and intent.action == DISABLE_CONSOLE_ACCESS else (),
        credentials=_issued(plan, journal, secrets),
        sign_in_url=intent.sign_in_url,
        steps=unchanged + journal.executed,
    )


async def _user_after(account: IamAccount, intent: Intent, journal: Journal) -> UserRecord | None:
    """Return the user as IAM has it; where it cannot be read again after an update, as it was before."""
    known = journal.user or (intent.snapshot.user if intent.snapshot else None)
    if intent.action not in READ_AGAIN:
        return known
    renamed = [step.new_user_name for step in intent.plan.steps if isinstance(step, UpdateUser) and step.new_user_name]
    try:
        return await account.get_user(renamed[0] if renamed else intent.plan.target.name, expected=True) or known
    except IamError:
        return known


async def _made_group(account: IamAccount, plan: Plan, journal: Journal) -> GroupDetails | None:
    """Return the group that was made with its policies; where it cannot be read again, as it was made."""
    if plan.target.kind is not TargetKind.GROUP or not journal.groups:
        return None
    made = journal.groups[0]
    try:
        return await account.get_group_details(made.group_name) or made
    except IamError:
        return made


async def _enabled_device(account: IamAccount, plan: Plan) -> MfaDeviceRecord | None:
    """Return the device that was enabled; None where it cannot be read, since it is enabled all the same."""
    enabled = [step for step in plan.steps if isinstance(step, EnableMfaDevice)]
    if not enabled:
        return None
    try:
        devices = await account.list_mfa_devices(enabled[0].user_name)
    except IamError:
        return None
    return next((device for device in devices if device.serial_number == enabled[0].serial_number), None)


def _issued(plan: Plan, journal: Journal, secrets: SecretInputs) -> IssuedCredentials | None:
    key, device = journal.access_key, journal.mfa_device
    profile = next((step for step in plan.steps if isinstance(step, CreateLoginProfile)), None)
    if key is None and device is None and profile is None:
        return None
    return IssuedCredentials(
        access_key=IssuedAccessKey(key.access_key_id, key.created_at, key.secret) if key else None,
        password=IssuedPassword(
            reset_required=profile.reset_required,
            generated=secrets.generated,
            password=secrets.password if secrets.generated else None,
        )
        if profile
        else None,
        mfa_device=IssuedMfaDevice(device.serial_number, device.seed, device.qr_code_png) if device else None,
    )
