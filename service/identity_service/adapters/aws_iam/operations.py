"""The operations of IAM and STS that are used, and what a second sending of each would do."""

import enum
from collections.abc import Mapping


class Effect(enum.Enum):
    """What sending a call twice comes to."""

    READ = enum.auto()
    WRITE = enum.auto()
    """Convergent: the second sending changes nothing, or is refused because the first was carried out."""
    REMOVAL = enum.auto()
    """Convergent: the second sending does not find what the first removed."""
    MINT = enum.auto()
    """Each sending makes another secret, sets one, or uses one up."""


EFFECTS: Mapping[str, Effect] = {
    operation: effect
    for effect, operations in {
        Effect.READ: (
            "GetAccessKeyLastUsed",
            "GetAccountAuthorizationDetails",
            "GetAccountPasswordPolicy",
            "GetAccountSummary",
            "GetCallerIdentity",
            "GetGroup",
            "GetGroupPolicy",
            "GetLoginProfile",
            "GetPolicy",
            "GetPolicyVersion",
            "GetUser",
            "GetUserPolicy",
            "ListAccessKeys",
            "ListAccountAliases",
            "ListAttachedGroupPolicies",
            "ListAttachedUserPolicies",
            "ListEntitiesForPolicy",
            "ListGroupPolicies",
            "ListGroupsForUser",
            "ListMFADeviceTags",
            "ListMFADevices",
            "ListPolicies",
            "ListPolicyVersions",
            "ListSSHPublicKeys",
            "ListServiceSpecificCredentials",
            "ListSigningCertificates",
            "ListUserPolicies",
            "ListVirtualMFADevices",
        ),
        Effect.WRITE: (
            "AddUserToGroup",
            "AttachGroupPolicy",
            "AttachUserPolicy",
            "CreateGroup",
            "CreatePolicy",
            "CreateUser",
            "PutUserPermissionsBoundary",
            "PutUserPolicy",
            "TagMFADevice",
            "TagUser",
            "UntagUser",
            "UpdateUser",
        ),
        Effect.REMOVAL: (
            "DeactivateMFADevice",
            "DeleteAccessKey",
            "DeleteGroup",
            "DeleteGroupPolicy",
            "DeleteLoginProfile",
            "DeletePolicy",
            "DeletePolicyVersion",
            "DeleteSSHPublicKey",
            "DeleteServiceSpecificCredential",
            "DeleteSigningCertificate",
            "DeleteUser",
            "DeleteUserPermissionsBoundary",
            "DeleteUserPolicy",
            "DeleteVirtualMFADevice",
            "DetachGroupPolicy",
            "DetachUserPolicy",
            "RemoveUserFromGroup",
        ),
        Effect.MINT: (
            "CreateAccessKey",
            "CreateLoginProfile",
            "CreateVirtualMFADevice",
            # A code is taken once: what was carried out unseen would answer a second sending as a wrong code.
            "EnableMFADevice",
        ),
    }.items()
    for operation in operations
}
"""Every operation in use; one that is not here is not called."""
