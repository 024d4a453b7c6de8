"""Policy documents: what IAM refuses in one, how long it is, and what is worth a warning.

Rules: AWS, "Grammar of the IAM JSON policy language" and "IAM and AWS STS quotas" (sizes without white space).
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase

from identity_service.domain.policy_conditions import condition_violations

VERSIONS = ("2012-10-17", "2008-10-17")
PARTITIONS = ("aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f", "aws-eusc")
STATEMENT_KEYS = {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"}
ACTION = re.compile(r"\*|[A-Za-z0-9-]+:[A-Za-z0-9*?]+")
CHARACTERS = re.compile(r"[\t\n\r\x20-\xff]+")
"""What IAM takes in a document: white space, ASCII and Latin-1."""
VARIABLE = re.compile(r"\$\{[^}]*\}")
OWN_NAME = re.compile(r"\$\{aws:username\}", re.IGNORECASE)
SID = re.compile(r"[A-Za-z0-9]*")


class _DuplicateKeyError(ValueError):
    """A JSON object has one key twice."""


def size(document: str) -> int:
    """Count a document's characters as IAM's quotas do: white space does not count."""
    return sum(not character.isspace() for character in document)


def violations(document: str) -> tuple[str, ...]:
    """Say in sentences what IAM would refuse in an identity policy's document; none if nothing is known."""
    try:
        parsed = json.loads(document, object_pairs_hook=_without_duplicates)
    except _DuplicateKeyError as error:
        return (_tellable(f"the document has the key {error} twice in one object"),)
    except (ValueError, RecursionError):
        return ("the document is not JSON",)
    if not CHARACTERS.fullmatch(document):
        return ("the document has characters that IAM does not take; write them as \\u escapes",)
    if not isinstance(parsed, dict):
        return ("the document is not a JSON object",)
    return tuple(map(_tellable, _document_violations(parsed)))


