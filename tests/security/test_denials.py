"""What the role's policy denies in so many words, action by action: each stays denied beside a policy that allows all.

The actions are written out here and not read from the policy, so that one which is taken out of it is missed.
"""

import json
from collections.abc import Mapping, Sequence
from fnmatch import fnmatch
from typing import Any

import pytest

from embedded_aws.policy_evaluation import Context, Decision, decide
from tests.security.role_world import BOUNDARY, EVERYTHING, OWNER, PREFIX, is_denying, loosened, role_policy

WIDE = json.loads(EVERYTHING)
ANYTHING = f"{PREFIX}anything/at-all"
STOLEN: Context = {f"aws:ResourceTag/{OWNER}": ["payments"], f"aws:RequestTag/{OWNER}": ["others"]}
"""An owner takes the place of another one."""
UNTAGGED: Context = {"aws:TagKeys": [OWNER.upper()]}
"""Our tag is taken off, whatever the case of its letters."""

SITUATIONS: Mapping[str, tuple[str, Context]] = {
    "NeverEscalate": (ANYTHING, {}),
    "NeverChangeTheOwner": (ANYTHING, STOLEN),
    "NeverTakeOurTagsOff": (ANYTHING, UNTAGGED),
    "NeverRemoveABoundary": (ANYTHING, {}),
    "NeverTouchABoundary": (BOUNDARY, {}),
}
"""On which resource, and with which facts, each statement denies."""

ACTIONS: Mapping[str, Sequence[str]] = {
    "NeverEscalate": (
        "CreatePolicyVersion SetDefaultPolicyVersion PutGroupPolicy UpdateGroup",
        "PassRole CreateRole DeleteRole UpdateRole UpdateRoleDescription UpdateAssumeRolePolicy",
        "AttachRolePolicy DetachRolePolicy PutRolePolicy DeleteRolePolicy TagRole UntagRole",
        "PutRolePermissionsBoundary DeleteRolePermissionsBoundary",
        "CreateServiceLinkedRole DeleteServiceLinkedRole",
        "CreateInstanceProfile DeleteInstanceProfile TagInstanceProfile UntagInstanceProfile",
        "AddRoleToInstanceProfile RemoveRoleFromInstanceProfile",
        "CreateSAMLProvider UpdateSAMLProvider DeleteSAMLProvider TagSAMLProvider UntagSAMLProvider",
        "CreateOpenIDConnectProvider DeleteOpenIDConnectProvider UpdateOpenIDConnectProviderThumbprint",
        "AddClientIDToOpenIDConnectProvider RemoveClientIDFromOpenIDConnectProvider",
        "TagOpenIDConnectProvider UntagOpenIDConnectProvider",
        "UploadSSHPublicKey UploadServerCertificate UploadSigningCertificate UploadCloudFrontPublicKey",
        "UpdateSSHPublicKey UpdateSigningCertificate",
        "CreateServiceSpecificCredential ResetServiceSpecificCredential UpdateServiceSpecificCredential",
        "ResyncMFADevice",
        "CreateAccountAlias DeleteAccountAlias UpdateAccountPasswordPolicy DeleteAccountPasswordPolicy",
    ),
    "NeverChangeTheOwner": ("TagMFADevice TagPolicy TagUser",),
    "NeverTakeOurTagsOff": ("UntagMFADevice UntagPolicy UntagUser",),
    "NeverRemoveABoundary": ("DeleteUserPermissionsBoundary",),
    "NeverTouchABoundary": ("CreatePolicy DeletePolicy DeletePolicyVersion TagPolicy UntagPolicy",),
}
"""The actions of IAM, by the statement that denies them."""
DENIALS = [(sid, f"iam:{action}") for sid, lines in ACTIONS.items() for action in " ".join(lines).split()]


def decision(policies: Sequence[Mapping[str, Any]], sid: str, action: str) -> Decision:
    """Decide where the statement denies."""
    resource, context = SITUATIONS[sid]
    return decide(policies, action, resource, context)


@pytest.mark.parametrize(("sid", "action"), DENIALS)
def test_each_action_is_denied_in_so_many_words(sid: str, action: str) -> None:
    """Beside a policy that allows everything the action is denied, and by this statement: without it, it is not."""
    assert decision([*role_policy(), WIDE], sid, action) is Decision.EXPLICIT_DENY
    assert decision([*loosened(role_policy(), sid), WIDE], sid, action) is Decision.ALLOWED


def test_every_denial_is_tried() -> None:
    """Whatever a denying statement names, be it with a wildcard, has an action above."""
    for statement in (statement for policy in role_policy() for statement in policy["Statement"]):
        if is_denying(role_policy(), statement["Sid"]):
            tried = [action for sid, action in DENIALS if sid == statement["Sid"]]
            assert [pattern for pattern in statement["Action"] if not any(fnmatch(a, pattern) for a in tried)] == []
