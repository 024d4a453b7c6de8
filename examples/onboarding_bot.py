"""An onboarding bot: makes a console user for each file in a folder, once, however often the bot is stopped.

    QUEUE/new/ANYTHING.json   what an HR system leaves: {"user_name": "ana.lima", "email": "...", "groups": ["..."]}
    QUEUE/work/REQUEST_ID.json  begun: the file, renamed to the id of its request, which every later run goes on with
    QUEUE/out/NAME.eml, .age  the mail draft, and the password, sealed to the help desk, which the bot cannot open
    QUEUE/done, QUEUE/failed  the files that are through; beside a failed one stands why

Needs `identity_client` alone. Each run does what is there and ends, as cron or a Kubernetes CronJob would have it; one
run at a time. Exit codes: 0 all done, 1 something failed or has to wait for the next run.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from identity_client import (
    Aborted,
    ConsolePassword,
    DeadlineExceeded,
    IdentityClient,
    IdentityServiceError,
    TlsFiles,
    Unavailable,
)
from identity_client.handout import checked_address, mail_draft, mail_file_name, put_new_file

PASSING = (Unavailable, DeadlineExceeded, Aborted)
FOLDERS = ("new", "work", "out", "done", "failed")


@dataclass(frozen=True)
class Wish:
    """A user whom somebody wants."""

    user_name: str
    email: str
    groups: tuple[str, ...]


class Queue:
    """The folders; moving a file from one to another is the bot's whole memory."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for name in FOLDERS:
            (folder / name).mkdir(parents=True, exist_ok=True)

    def begun(self) -> Iterator[Path]:
        """Yield the files that a run has begun with, then the new ones, each under its request id."""
        yield from sorted((self._folder / "work").glob("*.json"))
        for path in sorted((self._folder / "new").glob("*.json")):
            yield path.rename(self._folder / "work" / f"{uuid4()}.json")

    def hand_out(self, name: str, content: bytes) -> None:
        """Put a file out; one that an earlier run of the same request has put there is the same. Raises OSError."""
        path = self._folder / "out" / name
        try:
            put_new_file(path, content)
        except FileExistsError:
            if path.read_bytes() != content:
                raise

    def end(self, path: Path, problem: str = "") -> None:
        """Take a file out of the work, with what went wrong."""
        folder = self._folder / ("failed" if problem else "done")
        if problem:
            (folder / f"{path.stem}.txt").write_text(f"{problem}\n")
        path.rename(folder / path.name)


def main() -> int:
    """Do what is there; return the exit code."""
    options = _parser().parse_args()
    queue = Queue(options.queue)
    tls = TlsFiles(options.tls / "ca.pem", options.tls / "client.pem", options.tls / "client.key")
    with IdentityClient(options.target, tls=tls, timeout=options.timeout) as client:
        ended = [onboard(client, queue, path, options.boundary, options.recipient) for path in queue.begun()]
    return 0 if all(ended) else 1


def onboard(client: IdentityClient, queue: Queue, path: Path, boundary: str, recipient: str) -> bool:
    """Make one user and hand out what belongs to it; tell whether that worked."""
    try:
        wish = read_wish(path)
    except (ValueError, KeyError, TypeError) as error:
        return _failed(queue, path, f"not a wish: {error!r}")
    try:
        made = client.provision_user(
            wish.user_name,
            path="/people/",
            boundary=boundary,
            groups=wish.groups,
            console_password=ConsolePassword(require_reset=True),
            recipients=[recipient],
            request_id=path.stem,
        )
    except PASSING as error:
        print(f"{wish.user_name}: waits for the next run: {error}", file=sys.stderr)
        return False
    except IdentityServiceError as error:
        return _failed(queue, path, str(error))
    mail = mail_draft(wish.user_name, made.sign_in_url, recipient=wish.email, reset_required=True)
    mail_name = mail_file_name(wish.user_name)
    try:
        queue.hand_out(f"{mail_name.removesuffix('.eml')}.age", made.credentials.sealed_secrets.encode())
        queue.hand_out(mail_name, mail.as_bytes())
    except OSError as error:
        print(f"{wish.user_name}: waits for the next run: {error}", file=sys.stderr)
        return False
    queue.end(path)
    print(f"{wish.user_name}: {'was' if made.replayed else 'is'} made as {made.user.arn}")
    return True


def read_wish(path: Path) -> Wish:
    """Read a file. Raises ValueError, KeyError or TypeError for one that is no wish."""
    document = json.loads(path.read_text())
    groups = document["groups"]
    if not isinstance(groups, list):
        raise TypeError("groups: not a list")
    return Wish(document["user_name"], checked_address(document["email"]), tuple(groups))


def _failed(queue: Queue, path: Path, problem: str) -> bool:
    queue.end(path, problem)
    print(f"{path.name}: {problem}", file=sys.stderr)
    return False


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Make a console user for each file in a folder.")
    parser.add_argument("queue", type=Path, help="the folder of new/, work/, out/, done/ and failed/")
    parser.add_argument("--target", required=True, metavar="HOST:PORT", help="the service")
    parser.add_argument("--tls", required=True, type=Path, metavar="DIR", help="ca.pem, client.pem and client.key")
    parser.add_argument("--boundary", required=True, metavar="NAME", help="the managed policy that bounds each user")
    parser.add_argument("--recipient", required=True, metavar="age1...", help="the help desk's age recipient")
    parser.add_argument("--timeout", type=float, default=30.0, metavar="SECONDS", help="for each user, with retries")
    return parser


if __name__ == "__main__":
    sys.exit(main())
