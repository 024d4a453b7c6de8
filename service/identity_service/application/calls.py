"""Which call carries out which step, where the step says everything that the call needs."""

from identity_service.application.ports import IamAccount, Receipt
from identity_service.domain.steps import (
    AddUserToGroup,
    AttachGroupPolicy,
    AttachUserPolicy,
    DeactivateMfaDevice,
    DeleteAccessKey,
    DeleteGroup,
    DeleteGroupPolicy,
    DeleteLoginProfile,
    DeletePolicy,
    DeletePolicyVersion,
    DeleteServiceSpecificCredential,
    DeleteSigningCertificate,
    DeleteSshPublicKey,
    DeleteUser,
    DeleteUserPermissionsBoundary,
    DeleteUserPolicy,
    DeleteVirtualMfaDevice,
    DetachGroupPolicy,
    DetachUserPolicy,
    PutUserPermissionsBoundary,
    PutUserPolicy,
    RemoveUserFromGroup,
    Step,
    TagMfaDevice,
    TagUser,
    UntagUser,
    UpdateUser,
    UserStep,
)


async def call_for(account: IamAccount, step: Step) -> Receipt:
    """Carry out a step whose data say all that its call needs. Raises IamError; TypeError for any other step."""
    if isinstance(step, UserStep):
        return await _on_user(account, step)
    match step:
        case DeleteGroup():
            return await account.delete_group(step.group_name)
        case AttachGroupPolicy():
            return await account.attach_group_policy(step.group_name, step.policy_arn)
        case DetachGroupPolicy():
            return await account.detach_group_policy(step.group_name, step.policy_arn)
        case DeleteGroupPolicy():
            return await account.delete_group_policy(step.group_name, step.policy_name)
        case DeletePolicyVersion():
            return await account.delete_policy_version(step.policy_arn, step.version_id)
        case DeletePolicy():
            return await account.delete_policy(step.policy_arn)
        case _:
            raise TypeError(f"no call carries out {type(step).__name__}")


async def _on_user(account: IamAccount, step: UserStep) -> Receipt:
    name = step.user_name
    match step:
        case AddUserToGroup():
            return await account.add_user_to_group(name, step.group_name)
        case RemoveUserFromGroup():
            return await account.remove_user_from_group(name, step.group_name)
        case AttachUserPolicy():
            return await account.attach_user_policy(name, step.policy_arn)
        case DetachUserPolicy():
            return await account.detach_user_policy(name, step.policy_arn)
        case PutUserPolicy():
            return await account.put_user_policy(name, step.policy_name, step.document)
        case DeleteUserPolicy():
            return await account.delete_user_policy(name, step.policy_name)
        case PutUserPermissionsBoundary():
            return await account.put_user_permissions_boundary(name, step.boundary_arn)
        case DeleteUserPermissionsBoundary():
            return await account.delete_user_permissions_boundary(name)
        case DeleteLoginProfile():
            return await account.delete_login_profile(name)
        case DeleteAccessKey():
            return await account.delete_access_key(name, step.access_key_id)
        case DeleteSigningCertificate():
            return await account.delete_signing_certificate(name, step.certificate_id)
        case DeleteSshPublicKey():
            return await account.delete_ssh_public_key(name, step.ssh_public_key_id)
        case DeleteServiceSpecificCredential():
            return await account.delete_service_specific_credential(name, step.credential_id)
        case DeactivateMfaDevice():
            return await account.deactivate_mfa_device(name, step.serial_number)
        case DeleteVirtualMfaDevice():
            return await account.delete_virtual_mfa_device(step.serial_number)
        case TagMfaDevice():
            return await account.tag_mfa_device(step.serial_number, step.tags)
        case UpdateUser():
            return await account.update_user(name, step.new_user_name, step.new_path)
        case TagUser():
            return await account.tag_user(name, step.tags)
        case UntagUser():
            return await account.untag_user(name, step.tag_keys)
        case DeleteUser():
            return await account.delete_user(name)
        case _:
            raise TypeError(f"no call carries out {type(step).__name__}")
