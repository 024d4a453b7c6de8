"""Reads the users file, YAML, JSON or CSV: a block of defaults, and users that override them.

Maps are merged, lists and single values replaced, and null removes what the defaults say. The whole file is
checked before anything is asked of the service.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import yaml

from identity_client import ConsolePassword
from identity_client._specs import SelfManagementLevel
from identity_client.cli.checks import tags_complaint
from identity_client.cli.csv_reading import csv_rows
from identity_client.cli.failures import BadInputError
from identity_client.cli.field_kinds import check_required, read_fields
from identity_client.cli.json_reading import json_root_of
from identity_client.cli.places import places_in
from identity_client.cli.users_format import SHARED_FIELDS, USER_FIELDS
from identity_client.cli.wanted import WantedUser
from identity_client.cli.yaml_reading import NodeReader, RefusedTextError, inside, root_of
from identity_provisioning.v1.permission_pb2 import NewPolicy

_LARGEST_FILE = 8 * 1024 * 1024


def read_users_file(path: Path, defaults: Path | None = None) -> list[WantedUser]:
    """Answer the users that the file asks for; the file's own defaults override those of the other file.

    Raises:
        BadInputError: a file cannot be read, or breaks rules; every place is named, in the order of the lines.
    """
    shared_reader, reader = NodeReader(defaults or Path()), NodeReader(path)
    shared = {} if defaults is None else _shared_defaults(defaults, shared_reader)
    users = _users(path, reader, shared, {} if defaults is None else _places_of_defaults(defaults))
    complaints = [*sorted(shared_reader.complaints), *sorted(reader.complaints)]
    if complaints:
        raise BadInputError("\n".join(text for _, text in complaints))
    if not users:
        raise BadInputError(f"{path}: asks for no users")
    return users


def _shared_defaults(path: Path, reader: NodeReader) -> dict[str, Any]:
    if _is(path, ".csv"):
        raise BadInputError(f"{path}: the defaults are a YAML or JSON file")
    root = _root(path)
    if root is None:
        return {}
    if isinstance(root, yaml.MappingNode) and "defaults" in (key.value for key, _ in root.value):
        reader.complain(root, "defaults", "the file of --defaults holds the fields themselves, without this word")
        return {}
    return read_fields(reader, root, "", SHARED_FIELDS)


def _places_of_defaults(path: Path) -> dict[str, str]:
    root = _root(path)
    return {} if root is None else places_in(root, path)


def _users(path: Path, reader: NodeReader, shared: dict[str, Any], places: dict[str, str]) -> list[WantedUser]:
    if _is(path, ".csv"):
        rows = csv_rows(_text(path), reader)
        return _UsersReader(reader, places).read_users([("", row) for row in rows], shared)
    root = _root(path)
    return [] if root is None else _UsersReader(reader, places).read(root, shared)


def _root(path: Path) -> yaml.Node | None:
    text = _text(path)
    try:
        return json_root_of(text) if _is(path, ".json") else root_of(text)
    except RecursionError:
        raise BadInputError(f"{path}: is nested too deeply") from None
    except RefusedTextError as error:
        raise BadInputError(f"{path}:{error.line}: {error}") from None
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise BadInputError(f"{path}{line}: {error.problem}") from None
    except yaml.YAMLError as error:
        raise BadInputError(f"{path}: {error}") from None


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise BadInputError(f"{path}: is larger than {_LARGEST_FILE} bytes")
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise BadInputError(f"{path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise BadInputError(f"{path}: is not UTF-8 text") from None


def _is(path: Path, suffix: str) -> bool:
    return path.suffix.casefold() == suffix


@dataclass
class _UsersReader:
    """Reads users, and holds them against one another."""

    reader: NodeReader
    places: dict[str, str]
    lines: dict[tuple[str, str], int] = field(default_factory=dict)

    def read(self, root: yaml.Node, shared: dict[str, Any]) -> list[WantedUser]:
        parts = self.reader.mapping(root, "file")
        for key, node in parts.items():
            if key not in ("defaults", "users"):
                self.reader.complain(node, key, "is not known; a users file has defaults and users")
        own: dict[str, Any] = {}
        if "defaults" in parts:
            own = read_fields(self.reader, parts["defaults"], "defaults", SHARED_FIELDS)
            self.places |= places_in(parts["defaults"], self.reader.path)
        nodes = self.reader.sequence(parts["users"], "users") if "users" in parts else []
        users = [(f"users[{index}]", node) for index, node in enumerate(nodes)]
        return self.read_users(users, _merged(shared, own))

    def read_users(self, nodes: list[tuple[str, yaml.Node]], defaults: dict[str, Any]) -> list[WantedUser]:
        return [self._user(node, where, defaults) for where, node in nodes]

    def _user(self, node: yaml.Node, where: str, defaults: dict[str, Any]) -> WantedUser:
        own = read_fields(self.reader, node, where, USER_FIELDS)
        check_required(self.reader, node, where, USER_FIELDS, own)
        merged = {key: value for key, value in _merged(defaults, own).items() if value is not None}
        user = _wanted(merged | {"places": self.places | places_in(node, self.reader.path)})
        self._check_boundaries(node, where, own)
        self._check_tags(node, where, defaults, own)
        self._check_made_once(node, where, user)
        return user

    def _check_boundaries(self, node: yaml.Node, where: str, own: dict[str, Any]) -> None:
        if own.get("boundary") and own.get("new_boundary"):
            self.reader.complain(node, inside(where, "new_boundary"), "there is a boundary already; a user has one")

    def _check_tags(self, node: yaml.Node, where: str, defaults: dict[str, Any], own: dict[str, Any]) -> None:
        """Hold the tags of user and defaults together to the rules that each keeps alone."""
        parts = [_kept(each.get("tags") or {}) for each in (defaults, own)]
        complaint = tags_complaint(_kept(_merged(defaults, own).get("tags") or {}))
        if complaint and not any(tags_complaint(part) for part in parts):
            self.reader.complain(node, inside(where, "tags"), f"with those of the defaults: {complaint}")

    def _check_made_once(self, node: yaml.Node, where: str, user: WantedUser) -> None:
        """Refuse to make a thing twice; names are unique in an account, in any letter case."""
        new_policies = [policy.policy_name for policy in (*user.new_policies, *_one_or_none(user.new_boundary))]
        made = {
            "name": [user.name],
            "new_groups": [group.group_name for group in user.new_groups],
            "new_policies": new_policies,
        }
        for kind, names in made.items():
            for name in filter(None, names):
                self._note(node, where, kind, name)

    def _note(self, node: yaml.Node, where: str, kind: str, name: str) -> None:
        earlier = self.lines.get((kind, name.casefold()))
        if earlier is None:
            self.lines[kind, name.casefold()] = node.start_mark.line + 1
            return
        hint = "" if kind == "name" else "; make it first, and let every user have it as one that exists"
        self.reader.complain(node, inside(where, kind), f"{name!r} is in line {earlier} already{hint}")


def _one_or_none(policy: NewPolicy | None) -> list[NewPolicy]:
    return [] if policy is None else [policy]


def _merged(defaults: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Put a user's own values over the defaults; a null stays, and so removes."""
    merged = {**defaults, **own}
    for key in defaults.keys() & own.keys():
        if isinstance(defaults[key], dict) and isinstance(own[key], dict):
            merged[key] = {**defaults[key], **own[key]}
    if own.get("new_boundary") is not None and "boundary" not in own:
        merged["boundary"] = None  # a user has one boundary, and its own goes before the defaults'
    return merged


def _kept(entries: dict[str, str | None]) -> dict[str, str]:
    """Answer the entries that no null removes."""
    return {key: value for key, value in entries.items() if value is not None}


def _wanted(values: dict[str, Any]) -> WantedUser:
    console = values.pop("console", False)
    if isinstance(console, dict):
        password: ConsolePassword | None = ConsolePassword(require_reset=console["require_reset"])
    else:
        password = ConsolePassword() if console else None
    tags, inline = _kept(values.pop("tags", {})), _kept(values.pop("inline_policies", {}))
    level = cast(SelfManagementLevel, values.pop("self_management", ""))
    name = values.pop("name", "")
    return WantedUser(name=name, console=password, tags=tags, inline_policies=inline, self_management=level, **values)
