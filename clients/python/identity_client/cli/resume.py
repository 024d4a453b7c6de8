"""Remembers the request ids of a run, so that the same command goes on where an earlier one was cut.

The ids are on the disk before any of them is sent. Sent again, an id lets the service answer what it did
already, and never do it twice. With each id goes the digest of the reviewed plan: the same request is the
same in all parts. The file holds no secret.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from identity_client.cli.failures import BadInputError

_VERSION = 1


@dataclass(frozen=True)
class Started:
    """A request that may have been sent.

    Attributes:
        handed_out_to: the file that its credentials were written to, if they were.
        lost: its credentials were made, and no answer with them came through.
    """

    request_id: str
    plan_digest: str
    handed_out_to: str = ""
    lost: bool = False


@dataclass(frozen=True)
class OpenedCsv:
    """The credentials file that a run opened: where, and which."""

    path: str
    device: int
    inode: int


@dataclass
class ResumeFile:
    """The requests of one run, by user name, and the credentials file that it writes."""

    path: Path
    input_digest: str
    started: dict[str, Started] = field(default_factory=dict)
    csv: OpenedCsv | None = None

    @classmethod
    def open(cls, path: Path, input_digest: str) -> ResumeFile:
        """Read what an earlier run left; nothing, if there was none.

        Raises:
            BadInputError: the file cannot be read, or was left by a command with other input.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            return cls._from_content(path, input_digest, content)
        except FileNotFoundError:
            return cls(path, input_digest)
        except OSError as error:
            raise BadInputError(f"{path}: {error.strerror or error}") from None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise BadInputError(f"{path}: is no resume file of this version; remove it to start anew") from None

    @classmethod
    def _from_content(cls, path: Path, input_digest: str, content: dict[str, Any]) -> ResumeFile:
        if content["version"] != _VERSION:
            raise ValueError("another version")
        if content["input_digest"] != input_digest:
            raise BadInputError(
                f"{path}: was left by a run for other users, another target or account; name another file with --resume"
            )
        started = {
            name: Started(
                str(entry["request_id"]),
                str(entry["plan_digest"]),
                str(entry["handed_out_to"]),
                bool(entry.get("lost", False)),
            )
            for name, entry in content["started"].items()
        }
        opened = content["csv"]
        csv = opened and OpenedCsv(str(opened["path"]), int(opened["device"]), int(opened["inode"]))
        return cls(path, input_digest, started, csv or None)

    def save(self) -> None:
        """Replace the file as a whole; whoever reads it sees the old or the new one.

        Raises:
            BadInputError: it cannot be written.
        """
        content = {
            "version": _VERSION,
            "input_digest": self.input_digest,
            "csv": None if self.csv is None else asdict(self.csv),
            "started": {name: asdict(each) for name, each in self.started.items()},
        }
        replace_file(self.path, content)

    def forget(self, user_name: str) -> None:
        """Drop a request whose end is known, so that the next run plans that user anew."""
        if self.started.pop(user_name, None) is not None:
            self.save()

    def note_loss(self, user_name: str) -> None:
        """Note that a user's credentials went lost, so that the next run can have new ones made for the request."""
        self.started[user_name] = replace(self.started[user_name], lost=True)
        self.save()

    def pass_over_lost(self) -> None:
        """Go on without the requests whose credentials went lost: those users are planned anew."""
        self.started = {name: each for name, each in self.started.items() if not each.lost}

    def note_hand_out(self, user_name: str, place: str) -> None:
        """Note where a user's credentials are, so that a later run can say so when it gets none."""
        self.started[user_name] = replace(self.started[user_name], handed_out_to=place)
        self.save()

    def note_csv(self, csv: OpenedCsv | None) -> None:
        """Note which credentials file this run writes, for the next one to go on with."""
        self.csv = csv
        if self.started:
            self.save()

    def remove(self) -> None:
        """Remove the file: everything is done.

        Raises:
            BadInputError: it cannot be removed.
        """
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            raise BadInputError(f"{self.path}: {error.strerror or error}; all was done, so remove it") from None


def replace_file(path: Path, content: dict[str, Any]) -> None:
    """Write a file for its owner alone, as a whole: whoever reads it sees the old or the new one.

    Raises:
        BadInputError: it cannot be written.
    """
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(content, file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise BadInputError(f"{path}: {error.strerror or error}") from None
    finally:
        with suppress(OSError):  # it is there only where something came between, be it Ctrl-C
            draft.unlink()


def default_path(folder: Path, input_digest: str) -> Path:
    """Answer where a run is remembered if nobody says."""
    return folder / f".identityctl-resume-{input_digest[:16]}.json"
