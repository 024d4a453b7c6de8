"""What lets a user manage the own credentials, in three levels, on the user's real ARN.

Source: AWS, "Allows IAM users to manage their own credentials on the Security credentials page", with and without
MFA. Nothing is denied: where MFA is required, the rights hold only for a session that has it.
"""

import json

from identity_service.domain.policy_documents import same_document
from identity_service.domain.request import SelfManagement

RESERVED_POLICY_PREFIX = "identity-provisioning-"
"""Inline policies that this service makes begin so; a caller's may not, in any letter case."""
INLINE_POLICY_NAME = RESERVED_POLICY_PREFIX + "self-management"

LOOK = ["iam:GetAccountPasswordPolicy", "iam:GetAccountSummary", "iam:ListUsers", "iam:ListVirtualMFADevices"]
PASSWORD = ["iam:ChangePassword", "iam:GetLoginProfile", "iam:GetUser"]
CREDENTIALS = [
    "iam:*AccessKey*",
    "iam:*SSHPublicKey*",
    "iam:*ServiceSpecificCredential*",
    "iam:*SigningCertificate*",
]
PURPOSES = {
    SelfManagement.PASSWORD: ("iam:ChangePassword",),
    SelfManagement.CREDENTIALS: (
        "iam:ChangePassword",
        "iam:CreateAccessKey",
        "iam:DeleteAccessKey",
        "iam:EnableMFADevice",
        "iam:UpdateAccessKey",
    ),
}
PURPOSES[SelfManagement.CREDENTIALS_WITH_MFA] = PURPOSES[SelfManagement.CREDENTIALS]
"""What each level is for, all on the own user: a boundary that does not allow it makes the level useless."""
MFA_SET_UP = ["iam:EnableMFADevice", "iam:ListMFADevices", "iam:ResyncMFADevice"]
MFA_TAKE_OFF = ["iam:DeactivateMFADevice"]
WITH_MFA = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}


def self_management_document(level: SelfManagement, partition: str, account_id: str, user_arn: str) -> str:
    """Write the policy document of a level for the user of an ARN."""
    own = user_arn
    devices = f"arn:{partition}:iam::{account_id}:mfa/*"
    statements: list[dict[str, object]] = [_allow(LOOK, "*"), _allow(PASSWORD, own)]
    if level is not SelfManagement.PASSWORD:
        condition = WITH_MFA if level is SelfManagement.CREDENTIALS_WITH_MFA else None
        statements += [
            _allow(["iam:CreateVirtualMFADevice"], devices),
            _allow(MFA_SET_UP, own),
            _allow([*CREDENTIALS, *MFA_TAKE_OFF], own, condition),
            _allow(["iam:DeleteVirtualMFADevice"], devices, condition),
        ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, separators=(",", ":"))


def self_management_level(document: str, partition: str, account_id: str, user_arn: str) -> SelfManagement | None:
    """Return the level that a document grants to the user of an ARN; None if it is not one of these documents."""
    for level in SelfManagement:
        if level is not SelfManagement.NONE:
            preset = self_management_document(level, partition, account_id, user_arn)
            if same_document(document, preset):
                return level
    return None


def _allow(actions: list[str], resource: str, condition: dict[str, dict[str, str]] | None = None) -> dict[str, object]:
    statement: dict[str, object] = {"Effect": "Allow", "Action": actions, "Resource": resource}
    return {**statement, "Condition": condition} if condition else statement
