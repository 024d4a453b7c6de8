"""STS: who the caller is, and sessions of roles that exist."""

from __future__ import annotations

import json
import re
from typing import Any

from moto.iam.models import Role

from embedded_aws.account import Account
from embedded_aws.errors import AwsError
from embedded_aws.policy_evaluation import Decision, as_list, decide
from embedded_aws.principals import Principal, root
from embedded_aws.query_protocol import Call
from embedded_aws.rulebook import Result, answers, rule

_ROLE_ARN = re.compile(r"arn:aws[\w-]*:iam::\d{12}:role/[\w+=,.@/-]+", re.ASCII)


@answers("GetCallerIdentity")
def get_caller_identity(account: Account, call: Call) -> Result:
    """No permission is needed to ask who one is."""
    caller = call.caller or root(account)
    return {"UserId": caller.principal_id, "Account": account.account_id, "Arn": caller.arn}


@rule("AssumeRole")
def role_lets_the_caller_in(account: Account, call: Call) -> None:
    """AccessDenied, not NoSuchEntity: STS does not tell strangers which roles there are."""
    arn = call.params["RoleArn"]
    if _ROLE_ARN.fullmatch(arn) is None:
        raise AwsError("ValidationError", f"{arn} is invalid")
    role, caller = account.find_role_by_arn(arn), call.caller or root(account)
    if role is None or (account.access_control and not _trusts(account, role, caller, call)):
        raise AwsError(
            "AccessDenied",
            f"User: {caller.arn} is not authorized to perform: sts:AssumeRole on resource: {arn}",
        )


def _trusts(account: Account, role: Role, caller: Principal, call: Call) -> bool:
    """Whether the role's trust policy lets this caller in; its statements name principals, not resources."""
    names = {"*", caller.arn, account.root_arn, account.account_id}
    statements = as_list(json.loads(role.assume_role_policy_document).get("Statement", []))
    concerning = [{**s, "Resource": "*"} for s in statements if names & set(_principals_of(s))]
    context = {"sts:ExternalId": [call.params["ExternalId"]]} if "ExternalId" in call.params else {}
    return decide([{"Statement": concerning}], "sts:AssumeRole", "*", context) is Decision.ALLOWED


def _principals_of(statement: dict[str, Any]) -> list[str]:
    principal = statement.get("Principal", {})
    return as_list(principal.get("AWS", [])) if isinstance(principal, dict) else as_list(principal)
