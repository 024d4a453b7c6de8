"""Where in a users file a value stands that the service has something against.

The service names fields as the contract does, such as `permissions.new_policies[0].document`; the person has written
`new_policies` in some line of a file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from identity_client.cli.wanted import WantedUser
from identity_client.cli.yaml_reading import inside

_DEEPEST = 4
"""So deep stands whatever the contract has a field for; what is below belongs to a document."""
_OUTER = ("user", "permissions", "credentials")
_NAMES = {
    "user_name": "name",
    "group_name": "name",
    "policy_name": "name",
    "group_names": "groups",
    "managed_policies": "policies",
    "permissions_boundary": "boundary",
    "new_permissions_boundary": "new_boundary",
    "copy_from_user_name": "copy_from",
    "console_password": "console",
}
_PART = re.compile(r"(\w+)(?:\[(\d+)\])?")


def places_in(node: yaml.Node, path: Path) -> dict[str, str]:
    """Answer file and line of each value in a mapping, by its name in the users file; of the mapping itself by ``."""
    return {name: f"{path}:{line}" for name, line in _lines(node, "", _DEEPEST)}


def place_of(user: WantedUser, field: str) -> str:
    """Answer file and line of a field that the contract names, or of what is around it; empty if no file is known."""
    names = _names_in_file(user, field)
    return next((user.places[name] for name in names if name in user.places), "")


def _lines(node: yaml.Node, name: str, depth: int) -> Iterator[tuple[str, int]]:
    yield name, node.start_mark.line + 1
    if depth and isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                yield from _lines(value, inside(name, key.value), depth - 1)
    elif depth and isinstance(node, yaml.SequenceNode):
        for index, each in enumerate(node.value):
            yield from _lines(each, f"{name}[{index}]", depth - 1)


def _names_in_file(user: WantedUser, field: str) -> Iterator[str]:
    """Answer the names that the field may have in the file, from the value itself outwards to the user."""
    names: list[str] = [""]
    for part in field.split("."):
        match = _PART.fullmatch(part)
        if match is None or (len(names) == 1 and part in _OUTER):
            continue
        name, index = _NAMES.get(match[1], match[1]), match[2]
        names.append(inside(names[-1], name))
        if index is not None:
            names.append(_entry(user, names[-1], int(index)))
    yield from reversed(names)


def _entry(user: WantedUser, name: str, index: int) -> str:
    """Answer the name of an entry: the contract has lists where the file has inline policies by name."""
    if name != "inline_policies":
        return f"{name}[{index}]"
    policies = list(user.inline_policies)
    return inside(name, policies[index]) if index < len(policies) else name
