"""The options that describe permissions; `assign` has them in common with `provision`."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import fields
from typing import Any, get_type_hints

from identity_client.cli.new_flags import NEW_BOUNDARY, NEW_GROUP, NEW_POLICY
from identity_client.cli.options import require_some
from identity_client.cli.user_flags import UserFlags
from identity_client.cli.wanted import WantedUser

_OPTIONS = {
    "groups": "--group",
    "policies": "--policy",
    "inline": "--inline",
    "boundary": "--boundary",
    "copy_from": "--copy-from",
    "self_management": "--self-management",
    "new_groups": NEW_GROUP,
    "new_policies": NEW_POLICY,
    "new_boundary": NEW_BOUNDARY,
}
_PERMISSIONS = tuple(each for each in fields(UserFlags) if each.name in _OPTIONS)


def takes_permission_flags(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command take a `WantedUser` as `wanted`, and have the options about permissions besides the user's name."""
    hints = get_type_hints(UserFlags, include_extras=True)
    own = inspect.signature(command, eval_str=True).parameters.values()
    kept = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own if each.name != "wanted"]
    shared = [
        inspect.Parameter(each.name, inspect.Parameter.KEYWORD_ONLY, annotation=hints[each.name], default=each.default)
        for each in _PERMISSIONS
    ]
    parameters = sorted([*kept, *shared], key=lambda each: each.default is not inspect.Parameter.empty)

    @functools.wraps(command)
    def with_flags(*, user: str, **values: Any) -> None:
        given = {each.name: values.pop(each.name) for each in _PERMISSIONS}
        require_some(any(given.values()), *_OPTIONS.values())
        command(user=user, wanted=wanted_permissions(user, given), **values)

    with_flags.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # typer reads it
    with_flags.__annotations__ = {each.name: each.annotation for each in parameters}
    return with_flags


def wanted_permissions(user: str, given: dict[str, Any]) -> WantedUser:
    """Read the options as `provision` reads them."""
    return UserFlags(names=[user], **given).users()[0]
