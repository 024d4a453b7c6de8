"""Simulation: what policies would decide, by the same evaluation as access control, without doing anything."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from moto.iam.models import Group, Role

from embedded_aws.account import Account, AccountUser
from embedded_aws.errors import AwsError, no_such_entity
from embedded_aws.policy_evaluation import Context, Decision, condition_keys, decide, decide_bounded, has_say
from embedded_aws.principals import Principal, SourcedPolicy, boundary_of, holders_for, policies_of
from embedded_aws.query_protocol import Call
from embedded_aws.request_context import principal_context
from embedded_aws.rulebook import Result, answers

_SIMULATED_BY_AWS = ("aws:currenttime", "aws:epochtime", "aws:principaltype", "aws:userid", "aws:username")


@answers("SimulatePrincipalPolicy")
def simulate_principal_policy(account: Account, call: Call) -> Result:
    """The policies of one principal, its groups' and the given ones included, bounded by its boundary."""
    source = _source(account, call.params["PolicySourceArn"])
    policies = [policy for holder in holders_for(account, source) for policy in policies_of(holder)]
    given = _given(call, "PermissionsBoundaryPolicyInputList")
    own = boundary_of(account, source)
    boundary = given[0].document if given else own
    return _evaluated(call, policies, boundary, _context_of(account, source))


@answers("SimulateCustomPolicy")
def simulate_custom_policy(account: Account, call: Call) -> Result:
    """The given policies alone."""
    given = _given(call, "PermissionsBoundaryPolicyInputList")
    return _evaluated(call, [], given[0].document if given else None, {})


@answers("GetContextKeysForPrincipalPolicy")
def get_context_keys_for_principal_policy(account: Account, call: Call) -> Result:
    """The condition keys that the principal's policies and the given ones ask for."""
    source = _source(account, call.params["PolicySourceArn"])
    policies = [policy for holder in holders_for(account, source) for policy in policies_of(holder)]
    return _context_keys([*policies, *_given(call, "PolicyInputList")])


@answers("GetContextKeysForCustomPolicy")
def get_context_keys_for_custom_policy(account: Account, call: Call) -> Result:
    """The condition keys that the given policies ask for."""
    return _context_keys(_given(call, "PolicyInputList"))


def _context_keys(policies: Sequence[SourcedPolicy]) -> Result:
    return {"ContextKeyNames": sorted(condition_keys(policy.document for policy in policies))}


def _evaluated(
    call: Call, policies: Sequence[SourcedPolicy], boundary: dict[str, Any] | None, context: Context
) -> Result:
    everything = [*policies, *_given(call, "PolicyInputList")]
    entries = call.params.get("ContextEntries", [])
    values = {entry["ContextKeyName"]: entry.get("ContextKeyValues", []) for entry in entries}
    facts = {**context, **values}
    missing = _missing(everything, boundary, facts)
    return {
        "EvaluationResults": [
            _result(everything, boundary, action, resource, facts) | {"MissingContextValues": missing}
            for action in call.params["ActionNames"]
            for resource in call.params.get("ResourceArns") or ["*"]
        ]
    }


def _result(
    policies: Sequence[SourcedPolicy], boundary: dict[str, Any] | None, action: str, resource: str, facts: Context
) -> dict[str, Any]:
    documents = [policy.document for policy in policies]
    result: dict[str, Any] = {
        "EvalActionName": action,
        "EvalResourceName": resource,
        "EvalDecision": decide_bounded(documents, boundary, action, resource, facts).value,
        "MatchedStatements": [
            {"SourcePolicyId": policy.source_id, "SourcePolicyType": policy.source_type}
            for policy in policies
            if has_say(policy.document, action, resource, facts)
        ],
    }
    if boundary is not None:
        within = decide([boundary], action, resource, facts) is Decision.ALLOWED
        result["PermissionsBoundaryDecisionDetail"] = {"AllowedByPermissionsBoundary": within}
    return result


def _missing(policies: Sequence[SourcedPolicy], boundary: dict[str, Any] | None, facts: Context) -> list[str]:
    documents = [policy.document for policy in policies] + ([] if boundary is None else [boundary])
    known = {key.lower() for key in facts} | set(_SIMULATED_BY_AWS)
    return sorted(key for key in condition_keys(documents) if key.lower() not in known)


def _given(call: Call, parameter: str) -> list[SourcedPolicy]:
    return [
        SourcedPolicy(f"{parameter}.{number}", "IAM Policy", _document(text))
        for number, text in enumerate(call.params.get(parameter, []), start=1)
    ]


def _context_of(account: Account, source: AccountUser | Group | Role) -> Context:
    if isinstance(source, AccountUser):
        return principal_context(account, Principal(source.arn, source.id, account.account_id, user=source))
    if isinstance(source, Role):
        return principal_context(account, Principal(source.arn, source.id, account.account_id, role=source))
    return {}


def _source(account: Account, arn: str) -> AccountUser | Group | Role:
    holders: list[AccountUser | Group | Role] = [*account.users()]
    holders += [*account.iam.groups.values(), *account.iam.roles.values()]
    for holder in holders:
        if holder.arn == arn:
            return holder
    raise no_such_entity(f"The principal {arn} cannot be found.")


def _document(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise AwsError("InvalidInput", "Syntax errors in policy.")
    return document
