"""How the server's own role gets into the other accounts: what it may assume there, and whom the roles there trust."""

import re
from collections.abc import Sequence

from identity_service.accounts_file import EXTERNAL_ID, ROLE_ARN
from identity_service.iam_policy import Document, PolicyOptionError

_ASSUME = "sts:AssumeRole"


def assume_document(role_arns: Sequence[str]) -> Document:
    """Return the policy of the server's own role, beside its others: these roles and no other. PolicyOptionError."""
    _require("--assume", role_arns)
    arns: Document = {"Resource": role_arns[0] if len(role_arns) == 1 else list(role_arns)}
    return _document({"Sid": "AssumeAccountRoles", "Effect": "Allow", "Action": _ASSUME, **arns})


def trust_document(server_role_arn: str, external_id: str | None = None) -> Document:
    """Return the trust policy of the role in an account: the server's own role, nobody else. PolicyOptionError."""
    _require("--trust", [server_role_arn])
    if external_id is not None and not re.fullmatch(EXTERNAL_ID, external_id, re.ASCII):
        raise PolicyOptionError("--external-id: has 2 to 1,224 letters, digits and +=,.@:/-")
    statement: Document = {
        "Sid": "TrustTheServer",
        "Effect": "Allow",
        "Principal": {"AWS": server_role_arn},
        "Action": _ASSUME,
    }
    if external_id is not None:
        statement["Condition"] = {"StringEquals": {"sts:ExternalId": external_id}}
    return _document(statement)


def _require(option: str, role_arns: Sequence[str]) -> None:
    for role_arn in role_arns:
        # A wildcard would let the server into roles that nobody has listed.
        if not re.fullmatch(ROLE_ARN, role_arn, re.ASCII):
            raise PolicyOptionError(f"{option}: must be the ARN of a role, without wildcards")


def _document(statement: Document) -> Document:
    return {"Version": "2012-10-17", "Statement": [statement]}
