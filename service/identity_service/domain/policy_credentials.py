"""What a policy document allows on the credentials of users, its holder's own among them, at once or in two steps."""

from identity_service.domain.policy_documents import as_list, statements
from identity_service.domain.policy_escalation import ESCALATING_ACTIONS
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

WAYS_TO_CREDENTIALS = {
    **dict.fromkeys(CREDENTIAL_ACTIONS, "user"),
    **{action: kind for action, kind in ESCALATING_ACTIONS.items() if kind in ("user", "group", "policy")},
}
"""Those, and the ones that write what users may do, with which the right to them is a step away; each with the kind of
resource that it is authorized on.

What changes roles is left out, since a role's rights cannot be told from the document of a user who assumes it. So is
sts:GetFederationToken: what it gives may do no more than the user and ends by itself, and sts:GetSessionToken gives
about the same to whoever has a key, without any right.
"""


def ways_to_credentials(document: str) -> tuple[str, ...]:
    """Return the actions of a document that change the credentials of some user, or lead to the right to.

    Whatever its conditions. A policy variable may stand for any name. A Deny counts if it is about everything and has
    no condition.
    """
    found = list(statements(document))
    allowing = [s for s in found if s.get("Effect") == "Allow"]
    denying = [s for s in found if s.get("Effect") == "Deny" and not s.get("Condition") and s.get("Resource") == "*"]
    return tuple(
        action
        for action, kind in WAYS_TO_CREDENTIALS.items()
        if any(covers(s, action) and _may_be_about(s, kind) for s in allowing)
        and not any(covers(s, action) for s in denying)
    )


def _may_be_about(statement: dict[str, object], kind: str) -> bool:
    if "NotResource" in statement:
        # Those that it does not name are always left.
        return "*" not in as_list(statement["NotResource"])
    return any(_may_fit(str(pattern), kind) for pattern in as_list(statement.get("Resource")))


def _may_fit(pattern: str, kind: str) -> bool:
    """Tell whether an ARN's pattern fits some `user`, `group`... If short, its last star stands for the rest."""
    parts = VARIABLE.sub("*", pattern).split(":", 5)
    if len(parts) < 6:
        return pattern.endswith("*") and (len(parts) < 3 or is_like("iam", parts[2]))
    return is_like("iam", parts[2]) and overlap(parts[5], f"{kind}/*")
