"""Which IAM actions each RPC uses: its planning, its steps, their undoing, and going on after a server's death.

The comments of the contract say the same, and a test compares them; the role's policy is made from here.
"""

from collections.abc import Mapping

Actions = frozenset[str]


def _iam(*operations: str) -> Actions:
    return frozenset(f"iam:{operation}" for operation in operations)


_GET_USER = _iam(
    "GetAccessKeyLastUsed",
    "GetLoginProfile",
    "GetUser",
    "GetUserPolicy",
    "ListAccessKeys",
    "ListAttachedUserPolicies",
    "ListGroupsForUser",
    "ListMFADeviceTags",
    "ListMFADevices",
    "ListUserPolicies",
    "ListVirtualMFADevices",
)
_SUMMARY = _iam("GetAccountSummary")
_ACCOUNT = _SUMMARY | _iam("GetAccountPasswordPolicy", "ListAccountAliases")
_HELD_DOCUMENTS = _iam(
    "GetGroupPolicy", "GetPolicy", "GetPolicyVersion", "ListAttachedGroupPolicies", "ListGroupPolicies"
)
_GROUP = _SUMMARY | _iam("GetGroup", "ListAttachedGroupPolicies", "ListGroupPolicies")

_CREATE_USER = _GET_USER | _ACCOUNT | _iam("GetPolicy", "ListPolicies", "CreateUser", "TagUser", "DeleteUser")
_CREATE_MFA_DEVICE = _GET_USER | _ACCOUNT | _iam("CreateVirtualMFADevice", "DeleteVirtualMFADevice", "TagMFADevice")
_CREATE_CREDENTIALS = (
    _CREATE_MFA_DEVICE
    | _HELD_DOCUMENTS
    | _iam(
        "AttachUserPolicy",
        "CreateAccessKey",
        "CreateLoginProfile",
        "DeleteAccessKey",
        "DeleteLoginProfile",
        "DetachUserPolicy",
    )
)
_CREATE_GROUP = _GROUP | _iam(
    "AttachGroupPolicy", "CreateGroup", "DeleteGroup", "DetachGroupPolicy", "GetPolicy", "ListPolicies"
)
_CREATE_POLICY = _SUMMARY | _iam("CreatePolicy", "DeletePolicy", "GetPolicy", "ListPolicies", "TagPolicy")
_ASSIGN_PERMISSIONS = (
    _GET_USER
    | _ACCOUNT
    | _HELD_DOCUMENTS
    | _CREATE_GROUP
    | _CREATE_POLICY
    | _iam(
        "AddUserToGroup",
        "AttachUserPolicy",
        "DeleteUserPermissionsBoundary",
        "DeleteUserPolicy",
        "DetachUserPolicy",
        "PutUserPermissionsBoundary",
        "PutUserPolicy",
        "RemoveUserFromGroup",
    )
)
_PROVISION_USER = _CREATE_USER | _CREATE_CREDENTIALS | _ASSIGN_PERMISSIONS
_DELETE_USER = _GET_USER | _iam(
    "DeactivateMFADevice",
    "DeleteAccessKey",
    "DeleteLoginProfile",
    "DeleteSSHPublicKey",
    "DeleteServiceSpecificCredential",
    "DeleteSigningCertificate",
    "DeleteUser",
    "DeleteUserPolicy",
    "DeleteVirtualMFADevice",
    "DetachUserPolicy",
    "ListSSHPublicKeys",
    "ListServiceSpecificCredentials",
    "ListSigningCertificates",
    "RemoveUserFromGroup",
)
_NONE: Actions = frozenset()

RPC_ACTIONS: Mapping[str, Actions] = {
    # AccountService
    "GetAccount": _ACCOUNT,
    # UserService
    "ProvisionUser": _PROVISION_USER,
    "CreateUser": _CREATE_USER,
    "GetUser": _GET_USER,
    "ListUsers": _iam("GetAccountAuthorizationDetails"),
    "UpdateUser": _GET_USER
    | _SUMMARY
    | _HELD_DOCUMENTS
    | _iam("PutUserPolicy", "TagMFADevice", "TagUser", "UntagUser", "UpdateUser"),
    "AdoptUser": _iam("GetUser", "TagUser"),
    "DeleteUser": _DELETE_USER,
    # CredentialService
    "CreateCredentials": _CREATE_CREDENTIALS,
    "RotateAccessKey": _iam(
        "CreateAccessKey", "DeleteAccessKey", "GetAccessKeyLastUsed", "GetUser", "ListAccessKeys", "UpdateAccessKey"
    ),
    "UpdateAccessKey": _iam("GetUser", "ListAccessKeys", "UpdateAccessKey"),
    "DeleteAccessKey": _iam("DeleteAccessKey", "GetUser", "ListAccessKeys"),
    "ResetPassword": _iam("GetAccountPasswordPolicy", "GetLoginProfile", "GetUser", "UpdateLoginProfile"),
    "DisableConsoleAccess": _GET_USER | _SUMMARY | _iam("DeleteLoginProfile"),
    "RevokeAllCredentials": _DELETE_USER - _iam("DeleteUser"),
    "CreateMfaDevice": _CREATE_MFA_DEVICE,
    "EnableMfaDevice": _GET_USER | _SUMMARY | _iam("EnableMFADevice"),
    "DeleteMfaDevice": _GET_USER | _SUMMARY | _iam("DeactivateMFADevice", "DeleteVirtualMFADevice"),
    "ListMfaDevices": _iam("GetUser", "ListMFADeviceTags", "ListMFADevices", "ListVirtualMFADevices"),
    # PermissionService
    "AssignPermissions": _ASSIGN_PERMISSIONS,
    "RevokePermissions": _GET_USER | _SUMMARY | _iam("DeleteUserPolicy", "DetachUserPolicy", "RemoveUserFromGroup"),
    "CreateGroup": _CREATE_GROUP,
    "ListGroups": _iam("GetAccountAuthorizationDetails"),
    "DeleteGroup": _GROUP | _iam("DeleteGroup", "DeleteGroupPolicy", "DetachGroupPolicy"),
    "CreatePolicy": _CREATE_POLICY,
    "ListPolicies": _iam("ListPolicies"),
    "DeletePolicy": _SUMMARY
    | _iam("DeletePolicy", "DeletePolicyVersion", "GetPolicy", "ListEntitiesForPolicy", "ListPolicyVersions"),
    "CheckAccess": _iam("GetUser", "SimulatePrincipalPolicy"),
    # OperationService
    "CreateOperation": _NONE,
    "AppendUsers": _NONE,
    "StartOperation": _PROVISION_USER,
    "GetOperation": _NONE,
    "ListOperations": _NONE,
    "WatchOperation": _NONE,
    "ListOperationResults": _NONE,
    "CancelOperation": _NONE,
}
"""Every RPC of the contract."""

NOT_BUILT = frozenset(
    {
        "CheckAccess",
        "DeleteAccessKey",
        "ResetPassword",
        "RevokeAllCredentials",
        "RotateAccessKey",
        "UpdateAccessKey",
    }
)
"""The RPCs that this server refuses as not built yet: its role needs nothing for them."""
