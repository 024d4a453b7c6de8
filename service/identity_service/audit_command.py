"""The command `identity-service audit`: verify the audit log, print the heads of its chains, or export it.

It reads where the store is and no other setting, and writes nothing, so that it works beside the servers.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import orjson
import sqlalchemy as sa

from identity_service.adapters.store import StoreError
from identity_service.adapters.store.audit_export import Selection, export
from identity_service.adapters.store.audit_heads import EVENT, Head, LoggedHeads, as_line
from identity_service.adapters.store.audit_reader import snapshot, stored_lines
from identity_service.adapters.store.audit_verification import Verification
from identity_service.adapters.store.engines import database_of
from identity_service.settings import SettingsError, explain_store_url, load_store_settings, read_store_url

EXIT_TAMPERED = 3


class AuditError(Exception):
    """The audit log cannot be read; the text is for the operator."""


def add_audit_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command with its own commands."""
    audit = commands.add_parser(
        "audit",
        help="verify or export the audit log",
        description="Look at the audit log: docs/audit.md. Reads IDENTITY_SERVICE_STORE_URL and nothing else, and "
        "writes nothing.",
    )
    ways = audit.add_subparsers(dest="audit_command", metavar="COMMAND", required=True)
    verify = ways.add_parser(
        "verify",
        help="find what was changed, removed, moved or cut off",
        description="Compute the audit log's chains again and hold them against the heads in the servers' logs.",
        epilog="Exit codes: 0 intact, 3 not intact, 2 wrong settings or options, 1 it cannot tell.",
    )
    verify.add_argument(
        "--heads",
        metavar="FILE",
        type=Path,
        nargs="+",
        required=True,
        help=f"logs of all servers, or the lines {EVENT} of them; - for standard input",
    )
    ways.add_parser("heads", help="print how far each chain has come, like the lines of the servers' logs")
    export_ = ways.add_parser("export", help="print the audit log, one JSON object a line")
    for option, words in (("since", "from this time on"), ("until", "before this time")):
        export_.add_argument(f"--{option}", metavar="TIME", type=_time, help=f"{words}: 2026-02-03, 2026-02-03T04:05Z")
    export_.add_argument("--caller", metavar="ID", help="of this caller")
    export_.add_argument("--team", metavar="NAME", help="of this team")
    export_.add_argument("--user", metavar="NAME", help="about this IAM user")
    export_.add_argument("--account", metavar="ID", help="in this AWS account")


def _time(text: str) -> datetime:
    """Read a time; without a zone it is UTC."""
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def run_audit(options: argparse.Namespace) -> int:
    """Run the command; return the exit code. Raises SettingsError, AuditError."""
    return COMMANDS[options.audit_command](options)


def _verify(options: argparse.Namespace) -> int:
    heads = _read_heads(options.heads)
    verification, found = Verification(heads), 0
    with _audit_log() as connection:
        for line in stored_lines(connection):
            for finding in verification.look_at(line):
                found += 1
                print(f"{finding.kind}: {finding.words}")
    for finding in verification.finish():
        found += 1
        print(f"{finding.kind}: {finding.words}")
    counts = f"{verification.lines} lines, {verification.chains} chains, {verification.denials} denials in no chain"
    print(f"NOT INTACT: {found} findings in {counts}" if found else f"intact: {counts}")
    if verification.not_vouched:
        print(f"{verification.not_vouched} lines are newer than the last head of their chain: verify them later again")
    return EXIT_TAMPERED if found else 0


def _read_heads(files: list[Path]) -> LoggedHeads:
    heads = LoggedHeads()
    for file in files:
        if str(file) == "-":
            heads.read(sys.stdin.buffer)
            continue
        with file.open("rb") as lines:
            heads.read(lines)
    if heads.unreadable:
        print(f"identity-service: {heads.unreadable} lines {EVENT} cannot be read, and are left out", file=sys.stderr)
    if not heads.chains:
        raise AuditError(f"there is no line {EVENT} in {', '.join(map(str, files))}")
    return heads


def _heads(options: argparse.Namespace) -> int:
    heads: dict[str, Head] = {}
    with _audit_log() as connection:
        for line in stored_lines(connection):
            if line["chain_id"] is not None:
                heads[line["chain_id"]] = Head(line["chain_id"], line["sequence"], line["hash"])
    for head in heads.values():
        print(as_line(head))
    return 0


def _export(options: argparse.Namespace) -> int:
    selection = Selection(options.since, options.until, options.caller, options.team, options.user, options.account)
    with _audit_log() as connection:
        for line in export(connection, selection):
            print(orjson.dumps(line).decode())
    return 0


COMMANDS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "verify": _verify,
    "heads": _heads,
    "export": _export,
}


@contextmanager
def _audit_log() -> Iterator[sa.Connection]:
    """Open the store for reading. Raises SettingsError for a URL of no store, AuditError for a store that is away."""
    url = read_store_url(load_store_settings())
    try:
        database = database_of(url)
    except StoreError as error:
        raise SettingsError(explain_store_url(url, str(error))) from None
    try:
        with snapshot(database) as connection:
            yield connection
    except StoreError as error:
        raise AuditError(str(error)) from None
