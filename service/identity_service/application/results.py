"""What a mutation that worked answers."""

from identity_service.application.executor import Journal, SecretInputs
from identity_service.application.planners.planned import PlannedMutation
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
from identity_service.domain.request import (
    Body,
    ConsoleDisabling,
    GroupCreation,
    MfaDeviceEnabling,
    PolicyCreation,
    UserChange,
    UserUpdate,
)


def secret_inputs(body: Body, policy: PasswordPolicy) -> SecretInputs:
    """Return the secrets that carrying out a request needs: the caller's own, or a generated password."""
    if isinstance(body, UserChange) and body.credentials.console_password:
        return SecretInputs(password=body.credentials.console_password.custom or passwords.generate(policy))
    if isinstance(body, MfaDeviceEnabling):
        return SecretInputs(mfa_codes=(body.first_code, body.second_code))
    return SecretInputs()


async def describe_outcome(
    account: IamAccount, body: Body, planned: PlannedMutation, journal: Journal, secrets: SecretInputs
) -> Outcome:
    """Describe what was done: things as IAM has them, what was issued, the calls in the order of their answers."""
    unchanged = tuple(
        ExecutedStep(step.iam_action, step.resource, aws_request_id="", completed_at=None, unchanged=True)
        for step in planned.plan.satisfied
    )
    before = planned.before
    return Outcome(
        user=await _user_after(account, body, planned, journal),
        group=await _made_group(account, body, journal),
        policy=journal.policies[0] if isinstance(body, PolicyCreation) else None,
        mfa_device=await _enabled_device(account, body),
        access_keys=before.access_keys if before and isinstance(body, ConsoleDisabling) else (),
        credentials=_issued(body, journal, secrets),
        sign_in_url=planned.sign_in_url,
        steps=unchanged + journal.executed,
    )


async def _user_after(account: IamAccount, body: Body, planned: PlannedMutation, journal: Journal) -> UserRecord | None:
    """Return the user as IAM has it; where it cannot be read again after an update, as it was before."""
    known = journal.user or (planned.before.user if planned.before else None)
    if not isinstance(body, UserUpdate):
        return known
    try:
        return await account.get_user(body.new_user_name or body.user_name, expected=True) or known
    except IamError:
        return known


async def _made_group(account: IamAccount, body: Body, journal: Journal) -> GroupDetails | None:
    """Return the group that was made with its policies; where it cannot be read again, as it was made."""
    if not isinstance(body, GroupCreation):
        return None
    made = journal.groups[0]
    try:
        return await account.get_group_details(made.group_name) or made
    except IamError:
        return made


async def _enabled_device(account: IamAccount, body: Body) -> MfaDeviceRecord | None:
    """Return the device that was enabled; None where it cannot be read, since it is enabled all the same."""
    if not isinstance(body, MfaDeviceEnabling):
        return None
    try:
        devices = await account.list_mfa_devices(body.user_name)
    except IamError:
        return None
    return next((device for device in devices if device.serial_number == body.serial_number), None)


def _issued(body: Body, journal: Journal, secrets: SecretInputs) -> IssuedCredentials | None:
    if not isinstance(body, UserChange):
        return None
    key, device, asked = journal.access_key, journal.mfa_device, body.credentials.console_password
    if key is None and device is None and asked is None:
        return None
    return IssuedCredentials(
        access_key=IssuedAccessKey(key.access_key_id, key.created_at, key.secret) if key else None,
        password=IssuedPassword(
            reset_required=asked.require_reset,
            generated=asked.custom is None,
            password=secrets.password if asked.custom is None else None,
        )
        if asked
        else None,
        mfa_device=IssuedMfaDevice(device.serial_number, device.seed, device.qr_code_png) if device else None,
    )
