"""What a policy document allows on the credentials of users, its holder's own among them."""

from identity_service.domain.policy_documents import as_list, statements
from identity_service.domain.policy_patterns import VARIABLE, is_like, overlap
from identity_service.domain.policy_rights import covers

CREDENTIAL_ACTIONS = (
    "iam:ChangePassword",
    "iam:CreateAccessKey",
    "iam:CreateLoginProfile",
    "iam:CreateServiceSpecificCredential",
    "iam:DeactivateMFADevice",
    "iam:DeleteAccessKey",
    "iam:DeleteLoginProfile",
    "iam:DeleteSSHPublicKey",
    "iam:DeleteServiceSpecificCredential",
    "iam:DeleteSigningCertificate",
    "iam:EnableMFADevice",
    "iam:ResetServiceSpecificCredential",
    "iam:ResyncMFADevice",
    "iam:UpdateAccessKey",
    "iam:UpdateLoginProfile",
    "iam:UpdateSSHPublicKey",
    "iam:UpdateServiceSpecificCredential",
    "iam:UpdateSigningCertificate",
    "iam:UploadSSHPublicKey",
    "iam:UploadSigningCertificate",
)
"""Actions of IAM that change a user's credentials; each is authorized on the user."""


def credential_actions(document: str) -> tuple[str, ...]:
    """Return the actions on credentials that a document may allow on some user, whatever its conditions.

    A policy variable may stand for any name. A Deny counts if it is about everything and has no condition.
    """
    found = list(statements(document))
    allowing = [s for s in found if s.get("Effect") == "Allow" and _may_be_about_users(s)]
    denying = [s for s in found if s.get("Effect") == "Deny" and not s.get("Condition") and s.get("Resource") == "*"]
    return tuple(
        action
        for action in CREDENTIAL_ACTIONS
        if any(covers(s, action) for s in allowing) and not any(covers(s, action) for s in denying)
    )


def _may_be_about_users(statement: dict[str, object]) -> bool:
    if "NotResource" in statement:
        # Users that it does not name are always left.
        return "*" not in as_list(statement["NotResource"])
    return any(_may_be_a_user(str(pattern)) for pattern in as_list(statement.get("Resource")))


def _may_be_a_user(pattern: str) -> bool:
    """Tell whether an ARN's pattern fits some user. In a pattern that ends early, its last star stands for the rest."""
    parts = VARIABLE.sub("*", pattern).split(":", 5)
    if len(parts) < 6:
        return pattern.endswith("*") and (len(parts) < 3 or is_like("iam", parts[2]))
    return is_like("iam", parts[2]) and overlap(parts[5], "user/*")
