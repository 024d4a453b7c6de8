"""Remembers an operation that this program has begun, so that any later run can hand its results out.

The file is on the disk before anybody's user is sent, and removed when all is handed out. Where the caller named no
recipient it holds the one key that opens the operation's secrets, and so it is for its owner alone. The secrets
themselves never come into it.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from identity_client.cli.failures import BadInputError
from identity_client.cli.hand_outs import Places
from identity_client.cli.resume import OpenedCsv, replace_file
from identity_client.cli.sealing import Sealing, read_identity_files
from identity_client.handout import MailTemplate
from identity_client.sealing import IdentityFileError, parse_identities

_VERSION = 1
_FOLDER = "identityctl"


@dataclass(frozen=True)
class Outlets:
    """Where the person wants what an operation makes, and to whom its secrets are sealed."""

    places: Places = field(default_factory=Places)
    show_secrets: bool = False
    recipients: tuple[str, ...] = ()
    sealed_out: Path | None = None
    identity_files: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Expected:
    """What the users of an operation will have, as far as the results do not tell."""

    generated: bool = False
    mfa_devices: bool = False
    emails: Mapping[str, str] = field(default_factory=dict)


@dataclass
class OperationMemory:
    """One operation: which it is, how it is started, and how what it makes is opened and handed out.

    Attributes:
        input_digest: identifies what was asked for and where, so that the same command finds the operation again.
        identity: the key that opens the secrets, where no recipient was named. Never shown by `repr`.
        agreed_digest: the digest of the plans that were agreed to; empty until then, and nobody is made before.
        started: the service has accepted the start, or somebody else's; from then on it is neither dropped nor ended.
        command: the words of the command that began it, and `folder` where it was given; no secret is among them.
    """

    path: Path
    operation_id: str
    target: str
    account: str
    input_digest: str
    outlets: Outlets
    expected: Expected = field(default_factory=Expected)
    identity: str = field(default="", repr=False)
    agreed_digest: str = ""
    started: bool = False
    plan_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    start_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    csv: OpenedCsv | None = None
    command: tuple[str, ...] = ()
    folder: str = ""

    @classmethod
    def read(cls, path: Path) -> OperationMemory:
        """Read what an earlier run left.

        Raises:
            FileNotFoundError: there is no such file.
            BadInputError: it cannot be read.
        """
        try:
            return _from_content(path, json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            raise
        except OSError as error:
            raise BadInputError(f"{path}: {error.strerror or error}") from None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise BadInputError(f"{path}: is no resume file of an operation, or of another version") from None

    @classmethod
    def find(cls, input_digest: str, named: Path | None) -> OperationMemory | None:
        """Find what an earlier run for the same users left, in the file that is named or among all.

        Raises:
            BadInputError: the named file cannot be read, or was left by a run for other users.
        """
        if named is None:
            found = (_readable(path) for path in sorted(_state_folder().glob("*.json")))
            return next((each for each in found if each is not None and each.input_digest == input_digest), None)
        try:
            memory = cls.read(named)
        except FileNotFoundError:
            return None
        if memory.input_digest != input_digest:
            raise BadInputError(
                f"{named}: was left by a run for other users, another target or account; name another file with "
                "--resume"
            )
        return memory

    @classmethod
    def unfinished(cls, target: str, account: str) -> list[OperationMemory]:
        """Find the operations that were begun at this server and are not handed out yet.

        Of those in another account none; an account that was not named, then or now, may be the same one.
        """
        try:
            found = [_readable(path) for path in sorted(_state_folder().glob("*.json"))]
        except BadInputError:  # there is no such folder, and none is needed where the file is named
            return []
        here = [each for each in found if each is not None and each.begun and each.target == target]
        return [each for each in here if "" in (account, each.account) or each.account == account]

    def save(self) -> None:
        """Replace the file as a whole.

        Raises:
            BadInputError: it cannot be written.
        """
        with suppress(OSError):  # where it fails, so does what is written there
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_file(self.path, _content_of(self))

    def sealing(self) -> Sealing:
        """Answer what opens the secrets.

        Raises:
            BadInputError: a file of identities cannot be read any more, or the key in this file is none.
        """
        outlets = self.outlets
        if not self.identity:
            return Sealing(outlets.recipients, outlets.sealed_out, read_identity_files(outlets.identity_files))
        try:
            return Sealing(identities=tuple(parse_identities(self.identity)))
        except IdentityFileError as error:
            raise BadInputError(f"{self.path}: {error}") from None

    def note_agreed(self, plan_digest: str) -> None:
        """Note that somebody said yes to the plans: from now on users may be made."""
        self.agreed_digest = plan_digest
        self.save()

    def note_started(self) -> None:
        """Note that the operation runs, or has run: its resume file is needed until all is handed out."""
        self.started = True
        with suppress(BadInputError):  # the service knows it as well, and is asked where the file does not say so
            self.save()

    @property
    def begun(self) -> bool:
        """Tell whether users may have been made."""
        return bool(self.agreed_digest) or self.started

    def note_csv(self, csv: OpenedCsv | None) -> None:
        """Note which credentials file this run writes, for the next one to go on with, if there is to be one."""
        self.csv = csv
        if self.path.exists():
            self.save()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other runs from handing the same results out at the same time.

        Raises:
            BadInputError: another run does so now, or has done so meanwhile.
        """
        lock = FileLock(self._lock_path, mode=0o600)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise BadInputError(f"{self.path}: another run is at work with this operation") from None
        except OSError as error:
            raise BadInputError(f"{self._lock_path}: {error.strerror or error}") from None
        try:
            if not self.path.exists():
                raise BadInputError(f"{self.path}: another run has handed its results out meanwhile")
            yield
        finally:
            with suppress(OSError):  # whoever opened it meanwhile finds that it is gone, and makes a new one
                self._lock_path.unlink()
            lock.release()

    def remove(self) -> None:
        """Remove the file, and with it the key.

        Raises:
            BadInputError: it cannot be removed.
        """
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            raise BadInputError(f"{self.path}: {error.strerror or error}; all was done, so remove it") from None
        with suppress(OSError):  # it may be held, and is in nobody's way
            self._lock_path.unlink()

    @property
    def _lock_path(self) -> Path:
        return self.path.with_name(f"{self.path.name}.lock")


