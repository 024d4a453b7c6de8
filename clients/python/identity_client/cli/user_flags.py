"""The options that describe users, which `plan` and `provision` have in common."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

import typer

from identity_client import ConsolePassword
from identity_client._specs import SelfManagementLevel
from identity_client.cli.checks import (
    GROUP_NAME,
    PATH,
    POLICY,
    POLICY_NAME,
    TAG_KEY,
    TAG_VALUE,
    USER_NAME,
    tags_complaint,
)
from identity_client.cli.failures import BadInputError
from identity_client.cli.mail_drafts import Email, check_email
from identity_client.cli.new_flags import (
    NEW_BOUNDARY,
    NEW_GROUP,
    NEW_POLICY,
    read_new_boundary,
    read_new_groups,
    read_new_policies,
)
from identity_client.cli.options import check
from identity_client.cli.policy_files import read_policy_file
from identity_client.cli.users_file import read_users_file
from identity_client.cli.users_format import LEVELS
from identity_client.cli.wanted import WantedUser


@dataclass(frozen=True)
class UserFlags:
    """What the person wrote on the command line about the users."""

    names: Annotated[list[str] | None, typer.Argument(help="The users to make.", show_default=False)] = None
    file: Annotated[
        Path | None,
        typer.Option("--file", "-f", help="A YAML, JSON or CSV file of users, in the place of options."),
    ] = None
    defaults: Annotated[
        Path | None, typer.Option("--defaults", help="A YAML or JSON file with defaults for the users of -f.")
    ] = None
    groups: Annotated[list[str] | None, typer.Option("--group", help="An existing group.")] = None
    policies: Annotated[
        list[str] | None, typer.Option("--policy", help="A managed policy to attach, by name or ARN.")
    ] = None
    inline: Annotated[list[str] | None, typer.Option("--inline", help="An inline policy, NAME=@FILE.json.")] = None
    boundary: Annotated[
        str, typer.Option("--boundary", help="The managed policy that bounds the user, by name or ARN.")
    ] = ""
    copy_from: Annotated[str, typer.Option("--copy-from", help="A user whose permissions and boundary are copied.")] = (
        ""
    )
    self_management: Annotated[
        str,
        typer.Option(
            "--self-management",
            help="What users may manage of their own: password, credentials or credentials-with-mfa.",
        ),
    ] = ""
    new_groups: Annotated[
        list[str] | None,
        typer.Option(
            "--new-group", help="A group to make for the one user, with these policies, NAME or NAME:POLICY,POLICY."
        ),
    ] = None
    new_policies: Annotated[
        list[str] | None,
        typer.Option("--new-policy", help="A managed policy to make for the one user and attach, NAME=@FILE.json."),
    ] = None
    new_boundary: Annotated[
        str,
        typer.Option("--new-boundary", help="A managed policy to make as the one user's boundary, NAME=@FILE.json."),
    ] = ""
    access_key: Annotated[bool, typer.Option("--access-key", help="Make an access key.")] = False
    console: Annotated[bool, typer.Option("--console", help="Make a console password, generated.")] = False
    require_reset: Annotated[
        bool, typer.Option("--require-reset", help="The password must be changed at the first sign-in.")
    ] = False
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Take one user's console password from standard input.")
    ] = False
    mfa_device: Annotated[
        bool, typer.Option("--mfa-device", help="Make a virtual MFA device, pending until its first two codes.")
    ] = False
    email: Email = ""
    path: Annotated[str, typer.Option("--path", help="The users' path, such as /people/.")] = ""
    tags: Annotated[list[str] | None, typer.Option("--tag", help="A tag, KEY=VALUE.")] = None

    def users(self) -> list[WantedUser]:
        """Answer the users that are wanted.

        Raises:
            BadInputError: the options or the file break rules.
        """
        if self.file is not None:
            self._refuse_more_than_file()
            return read_users_file(self.file, self.defaults)
        if self.defaults is not None:
            raise BadInputError("--defaults is for the users of a file: add -f FILE.")
        if not self.names:
            raise BadInputError("Name users, or a file of them with -f.")
        self._check_names(self.names)
        self._check_texts()
        self._check_made_once(self.names)
        return [self._user(name) for name in self.names]

    @property
    def folder(self) -> Path:
        """Answer the folder that belongs to the input: the file's, or the current one."""
        return Path() if self.file is None else self.file.parent

    def _refuse_more_than_file(self) -> None:
        given = [
            each.name for each in fields(self) if each.name not in ("file", "defaults") and getattr(self, each.name)
        ]
        if given:
            raise BadInputError(f"With -f everything stands in the file; leave out: {', '.join(given)}.")

    def _check_names(self, names: list[str]) -> None:
        check("A user's name", USER_NAME, *names)
        if len({name.casefold() for name in names}) < len(names):
            raise BadInputError("A user is named twice; letter case makes no difference.")

    def _check_texts(self) -> None:
        check("--path", PATH, self.path)
        check("--group", GROUP_NAME, *(self.groups or []))
        check("--policy", POLICY, *(self.policies or []))
        check("--boundary", POLICY, self.boundary)
        check("--copy-from", USER_NAME, self.copy_from)
        check_email(self.email)
        if self.email and len(self.names or []) > 1:
            raise BadInputError("--email is for one user; for many, write a users file.")

    def _check_made_once(self, names: list[str]) -> None:
        given = {NEW_GROUP: self.new_groups, NEW_POLICY: self.new_policies, NEW_BOUNDARY: self.new_boundary}
        making = [option for option, value in given.items() if value]
        if making and len(names) > 1:
            raise BadInputError(
                f"{', '.join(making)}: what is new can be made for one user only. Make it first, and let every user "
                "have it as one that exists."
            )
        if self.boundary and self.new_boundary:
            raise BadInputError(f"A user has one boundary: leave out --boundary or {NEW_BOUNDARY}.")

    def _user(self, name: str) -> WantedUser:
        new_policies = read_new_policies(self.new_policies or [])
        return WantedUser(
            name=name,
            email=self.email,
            path=self.path,
            tags=self._tags(),
            access_key=self.access_key,
            console=self._console_password(),
            groups=self.groups or [],
            policies=self.policies or [],
            inline_policies=self._inline_policies(),
            boundary=self.boundary,
            copy_from=self.copy_from,
            self_management=self._level(),
            mfa_device=self.mfa_device,
            new_groups=read_new_groups(self.new_groups or []),
            new_policies=new_policies,
            new_boundary=read_new_boundary(self.new_boundary, new_policies),
        )

    def _console_password(self) -> ConsolePassword | None:
        if self.password_stdin:
            if len(self.names or []) != 1:
                raise BadInputError("--password-stdin is for one user; for many, passwords are generated.")
            password = "" if sys.stdin is None else sys.stdin.readline().rstrip("\r\n")
            if not password:
                raise BadInputError("--password-stdin: standard input holds no password.")
            return ConsolePassword(custom=password, require_reset=self.require_reset)
        if self.require_reset and not self.console:
            raise BadInputError("--require-reset is about a console password: add --console.")
        return ConsolePassword(require_reset=self.require_reset) if self.console else None

    def _tags(self) -> dict[str, str]:
        tags = _pairs("--tag", self.tags or [])
        check("--tag", TAG_KEY, *tags)
        check("--tag", TAG_VALUE, *tags.values())
        if complaint := tags_complaint(tags):
            raise BadInputError(f"--tag: {complaint}")
        return tags

    def _inline_policies(self) -> dict[str, str]:
        policies = {}
        for name, value in _pairs("--inline", self.inline or []).items():
            if not value.startswith("@"):
                raise BadInputError(f"--inline {name}: takes NAME=@FILE.json")
            check("--inline", POLICY_NAME, name)
            policies[name] = read_policy_file(Path(value[1:]))
        return policies

    def _level(self) -> SelfManagementLevel:
        for level in get_args(SelfManagementLevel):
            if self.self_management == level:
                chosen: SelfManagementLevel = level
                return chosen
        raise BadInputError(f"--self-management takes one of {', '.join(LEVELS)}.")


