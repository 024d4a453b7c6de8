"""The operator's policies: files of Cedar, each policy checked alone so that a mistake has its file and line."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import cedarpy

from identity_service.adapters.authorization import cedar_text
from identity_service.adapters.authorization.schema import schema

AWS = "aws"
"""The account of what AWS itself provides."""
TOO_DEEP = "this is nested too deeply: write a shorter chain of `||` or `&&`, a set, or several policies"
"""Cedar reads a chain such as `a || b || c` as one condition within another."""


@dataclass(frozen=True)
class Policy:
    """A policy of the operator: the name that it bears as `@id`, and where it stands."""

    policy_id: str
    place: str
    text: str


@dataclass(frozen=True)
class KnownNames:
    """What policies may name besides what the schema has."""

    teams: Collection[str]
    callers: Collection[str]


def read(files: Mapping[str, str], known: KnownNames) -> tuple[Sequence[Policy], list[str]]:
    """Read the policies of files, texts by name; return them with what is wrong, `FILE:LINE: words`."""
    found: list[Policy] = []
    mistakes: list[str] = []
    for file, text in sorted(files.items()):
        for statement in cedar_text.statements(text):
            place = f"{file}:{statement.line}"
            policy_id, problems = _check(statement.text, known)
            mistakes += [f"{place}: {problem}" for problem in problems]
            if not problems:
                found.append(Policy(policy_id, place, statement.text))
    return found, mistakes + list(_doubles(found))


def _doubles(policies: Sequence[Policy]) -> Iterator[str]:
    first: dict[str, Policy] = {}
    for policy in policies:
        earlier = first.setdefault(policy.policy_id, policy)
        if earlier is not policy:
            yield f'{policy.place}: @id("{policy.policy_id}") is at {earlier.place} already'


def _check(text: str, known: KnownNames) -> tuple[str, list[str]]:
    """Return the id of a policy, and what is wrong with it."""
    if cedar_text.is_too_deep(text):
        return "", [TOO_DEEP]
    try:
        return _checked(text, known)
    except RecursionError:
        return "", [TOO_DEEP]


def _checked(text: str, known: KnownNames) -> tuple[str, list[str]]:
    try:
        parsed = json.loads(cedarpy.policies_to_json_str(text))
    except ValueError as error:
        return "", [f"this is no policy: {_one_line(str(error))}"]
    if parsed["templates"] or len(parsed["staticPolicies"]) != 1:
        return "", ["this is a template, which allows nothing: a policy has no ?principal and no ?resource"]
    (policy,) = parsed["staticPolicies"].values()
    policy_id = policy.get("annotations", {}).get("id") or ""
    problems = [] if policy_id else ['the policy needs a name of its own: @id("...") before it']
    result = cedarpy.validate_policies(text, schema(), release_gil=True)
    problems += [_one_line(error.error.removeprefix("for policy `policy0`, ")) for error in result.errors]
    return policy_id, problems + list(dict.fromkeys(_unknown_names(policy, known)))


def _unknown_names(part: object, known: KnownNames) -> Iterator[str]:
    """Find teams, callers and accounts that there are not: a typing error allows nothing, or forbids nothing."""
    match part:
        case {"type": "Team", "id": str(name)} if name not in known.teams:
            yield f"there is no team {name!r}"
        case {"type": "Caller", "id": str(name)} if name not in known.callers:
            yield f"there is no caller {name!r}"
        case {"type": "Account", "id": str(name)} if not _is_account(name):
            yield f"there can be no account {name!r}: an id has 12 digits, {AWS!r} is what AWS provides"
        case dict():
            for value in part.values():
                yield from _unknown_names(value, known)
        case list():
            for value in part:
                yield from _unknown_names(value, known)


def _is_account(name: str) -> bool:
    return name == AWS or (len(name) == 12 and name.isascii() and name.isdecimal())


def _one_line(words: str) -> str:
    return " ".join(words.split())