def memory_path(operation_id: str) -> Path:
    """Answer where an operation is remembered if nobody says.

    Raises:
        BadInputError: the id cannot be one.
    """
    return _state_folder() / f"{operation_uuid(operation_id)}.json"


def operation_uuid(text: str) -> str:
    """Answer an operation's id as the service writes it.

    Raises:
        BadInputError: it cannot be one.
    """
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise BadInputError(f"{text!r}: is no operation's id; `identityctl operations list` shows them") from None


def remembered_ids() -> list[str]:
    """Answer the ids of all operations that are remembered; shells complete them."""
    try:
        return sorted(path.stem for path in _state_folder().glob("*.json"))
    except (OSError, BadInputError):
        return []


def _state_folder() -> Path:
    """Answer the folder that the XDG rules give programs for what outlives a run."""
    named = os.environ.get("XDG_STATE_HOME", "")
    if os.path.isabs(named):  # noqa: PTH117 -- an empty text is no path; the rules have relative ones passed over
        return Path(named) / _FOLDER
    try:
        return Path.home() / ".local" / "state" / _FOLDER
    except RuntimeError:
        raise BadInputError(
            "There is no home folder for resume files: set XDG_STATE_HOME, or say --resume FILE."
        ) from None


def _readable(path: Path) -> OperationMemory | None:
    """Read one file among many; what is none is not this run's."""
    try:
        return OperationMemory.read(path)
    except (FileNotFoundError, BadInputError):
        return None


def _content_of(memory: OperationMemory) -> dict[str, Any]:
    outlets, places = memory.outlets, memory.outlets.places
    return {
        "version": _VERSION,
        "operation_id": memory.operation_id,
        "target": memory.target,
        "account": memory.account,
        "input_digest": memory.input_digest,
        "request_ids": {"plan": memory.plan_request_id, "start": memory.start_request_id},
        "agreed_digest": memory.agreed_digest,
        "started": memory.started,
        "identity": memory.identity,
        "csv": _text(places.csv),
        "mfa_dir": _text(places.mfa_dir),
        "mail_dir": _text(places.mail_dir),
        "mail_template": None if places.template is None else asdict(places.template),
        "show_secrets": outlets.show_secrets,
        "recipients": list(outlets.recipients),
        "sealed_out": _text(outlets.sealed_out),
        "identity_files": [str(path.absolute()) for path in outlets.identity_files],
        "generated": memory.expected.generated,
        "mfa_devices": memory.expected.mfa_devices,
        "emails": dict(memory.expected.emails),
        "opened_csv": None if memory.csv is None else asdict(memory.csv),
        "command": list(memory.command),
        "folder": memory.folder,
    }


def _from_content(path: Path, content: dict[str, Any]) -> OperationMemory:
    if content["version"] != _VERSION:
        raise ValueError("another version")
    template, opened = content["mail_template"], content["opened_csv"]
    return OperationMemory(
        path=path,
        operation_id=str(content["operation_id"]),
        target=str(content["target"]),
        account=str(content["account"]),
        input_digest=str(content["input_digest"]),
        outlets=Outlets(
            Places(
                _path(content["csv"]),
                _path(content["mfa_dir"]),
                _path(content["mail_dir"]),
                None if template is None else MailTemplate(**template),
            ),
            show_secrets=bool(content["show_secrets"]),
            recipients=tuple(map(str, content["recipients"])),
            sealed_out=_path(content["sealed_out"]),
            identity_files=tuple(map(Path, content["identity_files"])),
        ),
        expected=Expected(bool(content["generated"]), bool(content["mfa_devices"]), dict(content["emails"])),
        identity=str(content["identity"]),
        agreed_digest=str(content["agreed_digest"]),
        started=bool(content.get("started", False)),
        plan_request_id=str(content["request_ids"]["plan"]),
        start_request_id=str(content["request_ids"]["start"]),
        csv=None if opened is None else OpenedCsv(str(opened["path"]), int(opened["device"]), int(opened["inode"])),
        command=tuple(map(str, content.get("command", ()))),
        folder=str(content.get("folder", "")),
    )


def _text(path: Path | None) -> str:
    """Answer a path as it is named from any folder: a later run may begin in another one."""
    return "" if path is None else str(path.absolute())


def _path(text: str) -> Path | None:
    return Path(text) if text else None