def takes_user_flags(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command take a `UserFlags` as `flags`, and have each of its fields as an option.

    Typer reads the options off a function's signature, so they are put there; otherwise both commands would
    have to repeat them all.
    """
    own = inspect.signature(command, eval_str=True).parameters
    hints = get_type_hints(UserFlags, include_extras=True)
    shared = [
        inspect.Parameter(
            each.name,
            inspect.Parameter.KEYWORD_ONLY,
            annotation=hints[each.name],
            default=inspect.Parameter.empty if each.default is MISSING else each.default,
        )
        for each in fields(UserFlags)
    ]
    rest = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own.values()]
    parameters = [parameter for parameter in rest if parameter.name != "flags"]

    @functools.wraps(command)
    def with_flags(**values: Any) -> None:
        flags = UserFlags(**{each.name: values.pop(each.name) for each in fields(UserFlags)})
        command(flags=flags, **values)

    with_flags.__signature__ = inspect.Signature([*shared, *parameters])  # type: ignore[attr-defined]  # see above
    with_flags.__annotations__ = {each.name: each.annotation for each in [*shared, *parameters]}
    return with_flags


def _pairs(option: str, texts: list[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise BadInputError(f"{option} {text!r}: takes NAME=VALUE")
        if key in pairs:
            raise BadInputError(f"{option} {key!r} is there twice")
        pairs[key] = value
    return pairs
