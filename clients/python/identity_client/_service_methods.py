"""The one table of RPCs that both clients have as methods, in the order of the contract's files."""

from __future__ import annotations

from identity_client import _account_calls as account_calls
from identity_client import _credential_calls as credential_calls
from identity_client import _operation_calls as operation_calls
from identity_client import _permission_calls as permission_calls
from identity_client import _user_calls as user_calls
from identity_client._methods import Described, Paged, Stream, Unary
from identity_provisioning.v1 import credential_service_pb2 as credential
from identity_provisioning.v1 import operation_service_pb2 as operation
from identity_provisioning.v1 import permission_service_pb2 as permission


class ServiceMethods:
    """Every RPC of the contract. What each does and what it can fail with is written in its .proto file.

    An `iterate_...` method goes through all pages of the list beside it.
    """

    provision_user = Described(user_calls.provision_user)
    create_user = Described(user_calls.create_user)
    get_user = Described(user_calls.get_user)
    list_users = Described(user_calls.list_users)
    iterate_users = Paged(user_calls.list_users, lambda page: page.users)
    update_user = Described(user_calls.update_user)
    adopt_user = Described(user_calls.adopt_user)
    delete_user = Described(user_calls.delete_user)

    create_credentials = Described(credential_calls.create_credentials)
    rotate_access_key = Unary(credential.RotateAccessKeyRequest, credential.RotateAccessKeyResponse)
    update_access_key = Unary(credential.UpdateAccessKeyRequest, credential.UpdateAccessKeyResponse)
    delete_access_key = Unary(credential.DeleteAccessKeyRequest, credential.DeleteAccessKeyResponse)
    reset_password = Unary(credential.ResetPasswordRequest, credential.ResetPasswordResponse)
    disable_console_access = Described(credential_calls.disable_console_access)
    revoke_all_credentials = Unary(credential.RevokeAllCredentialsRequest, credential.RevokeAllCredentialsResponse)
    create_mfa_device = Described(credential_calls.create_mfa_device)
    enable_mfa_device = Described(credential_calls.enable_mfa_device)
    delete_mfa_device = Described(credential_calls.delete_mfa_device)
    list_mfa_devices = Described(credential_calls.list_mfa_devices)
    iterate_mfa_devices = Paged(credential_calls.list_mfa_devices, lambda page: page.mfa_devices)

    assign_permissions = Described(permission_calls.assign_permissions)
    revoke_permissions = Described(permission_calls.revoke_permissions)
    create_group = Described(permission_calls.create_group)
    list_groups = Described(permission_calls.list_groups)
    iterate_groups = Paged(permission_calls.list_groups, lambda page: page.groups)
    delete_group = Described(permission_calls.delete_group)
    create_policy = Described(permission_calls.create_policy)
    list_policies = Described(permission_calls.list_policies)
    iterate_policies = Paged(permission_calls.list_policies, lambda page: page.policies)
    delete_policy = Described(permission_calls.delete_policy)
    check_access = Unary(permission.CheckAccessRequest, permission.CheckAccessResponse)

    create_operation = Described(operation_calls.create_operation)
    append_users = Described(operation_calls.append_users)
    start_operation = Described(operation_calls.start_operation)
    get_operation = Described(operation_calls.get_operation)
    list_operations = Described(operation_calls.list_operations)
    iterate_operations = Paged(operation_calls.list_operations, lambda page: page.operations)
    watch_operation = Stream(operation.WatchOperationRequest, operation.WatchOperationResponse)
    list_operation_results = Described(operation_calls.list_operation_results)
    iterate_operation_results = Paged(operation_calls.list_operation_results, lambda page: page.results)
    cancel_operation = Described(operation_calls.cancel_operation)

    get_account = Described(account_calls.get_account)
