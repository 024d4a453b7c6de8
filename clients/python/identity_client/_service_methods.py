"""The one table of RPCs that both clients have as methods, in the order of the contract's files."""

from __future__ import annotations

from identity_client import _calls
from identity_client._methods import Described, Stream, Unary
from identity_provisioning.v1 import credential_service_pb2 as credential
from identity_provisioning.v1 import operation_service_pb2 as operation
from identity_provisioning.v1 import permission_service_pb2 as permission
from identity_provisioning.v1 import user_service_pb2 as user


class ServiceMethods:
    """Every RPC of the contract. What each does and what it can fail with is written in its .proto file."""

    provision_user = Described(_calls.provision_user)
    create_user = Described(_calls.create_user)
    get_user = Described(_calls.get_user)
    list_users = Unary(user.ListUsersRequest, user.ListUsersResponse)
    update_user = Unary(user.UpdateUserRequest, user.UpdateUserResponse)
    adopt_user = Unary(user.AdoptUserRequest, user.AdoptUserResponse)
    delete_user = Described(_calls.delete_user)

    create_credentials = Described(_calls.create_credentials)
    rotate_access_key = Unary(credential.RotateAccessKeyRequest, credential.RotateAccessKeyResponse)
    update_access_key = Unary(credential.UpdateAccessKeyRequest, credential.UpdateAccessKeyResponse)
    delete_access_key = Unary(credential.DeleteAccessKeyRequest, credential.DeleteAccessKeyResponse)
    reset_password = Unary(credential.ResetPasswordRequest, credential.ResetPasswordResponse)
    disable_console_access = Unary(credential.DisableConsoleAccessRequest, credential.DisableConsoleAccessResponse)
    revoke_all_credentials = Unary(credential.RevokeAllCredentialsRequest, credential.RevokeAllCredentialsResponse)
    create_mfa_device = Unary(credential.CreateMfaDeviceRequest, credential.CreateMfaDeviceResponse)
    enable_mfa_device = Unary(credential.EnableMfaDeviceRequest, credential.EnableMfaDeviceResponse)
    delete_mfa_device = Unary(credential.DeleteMfaDeviceRequest, credential.DeleteMfaDeviceResponse)

    assign_permissions = Described(_calls.assign_permissions)
    revoke_permissions = Unary(permission.RevokePermissionsRequest, permission.RevokePermissionsResponse)
    create_group = Unary(permission.CreateGroupRequest, permission.CreateGroupResponse)
    list_groups = Unary(permission.ListGroupsRequest, permission.ListGroupsResponse)
    delete_group = Unary(permission.DeleteGroupRequest, permission.DeleteGroupResponse)
    create_policy = Unary(permission.CreatePolicyRequest, permission.CreatePolicyResponse)
    list_policies = Unary(permission.ListPoliciesRequest, permission.ListPoliciesResponse)
    delete_policy = Unary(permission.DeletePolicyRequest, permission.DeletePolicyResponse)
    check_access = Unary(permission.CheckAccessRequest, permission.CheckAccessResponse)

    create_operation = Unary(operation.CreateOperationRequest, operation.CreateOperationResponse)
    append_users = Unary(operation.AppendUsersRequest, operation.AppendUsersResponse)
    start_operation = Unary(operation.StartOperationRequest, operation.StartOperationResponse)
    get_operation = Unary(operation.GetOperationRequest, operation.GetOperationResponse)
    list_operations = Unary(operation.ListOperationsRequest, operation.ListOperationsResponse)
    watch_operation = Stream(operation.WatchOperationRequest, operation.WatchOperationResponse)
    list_operation_results = Unary(operation.ListOperationResultsRequest, operation.ListOperationResultsResponse)
    cancel_operation = Unary(operation.CancelOperationRequest, operation.CancelOperationResponse)

    get_account = Described(_calls.get_account)
