"""The teardown of a user, in the order that IAM demands; written down here and nowhere else.

Source: AWS, "Remove or deactivate an IAM user": DeleteUser is refused until everything else is gone.
"""

from identity_service.domain import target
from identity_service.domain.entities import UserSnapshot
from identity_service.domain.plan import Plan, PlanWarning, WarningKind, in_rounds
from identity_service.domain.steps import (
    DeactivateMfaDevice,
    DeleteAccessKey,
    DeleteLoginProfile,
    DeleteServiceSpecificCredential,
    DeleteSigningCertificate,
    DeleteSshPublicKey,
    DeleteUser,
    DeleteUserPolicy,
    DeleteVirtualMfaDevice,
    DetachUserPolicy,
    RemoveUserFromGroup,
    Step,
)


def plan_deletion(account_id: str, snapshot: UserSnapshot) -> Plan:
    """Plan the deletion of a user with everything on it; one round for each kind of thing."""
    return Plan(
        account_id,
        target.user(snapshot.user.user_name),
        snapshot.user.user_id,
        steps=in_rounds(deletion_steps(snapshot)),
        warnings=_warnings(snapshot),
    )


def _warnings(snapshot: UserSnapshot) -> tuple[PlanWarning, ...]:
    if not snapshot.pending_mfa_truncated:
        return ()
    message = (
        "the account has so many MFA devices that wait to be enabled that not all were looked at; "
        "some of this user's may stay, and are listed as abandoned afterwards"
    )
    return (PlanWarning(WarningKind.REMAINS, message),)


def deletion_steps(snapshot: UserSnapshot) -> tuple[Step, ...]:
    """List the steps of a teardown."""
    name, arn = snapshot.user.user_name, snapshot.user.arn
    profile = [snapshot.login_profile] if snapshot.login_profile else []
    virtual = [device.serial_number for device in snapshot.mfa_devices if device.is_virtual]
    kinds: list[list[Step]] = [
        [DeleteLoginProfile(user_name=name, user_arn=arn, round=1) for _ in profile],
        [
            DeleteAccessKey(user_name=name, user_arn=arn, round=2, access_key_id=key.access_key_id)
            for key in snapshot.access_keys
        ],
        [
            DeleteSigningCertificate(user_name=name, user_arn=arn, round=3, certificate_id=certificate_id)
            for certificate_id in snapshot.signing_certificate_ids
        ],
        [
            DeleteSshPublicKey(user_name=name, user_arn=arn, round=4, ssh_public_key_id=key_id)
            for key_id in snapshot.ssh_public_key_ids
        ],
        [
            DeleteServiceSpecificCredential(user_name=name, user_arn=arn, round=5, credential_id=credential_id)
            for credential_id in snapshot.service_specific_credential_ids
        ],
        [
            DeactivateMfaDevice(user_name=name, user_arn=arn, round=6, serial_number=device.serial_number)
            for device in snapshot.mfa_devices
        ],
        [
            DeleteVirtualMfaDevice(user_name=name, user_arn=arn, round=7, serial_number=serial_number)
            for serial_number in (*virtual, *(device.serial_number for device in snapshot.pending_mfa_devices))
        ],
        [
            DeleteUserPolicy(user_name=name, user_arn=arn, round=8, policy_name=policy_name)
            for policy_name in snapshot.inline_policies
        ],
        [
            DetachUserPolicy(user_name=name, user_arn=arn, round=9, policy_arn=policy.policy_arn)
            for policy in snapshot.attached_policies
        ],
        [
            RemoveUserFromGroup(
                user_name=name, user_arn=arn, round=10, group_name=group.group_name, group_arn=group.arn
            )
            for group in snapshot.groups
        ],
        [DeleteUser(user_name=name, user_arn=arn, round=11)],
    ]
    return tuple(step for steps in kinds for step in steps)