def _tellable(text: str) -> str:
    """Write half a surrogate pair, which JSON can escape and UTF-8 cannot hold, as its escape."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result = dict(pairs)
    if len(result) != len(pairs):
        times = Counter(key for key, _ in pairs)
        raise _DuplicateKeyError(next(key for key in times if times[key] > 1))
    return result


def _document_violations(document: dict[str, object]) -> Iterator[str]:
    unknown = set(document) - {"Version", "Id", "Statement"}
    if unknown:
        yield f"the document has unknown elements: {', '.join(sorted(unknown))}"
    if document.get("Version") not in VERSIONS:
        yield f"the document needs a Version, {' or '.join(VERSIONS)}"
    statements = _as_list(document.get("Statement"))
    if not statements:
        yield "the document needs a Statement"
    sids: set[str] = set()
    for number, statement in enumerate(statements, 1):
        if not isinstance(statement, dict):
            yield f"statement {number} of the document is not an object"
            continue
        yield from (f"statement {number} of the document {what}" for what in _statement_violations(statement))
        sid = statement.get("Sid")
        if isinstance(sid, str) and sid:
            if sid in sids:
                yield f"statement {number} of the document has the Sid of another statement"
            sids.add(sid)


def _statement_violations(statement: dict[str, object]) -> Iterator[str]:
    unknown = set(statement) - STATEMENT_KEYS
    if unknown:
        yield f"has elements that an identity policy does not take: {', '.join(sorted(unknown))}"
    if statement.get("Effect") not in ("Allow", "Deny"):
        yield "needs an Effect, Allow or Deny"
    sid = statement.get("Sid", "")
    if not isinstance(sid, str) or not SID.fullmatch(sid):
        yield "has a Sid with other characters than ASCII letters and digits"
    if "Condition" in statement:
        yield from condition_violations(statement["Condition"])
    yield from _one_of(statement, "Action", "NotAction", _action_violation)
    yield from _one_of(statement, "Resource", "NotResource", _resource_violation)


def _one_of(statement: dict[str, object], name: str, negated: str, check: Callable[[str], str | None]) -> Iterator[str]:
    if (name in statement) == (negated in statement):
        yield f"needs either {name} or {negated}"
        return
    key = name if name in statement else negated
    values = _as_list(statement[key])
    if not values:
        yield f"has an empty {key}"
    for value in values:
        problem = check(value) if isinstance(value, str) else "that is not a string"
        if problem:
            yield f"has an entry of {key} {problem}"


def _action_violation(value: str) -> str | None:
    return None if ACTION.fullmatch(value) else "that is not written service:action"


def _resource_violation(value: str) -> str | None:
    if value == "*":
        return None
    parts = value.split(":", 5)
    if len(parts) != 6 or parts[0] != "arn":
        return "that is neither * nor an ARN"
    _, partition, service, region, _, _ = parts
    if partition not in PARTITIONS and not set(partition) & set("*?$"):
        return "whose ARN has an unknown partition"
    if service == "iam" and region not in ("", "*"):
        return "that gives IAM, which has none, a region"
    return None


def _as_list(value: object) -> list[object]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def allows_every_action_or_resource(document: str) -> bool:
    """Tell whether some statement allows every action, or any action on every resource."""
    return any(
        "*" in _as_list(statement.get("Action")) or "*" in _as_list(statement.get("Resource"))
        for statement in _allowing_statements(document)
    )


def allows_every_action(document: str) -> bool:
    """Tell whether some statement allows every action on every resource."""
    return any(
        "*" in _as_list(statement.get("Action")) and "*" in _as_list(statement.get("Resource"))
        for statement in _allowing_statements(document)
    )


def may_allow(document: str, action: str, resource: str) -> bool:
    """Tell whether a document could allow an action on a resource: some statement allows it, none denies it outright.

    Conditions may hold or not, so a statement with one allows and does not deny. A policy variable fits anything.
    """
    statements = list(_statements(document))
    allowed = any(s.get("Effect") == "Allow" and _covers_on(s, action, resource) for s in statements)
    return allowed and not denies(document, action, resource)


def denies(document: str, action: str, resource: str) -> bool:
    """Tell whether some statement denies an action on a resource without any condition."""
    return any(
        statement.get("Effect") == "Deny" and not statement.get("Condition") and _covers_on(statement, action, resource)
        for statement in _statements(document)
    )


def _covers_on(statement: dict[str, object], action: str, resource: str) -> bool:
    if not _covers(statement, action):
        return False
    if "NotResource" in statement:
        return not _fits(statement["NotResource"], resource)
    return _fits(statement.get("Resource"), resource)


def _fits(patterns: object, resource: str) -> bool:
    return any(_is_like(resource, VARIABLE.sub("*", str(pattern))) for pattern in _as_list(patterns))


def _is_like(text: str, pattern: str) -> bool:
    """Tell whether a text fits a pattern of IAM, whose only wildcards are `*` and `?`."""
    return fnmatchcase(text, pattern.replace("[", "[[]"))


def same_document(held: str | None, asked: str) -> bool:
    """Tell whether two documents say the same, however they are written; None and what is no JSON is never the same."""
    if held is None:
        return False
    try:
        return bool(json.loads(held) == json.loads(asked))
    except (ValueError, RecursionError):
        return False


def _allowing_statements(document: str) -> Iterator[dict[str, object]]:
    return (statement for statement in _statements(document) if statement.get("Effect") == "Allow")


def _statements(document: str) -> Iterator[dict[str, object]]:
    """Yield the statements of a document; one that is malformed has none, and is refused elsewhere."""
    try:
        parsed = json.loads(document)
    except (ValueError, RecursionError):
        return
    if isinstance(parsed, dict):
        yield from (statement for statement in _as_list(parsed.get("Statement")) if isinstance(statement, dict))


def _covers(statement: dict[str, object], action: str) -> bool:
    if "NotAction" in statement:
        return not _matches(statement["NotAction"], action)
    return _matches(statement.get("Action"), action)


def _matches(patterns: object, action: str) -> bool:
    return any(_is_like(action.lower(), str(pattern).lower()) for pattern in _as_list(patterns))


ESCALATING_ACTIONS = {
    "iam:AddUserToGroup": "group",
    "iam:AttachGroupPolicy": "group",
    "iam:AttachRolePolicy": "role",
    "iam:AttachUserPolicy": "user",
    "iam:CreateAccessKey": "user",
    "iam:CreateLoginProfile": "user",
    "iam:CreatePolicyVersion": "policy",
    "iam:DeleteRolePermissionsBoundary": "role",
    "iam:DeleteUserPermissionsBoundary": "user",
    "iam:PassRole": "role",
    "iam:PutGroupPolicy": "group",
    "iam:PutRolePermissionsBoundary": "role",
    "iam:PutRolePolicy": "role",
    "iam:PutUserPermissionsBoundary": "user",
    "iam:PutUserPolicy": "user",
    "iam:SetDefaultPolicyVersion": "policy",
    "iam:UpdateAssumeRolePolicy": "role",
    "iam:UpdateLoginProfile": "user",
}
"""Actions of IAM with which somebody who has them can come to have more, and the kind of resource that each is
authorized on."""

SELF_GRANTING_ACTIONS = {
    "iam:AttachUserPolicy",
    "iam:DeleteUserPermissionsBoundary",
    "iam:PutUserPermissionsBoundary",
    "iam:PutUserPolicy",
}
"""Those that lead to more rights on the own user already; own keys and passwords do not."""

ANYBODY = ("any-name-at-all", "any/path/at/all/any-name-at-all")
"""Names that no document has in mind, on no path and on one: a pattern that fits one of them fits nearly all."""

BOUNDARY_OPERATORS = {"stringequals", "stringequalsignorecase", "stringlike", "arnequals", "arnlike"}
"""Without IfExists, since calls that know no boundary, such as CreateAccessKey, would pass; without negation."""


def escalating_actions(document: str) -> tuple[str, ...]:
    """Return the actions that lead to more rights and that a document allows on users, roles... of any name.

    No evaluation of IAM: a hint for a reviewer, which rather warns once too often.
    * Resource is wide if its pattern fits names that nobody thought of: `*`, `arn:aws:iam::123456789012:*`, `user/*`.
      A literal path or beginning of a name, `user/ci/*`, is taken for a limit that somebody chose. NotResource is wide
      unless it excepts these names. A policy variable in the name, `user/${aws:username}`, is a limit as well, but not
      for what lets users grant themselves more.
    * Partition and account are not looked at: the other accounts of a grant are out of its reach in any case.
    * Action and NotAction count with their wildcards.
    * A Condition does not take the warning away, since what it asks for, be it MFA, an address or a tag, is mostly
      about how and when the caller comes and not about what is gained. The one exception is a condition that demands
      a certain `iam:PermissionsBoundary`: AWS's own way of delegating without escalation.
    * A Deny counts if it has no condition and covers the same names.
    """
    statements = list(_statements(document))
    allowing = [s for s in statements if s.get("Effect") == "Allow" and not _demands_boundary(s.get("Condition"))]
    denying = [s for s in statements if s.get("Effect") == "Deny" and not s.get("Condition")]

    def may_reach(action: str, resource: str) -> bool:
        return any(_reaches(s, action, resource) for s in allowing) and not any(
            _covers(s, action) and _fits_widely(s, resource) for s in denying
        )

    return tuple(
        action
        for action, kind in ESCALATING_ACTIONS.items()
        if any(may_reach(action, f"{kind}/{name}") for name in ANYBODY)
    )


def _reaches(statement: dict[str, object], action: str, resource: str) -> bool:
    own = "*" if action in SELF_GRANTING_ACTIONS else None
    return _covers(statement, action) and _fits_widely(statement, resource, own_name=own)


def _fits_widely(statement: dict[str, object], resource: str, own_name: str | None = None) -> bool:
    """Tell whether a statement is about a resource such as `user/ana`; `own_name` stands in for aws:username."""
    if "NotResource" in statement:
        return not any(_names(str(pattern), resource) for pattern in _as_list(statement["NotResource"]))
    patterns = [str(pattern) for pattern in _as_list(statement.get("Resource"))]
    if own_name is not None:
        patterns = [OWN_NAME.sub(own_name, pattern) for pattern in patterns]
    return any(_names(pattern, resource) for pattern in patterns)


def _names(pattern: str, resource: str) -> bool:
    """Tell whether an ARN's pattern fits a resource of IAM in whatever partition and account.

    A policy variable fits no name; taken out, its colons do not count as the ARN's. Where parts are missing, as in `*`
    and `arn:aws:iam::*`, the star at the end stands for them.
    """
    parts = VARIABLE.sub("\0", pattern).split(":", 5)
    named = _is_like(resource, parts[5]) if len(parts) == 6 else pattern.endswith("*")
    return named and (len(parts) < 3 or _is_like("iam", parts[2]))


def _demands_boundary(condition: object) -> bool:
    """Tell whether a condition demands a certain permissions boundary."""
    if not isinstance(condition, dict):
        return False
    return any(
        operator.lower() in BOUNDARY_OPERATORS
        and key.lower() == "iam:permissionsboundary"
        and "*" not in _as_list(value)
        for operator, keys in condition.items()
        if isinstance(keys, dict)
        for key, value in keys.items()
    )


def denies_without_mfa(document: str, action: str) -> bool:
    """Tell whether some statement denies an action to a session without MFA; other conditions are not looked at."""
    return any(
        statement.get("Effect") == "Deny" and _covers(statement, action) and _asks_for_mfa(statement.get("Condition"))
        for statement in _statements(document)
    )


def _asks_for_mfa(condition: object) -> bool:
    return "aws:multifactorauthpresent" in json.dumps(condition).lower()
