"""What policies say about one action on one resource. Pure: documents and strings in, a decision out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import Enum
from typing import Any

from embedded_aws.policy_conditions import conditions_hold, keys_of
from embedded_aws.policy_patterns import Facts, arn_like, like

Document = Mapping[str, Any]
Context = Mapping[str, Sequence[str]]
_VERSION_WITH_VARIABLES = "2012-10-17"
_NO_FACTS = Facts({}, variables=False)


class Decision(Enum):
    """The outcomes, in the words that SimulatePrincipalPolicy answers."""

    ALLOWED = "allowed"
    EXPLICIT_DENY = "explicitDeny"
    IMPLICIT_DENY = "implicitDeny"


def decide(policies: Iterable[Document], action: str, resource: str, context: Context) -> Decision:
    """One explicit Deny wins; otherwise one Allow suffices; otherwise nothing is allowed."""
    facts, decision = Facts(context), Decision.IMPLICIT_DENY
    for policy in policies:
        for statement in _concerning(policy, action, resource, facts):
            if statement.get("Effect") == "Deny":
                return Decision.EXPLICIT_DENY
            decision = Decision.ALLOWED
    return decision


def decide_limited(
    policies: Iterable[Document],
    limits: Iterable[Sequence[Document]],
    action: str,
    resource: str,
    context: Context,
) -> Decision:
    """Each limit, a boundary or the policies of a session, grants nothing; it only takes away."""
    decisions = [decide(policies, action, resource, context)]
    decisions += [decide(limit, action, resource, context) for limit in limits]
    if Decision.EXPLICIT_DENY in decisions:
        return Decision.EXPLICIT_DENY
    return Decision.IMPLICIT_DENY if Decision.IMPLICIT_DENY in decisions else Decision.ALLOWED


def decide_bounded(
    policies: Iterable[Document], boundary: Document | None, action: str, resource: str, context: Context
) -> Decision:
    """A permissions boundary is a limit like any other."""
    return decide_limited(policies, [] if boundary is None else [[boundary]], action, resource, context)


def has_say(policy: Document, action: str, resource: str, context: Context) -> bool:
    """Whether a statement of the policy, of whichever effect, concerns the request."""
    return any(True for _ in _concerning(policy, action, resource, Facts(context)))


def condition_keys(policies: Iterable[Document]) -> set[str]:
    """The condition keys that the policies ask for."""
    statements = (statement for policy in policies for statement in statements_of(policy))
    return {key for statement in statements for key in keys_of(statement.get("Condition", {}))}


def statements_of(policy: Document) -> list[Mapping[str, Any]]:
    """The statements of a policy, which may be written as one or as a list."""
    return as_list(policy.get("Statement", []))


def as_list(value: Any) -> list[Any]:
    """The values of a policy element, which may be written as one value or as a list."""
    return value if isinstance(value, list) else [value]


def _concerning(policy: Document, action: str, resource: str, facts: Facts) -> Iterator[Mapping[str, Any]]:
    known = facts if policy.get("Version") == _VERSION_WITH_VARIABLES else facts.without_variables()
    for statement in statements_of(policy):
        if _concerns(statement, action.lower(), resource, known):
            yield statement


def _concerns(statement: Mapping[str, Any], action: str, resource: str, facts: Facts) -> bool:
    return (
        _element_matches(statement, "Action", lambda pattern: like(pattern.lower(), action, _NO_FACTS))
        and _resource_is_known(statement, facts)
        and _element_matches(statement, "Resource", lambda arn: arn_like(arn, resource, facts))
        and conditions_hold(statement.get("Condition", {}), facts)
    )


def _element_matches(statement: Mapping[str, Any], element: str, matches: Callable[[str], bool]) -> bool:
    if f"Not{element}" in statement:
        return not any(matches(pattern) for pattern in as_list(statement[f"Not{element}"]))
    return any(matches(pattern) for pattern in as_list(statement.get(element, [])))


def _resource_is_known(statement: Mapping[str, Any], facts: Facts) -> bool:
    """A variable without a value must not turn NotResource into everything."""
    return all(facts.pieces(arn) is not None for arn in as_list(statement.get("NotResource", [])))
