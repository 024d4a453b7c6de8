"""Policy documents: what IAM refuses in one, how long it is, and what its statements are.

Rules: AWS, "Grammar of the IAM JSON policy language" and "IAM and AWS STS quotas" (sizes without white space).
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator

from identity_service.domain.policy_conditions import condition_violations

VERSIONS = ("2012-10-17", "2008-10-17")
PARTITIONS = ("aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f", "aws-eusc")
STATEMENT_KEYS = {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"}
ACTION = re.compile(r"\*|[A-Za-z0-9-]+:[A-Za-z0-9*?]+")
CHARACTERS = re.compile(r"[\t\n\r\x20-\xff]+")
"""What IAM takes in a document: white space, ASCII and Latin-1."""
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
    statements = as_list(document.get("Statement"))
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
    values = as_list(statement[key])
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


def as_list(value: object) -> list[object]:
    """Return an element's values: IAM takes a single one for a list of one."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def same_document(held: str | None, asked: str) -> bool:
    """Tell whether two documents say the same, however they are written; None and what is no JSON is never the same."""
    if held is None:
        return False
    try:
        return bool(json.loads(held) == json.loads(asked))
    except (ValueError, RecursionError):
        return False


def statements(document: str) -> Iterator[dict[str, object]]:
    """Yield the statements of a document; one that is malformed has none, and is refused elsewhere."""
    try:
        parsed = json.loads(document)
    except (ValueError, RecursionError):
        return
    if isinstance(parsed, dict):
        yield from (statement for statement in as_list(parsed.get("Statement")) if isinstance(statement, dict))
