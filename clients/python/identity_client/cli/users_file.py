"""Reads the users file: a block of defaults, and users that override them.

Maps are merged, lists and single values replaced, and null removes what the defaults say. The whole file is
checked before anything is asked of the service.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast, get_args

import yaml

from identity_client import ConsolePassword
from identity_client._specs import SelfManagementLevel
from identity_client.cli.failures import BadInputError
from identity_client.cli.policy_files import read_policy_file
from identity_client.cli.wanted import GROUP_NAME, PATH, USER_NAME, WantedUser
from identity_client.cli.yaml_reading import RefusedYamlError, YamlReader, inside, is_null, root_of
from identity_client.handout import checked_address

_LARGEST_FILE = 8 * 1024 * 1024


def read_users_file(path: Path) -> list[WantedUser]:
    """Answer the users that the file asks for.

    Raises:
        BadInputError: the file cannot be read, or breaks rules; every place is named, in the order of the lines.
    """
    reader = YamlReader(path)
    root = _root(path)
    users = _UsersReader(reader).read(root) if root is not None else []
    if reader.complaints:
        raise BadInputError("\n".join(text for _, text in sorted(reader.complaints)))
    if not users:
        raise BadInputError(f"{path}: asks for no users")
    return users


def _root(path: Path) -> yaml.Node | None:
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise BadInputError(f"{path}: is larger than {_LARGEST_FILE} bytes")
        return root_of(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInputError(f"{path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise BadInputError(f"{path}: is not UTF-8 text") from None
    except RecursionError:
        raise BadInputError(f"{path}: is nested too deeply") from None
    except RefusedYamlError as error:
        raise BadInputError(f"{path}:{error.line}: {error}") from None
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise BadInputError(f"{path}{line}: {error.problem}") from None
    except yaml.YAMLError as error:
        raise BadInputError(f"{path}: {error}") from None


@dataclass
class _UsersReader:
    """Reads the fields that a user, or the defaults, may have."""

    reader: YamlReader
    lines: dict[str, int] = field(default_factory=dict)

    def read(self, root: yaml.Node) -> list[WantedUser]:
        parts = self.reader.mapping(root, "file")
        for key, node in parts.items():
            if key not in ("defaults", "users"):
                self.reader.complain(node, key, "is not known; a users file has defaults and users")
        defaults = self._fields(parts["defaults"], "defaults", _SHARED_FIELDS) if "defaults" in parts else {}
        nodes = self.reader.sequence(parts["users"], "users") if "users" in parts else []
        return [self._user(node, f"users[{index}]", defaults) for index, node in enumerate(nodes)]

    def _user(self, node: yaml.Node, where: str, defaults: dict[str, Any]) -> WantedUser:
        own = self._fields(node, where, _USER_FIELDS)
        name = own.get("name") or ""
        if not name:
            self.reader.complain(node, inside(where, "name"), "is missing")
        self._note_name(node, where, name)
        merged = {key: value for key, value in _merged(defaults, own).items() if value is not None}
        return _wanted(merged)

    def _note_name(self, node: yaml.Node, where: str, name: str) -> None:
        """Refuse a name that another user of the file has, in any letter case: IAM does."""
        earlier = self.lines.get(name.casefold())
        if name and earlier is not None:
            self.reader.complain(node, inside(where, "name"), f"{name!r} is in line {earlier} already")
        self.lines.setdefault(name.casefold(), node.start_mark.line + 1)

    def _fields(self, node: yaml.Node, where: str, known: dict[str, _FieldReader]) -> dict[str, Any]:
        if is_null(node):
            return {}
        values: dict[str, Any] = {}
        for key, value in self.reader.mapping(node, where).items():
            name = inside(where, key)
            if key not in known:
                self.reader.complain(value, name, f"is not known; known are {', '.join(known)}")
            else:
                values[key] = None if is_null(value) else known[key](self.reader, value, name)
        return values


_FieldReader = Callable[[YamlReader, yaml.Node, str], Any]


def _name(reader: YamlReader, node: yaml.Node, name: str) -> str:
    text = reader.text(node, name)
    if text and not USER_NAME.fullmatch(text):
        reader.complain(node, name, f"{text!r} is not 1 to 64 of A-Z a-z 0-9 + = , . @ _ -")
    return text


def _path(reader: YamlReader, node: yaml.Node, name: str) -> str:
    text = reader.text(node, name)
    if text and (len(text) > 512 or not PATH.fullmatch(text)):
        reader.complain(node, name, f"{text!r} does not begin and end with a slash, or holds spaces")
    return text


def _groups(reader: YamlReader, node: yaml.Node, name: str) -> list[str]:
    groups = reader.texts(node, name)
    for group in groups:
        if group and not GROUP_NAME.fullmatch(group):
            reader.complain(node, name, f"{group!r} is not 1 to 128 of A-Z a-z 0-9 + = , . @ _ -")
    return groups


def _email(reader: YamlReader, node: yaml.Node, name: str) -> str:
    text = reader.text(node, name)
    try:
        return checked_address(text) if text else ""
    except ValueError as error:
        reader.complain(node, name, str(error))
        return ""


def _tags(reader: YamlReader, node: yaml.Node, name: str) -> dict[str, str | None]:
    return {
        key: None if is_null(value) else reader.text(value, inside(name, key))
        for key, value in reader.mapping(node, name).items()
    }


def _console(reader: YamlReader, node: yaml.Node, name: str) -> bool | dict[str, bool]:
    if isinstance(node, yaml.ScalarNode):
        return reader.flag(node, name)
    wishes = reader.mapping(node, name)
    for key, value in wishes.items():
        if key != "require_reset":
            reader.complain(value, inside(name, key), "is not known; known is require_reset")
    reset = wishes.get("require_reset")
    return {"require_reset": reset is not None and reader.flag(reset, inside(name, "require_reset"))}


def _inline_policies(reader: YamlReader, node: yaml.Node, name: str) -> dict[str, str | None]:
    return {
        key: None if is_null(value) else _inline_policy(reader, value, inside(name, key))
        for key, value in reader.mapping(node, name).items()
    }


def _inline_policy(reader: YamlReader, node: yaml.Node, name: str) -> str:
    """Answer a document that is written out, or in a file beside the users file: `@deploy.json`."""
    if isinstance(node, yaml.MappingNode):
        return json.dumps(reader.document(node, name), separators=(",", ":"))
    text = reader.text(node, name)
    if not text.startswith("@"):
        reader.complain(node, name, "must be a policy document, or @FILE")
        return ""
    try:
        return read_policy_file(reader.path.parent / text[1:])
    except BadInputError as error:
        reader.complain(node, name, str(error))
        return ""


def _self_management(reader: YamlReader, node: yaml.Node, name: str) -> str:
    text = reader.text(node, name)
    levels = [level for level in get_args(SelfManagementLevel) if level]
    if text not in levels:
        reader.complain(node, name, f"must be one of {', '.join(levels)}")
        return ""
    return text


_SHARED_FIELDS: dict[str, _FieldReader] = {
    "path": _path,
    "tags": _tags,
    "access_key": YamlReader.flag,
    "console": _console,
    "groups": _groups,
    "policies": YamlReader.texts,
    "inline_policies": _inline_policies,
    "boundary": YamlReader.text,
    "copy_from": _name,
    "self_management": _self_management,
}
_USER_FIELDS: dict[str, _FieldReader] = {"name": _name, "email": _email, **_SHARED_FIELDS}


def _merged(defaults: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Put a user's own values over the defaults; a null stays, and so removes."""
    merged = {**defaults, **own}
    for key in defaults.keys() & own.keys():
        if isinstance(defaults[key], dict) and isinstance(own[key], dict):
            merged[key] = {**defaults[key], **own[key]}
    return merged


def _wanted(values: dict[str, Any]) -> WantedUser:
    console = values.pop("console", False)
    if isinstance(console, dict):
        password: ConsolePassword | None = ConsolePassword(require_reset=console["require_reset"])
    else:
        password = ConsolePassword() if console else None
    tags = {key: value for key, value in values.pop("tags", {}).items() if value is not None}
    inline = {key: value for key, value in values.pop("inline_policies", {}).items() if value is not None}
    level = cast(SelfManagementLevel, values.pop("self_management", ""))
    name = values.pop("name", "")
    return WantedUser(name=name, console=password, tags=tags, inline_policies=inline, self_management=level, **values)
