"""How the server's own role gets into the other accounts: what it may assume there, and whom the roles there trust.

EKS Pod Identity puts tags on the session that it gives a pod, and makes them transitive: they go along when that
session assumes another role, and STS then asks both sides for `sts:TagSession` besides. IRSA sets none.
"""

import re
from collections.abc import Sequence

from identity_service.accounts_file import EXTERNAL_ID, ROLE_ARN
from identity_service.iam_policy import Document, PolicyOptionError

_ASSUME = "sts:AssumeRole"
_TAG = "sts:TagSession"

POD_IDENTITY_TAGS = (
    "eks-cluster-arn",
    "eks-cluster-name",
    "kubernetes-namespace",
    "kubernetes-pod-name",
    "kubernetes-pod-uid",
    "kubernetes-service-account",
)
"""Every tag that EKS Pod Identity puts on a session (Amazon EKS User Guide, "Enable or disable session tags")."""

_ONLY_THEIR_TAGS: Document = {"ForAllValues:StringEquals": {"aws:TagKeys": list(POD_IDENTITY_TAGS)}}
"""Resource policies of an account may go by tags: the server gives itself no others. It holds as well where the request
names no key, so that it does not depend on whether STS counts those that go along."""


def assume_document(role_arns: Sequence[str], pod_identity: bool = False) -> Document:
    """Return the policy of the server's own role, beside its others: these roles and no other.

    `pod_identity`: that role's sessions bear EKS Pod Identity's tags. Raises PolicyOptionError.
    """
    _require("--assume", role_arns)
    arns: Document = {"Resource": role_arns[0] if len(role_arns) == 1 else list(role_arns)}
    statements: list[Document] = [{"Sid": "AssumeAccountRoles", "Effect": "Allow", "Action": _ASSUME, **arns}]
    if pod_identity:
        statements.append(
            {"Sid": "TakePodTagsAlong", "Effect": "Allow", "Action": _TAG, **arns, "Condition": _ONLY_THEIR_TAGS}
        )
    return _document(*statements)


def trust_document(server_role_arn: str, external_id: str | None = None, pod_identity: bool = False) -> Document:
    """Return the trust policy of the role in an account: the server's own role, nobody else.

    `pod_identity`: that role's sessions bear EKS Pod Identity's tags. Raises PolicyOptionError.
    """
    _require("--trust", [server_role_arn])
    if external_id is not None and not re.fullmatch(EXTERNAL_ID, external_id, re.ASCII):
        raise PolicyOptionError("--external-id: has 2 to 1,224 letters, digits and +=,.@:/-")
    server: Document = {"Effect": "Allow", "Principal": {"AWS": server_role_arn}}
    statements: list[Document] = [{"Sid": "TrustTheServer", **server, "Action": _ASSUME}]
    if external_id is not None:
        statements[0]["Condition"] = {"StringEquals": {"sts:ExternalId": external_id}}
    if pod_identity:
        # Without the external id: nobody gets in by this statement alone.
        statements.append({"Sid": "LetPodTagsIn", **server, "Action": _TAG, "Condition": _ONLY_THEIR_TAGS})
    return _document(*statements)


def _require(option: str, role_arns: Sequence[str]) -> None:
    for role_arn in role_arns:
        # A wildcard would let the server into roles that nobody has listed.
        if not re.fullmatch(ROLE_ARN, role_arn, re.ASCII):
            raise PolicyOptionError(f"{option}: must be the ARN of a role, without wildcards")


def _document(*statements: Document) -> Document:
    return {"Version": "2012-10-17", "Statement": list(statements)}
