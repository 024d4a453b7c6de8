"""Credentials: the one place where a secret that was made and not sealed is revealed, into the answer."""

import base64

from identity_provisioning.v1 import credential_pb2
from identity_service.domain import tags
from identity_service.domain.entities import AccessKeyRecord, LoginProfileRecord, MfaDeviceDetails, MfaDeviceRecord
from identity_service.domain.outcome import IssuedAccessKey, IssuedCredentials, IssuedMfaDevice, IssuedPassword
from identity_service.domain.secret import Secret
from identity_service.rpc.converters.times import to_optional_timestamp, to_timestamp


def to_issued_credentials(issued: IssuedCredentials | None) -> credential_pb2.IssuedCredentials | None:
    """Convert credentials that were just made, secrets included, sealed or not."""
    if issued is None:
        return None
    return credential_pb2.IssuedCredentials(
        access_key=_issued_access_key(issued.access_key) if issued.access_key else None,
        console_password=_issued_password(issued.password) if issued.password else None,
        mfa_device=_issued_mfa_device(issued.mfa_device) if issued.mfa_device else None,
        sealed_secrets=issued.sealed_secrets,
        secrets_withheld=issued.secrets_withheld,
    )


def to_access_key(key: AccessKeyRecord) -> credential_pb2.AccessKey:
    """Convert an access key as IAM shows it."""
    states = credential_pb2.AccessKey.State
    return credential_pb2.AccessKey(
        access_key_id=key.access_key_id,
        state=states.STATE_ACTIVE if key.active else states.STATE_INACTIVE,
        create_time=to_timestamp(key.created_at),
        last_used_time=to_optional_timestamp(key.last_used_at),
    )


def to_login_profile(profile: LoginProfileRecord | None) -> credential_pb2.LoginProfile | None:
    """Convert console access."""
    if profile is None:
        return None
    return credential_pb2.LoginProfile(
        create_time=to_timestamp(profile.created_at), reset_required=profile.reset_required
    )


def to_mfa_device(device: MfaDeviceRecord) -> credential_pb2.MfaDevice:
    """Convert an MFA device."""
    return credential_pb2.MfaDevice(serial_number=device.serial_number, enable_time=to_timestamp(device.enabled_at))


def to_virtual_mfa_device(found: MfaDeviceDetails) -> credential_pb2.VirtualMfaDevice:
    """Convert a virtual MFA device, pending or enabled."""
    device = found.device
    return credential_pb2.VirtualMfaDevice(
        serial_number=device.serial_number,
        user_name=device.user_name or "",
        made_for_user_name=tags.user_of(device.tags),
        owner_team=tags.owner_of(device.tags),
        abandoned=found.abandoned,
    )


def _issued_access_key(key: IssuedAccessKey) -> credential_pb2.IssuedAccessKey:
    return credential_pb2.IssuedAccessKey(
        access_key_id=key.access_key_id,
        secret_access_key=_revealed(key.secret),
        create_time=to_timestamp(key.created_at),
    )


def _issued_password(password: IssuedPassword) -> credential_pb2.IssuedConsolePassword:
    return credential_pb2.IssuedConsolePassword(
        password=_revealed(password.password), reset_required=password.reset_required, generated=password.generated
    )


def _issued_mfa_device(device: IssuedMfaDevice) -> credential_pb2.IssuedMfaDevice:
    return credential_pb2.IssuedMfaDevice(
        serial_number=device.serial_number,
        base32_seed=_revealed(device.seed),
        qr_code_png=base64.b64decode(_revealed(device.qr_code_png)),
    )


def _revealed(secret: Secret | None) -> str:
    return secret.reveal() if secret else ""
