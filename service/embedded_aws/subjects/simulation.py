"""Simulation: what a user's, group's or role's policies would decide, without doing anything."""

from __future__ import annotations

import json
from typing import Any

from moto.iam.models import Group, Role

from embedded_aws.account import Account, AccountUser
from embedded_aws.authorization import principal_context
from embedded_aws.errors import AwsError, no_such_entity
from embedded_aws.policy_evaluation import Context, Document, decide_bounded
from embedded_aws.principals import default_document, policies_of
from embedded_aws.query_protocol import Call
from embedded_aws.rulebook import Result, answers


@answers("SimulatePrincipalPolicy")
def simulate_principal_policy(account: Account, call: Call) -> Result:
    """The policies of one principal, its groups' and the given ones included, bounded by its boundary."""
    source = _source(account, call.params["PolicySourceArn"])
    holders: list[AccountUser | Group | Role] = [source]
    boundary: Document | None = None
    if isinstance(source, AccountUser):
        holders += account.groups_of(source)
        if source.permissions_boundary_arn is not None:
            boundary = default_document(account.policy(source.permissions_boundary_arn))
    if boundaries := call.params.get("PermissionsBoundaryPolicyInputList"):
        boundary = _document(boundaries[0])
    policies = [document for holder in holders for document in policies_of(holder)]
    user = source if isinstance(source, AccountUser) else None
    return _evaluated(call, policies, boundary, principal_context(account, user))


@answers("SimulateCustomPolicy")
def simulate_custom_policy(account: Account, call: Call) -> Result:
    """The given policies alone."""
    boundaries = call.params.get("PermissionsBoundaryPolicyInputList")
    return _evaluated(call, [], _document(boundaries[0]) if boundaries else None, {})


def _evaluated(
    call: Call,
    policies: list[dict[str, Any]],
    boundary: Document | None,
    context: Context,
) -> Result:
    everything = [*policies, *(_document(text) for text in call.params.get("PolicyInputList", []))]
    entries = call.params.get("ContextEntries", [])
    values = {entry["ContextKeyName"]: entry.get("ContextKeyValues", []) for entry in entries}
    facts = {**context, **values}
    return {
        "EvaluationResults": [
            {
                "EvalActionName": action,
                "EvalResourceName": resource,
                "EvalDecision": decide_bounded(everything, boundary, action, resource, facts).value,
                "MatchedStatements": [],
                "MissingContextValues": [],
            }
            for action in call.params["ActionNames"]
            for resource in call.params.get("ResourceArns") or ["*"]
        ]
    }


def _source(account: Account, arn: str) -> AccountUser | Group | Role:
    holders: list[AccountUser | Group | Role] = [*account.users()]
    holders += [*account.iam.groups.values(), *account.iam.roles.values()]
    for holder in holders:
        if holder.arn == arn:
            return holder
    raise no_such_entity(f"The principal {arn} cannot be found.")


def _document(text: str) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(text)
    except ValueError:
        raise AwsError("InvalidInput", "Syntax errors in policy.") from None
    return document
