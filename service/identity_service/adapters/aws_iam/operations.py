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
    """Each sending makes another secret, or sets one."""


EFFECTS: Mapping[str, Effect] = {
    operation: effect
    for effect, operations in {
        Effect.READ: (
            "GetAccessKeyLastUsed",
            "GetAccountPasswordPolicy",
            "GetAccountSummary",
            "GetCallerIdentity",
            "GetGroup",
            "GetLoginProfile",
            "GetPolicy",
            "GetPolicyVersion",
            "GetUser",
            "GetUserPolicy",
            "ListAccessKeys",
            "ListAccountAliases",
            "ListAttachedGroupPolicies",
            "ListAttachedUserPolicies",
            "ListGroupPolicies",
            "ListGroupsForUser",
            "ListMFADevices",
            "ListPolicies",
            "ListSSHPublicKeys",
            "ListServiceSpecificCredentials",
            "ListSigningCertificates",
            "ListUserPolicies",
        ),
        Effect.WRITE: (
            "AddUserToGroup",
            "AttachUserPolicy",
            "CreateUser",
            "PutUserPermissionsBoundary",
            "PutUserPolicy",
        ),
        Effect.REMOVAL: (
            "DeactivateMFADevice",
            "DeleteAccessKey",
            "DeleteLoginProfile",
            "DeleteSSHPublicKey",
            "DeleteServiceSpecificCredential",
            "DeleteSigningCertificate",
            "DeleteUser",
            "DeleteUserPermissionsBoundary",
            "DeleteUserPolicy",
            "DeleteVirtualMFADevice",
            "DetachUserPolicy",
            "RemoveUserFromGroup",
        ),
        Effect.MINT: ("CreateAccessKey", "CreateLoginProfile"),
    }.items()
    for operation in operations
}
"""Every operation in use; one that is not here is not called."""
