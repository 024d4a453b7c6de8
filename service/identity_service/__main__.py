"""The command `identity-service`: serve until SIGTERM or SIGINT, then drain; or do one thing (`migrate`, ...), and end.

Settings are environment variables, `IDENTITY_SERVICE_...`; the options are for starting it by hand. Exit codes: 0
after a drain, a migration, a printed policy, or a sweep or an audit that found nothing, 1 if it cannot, 2 for wrong
settings or options, 3 after a sweep or an audit that found something.
"""

import argparse
import asyncio
import gc
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path

import structlog

from identity_service.adapters.authorization import AuthorizationFileError
from identity_service.adapters.aws_iam import ExplicitCredentials
from identity_service.adapters.store import StoreError, migrate
from identity_service.audit_command import AuditError, add_audit_parser, run_audit
from identity_service.authz_command import add_authz_parser, run_authz
from identity_service.bootstrap import serve, sweep
from identity_service.domain.errors import IdentityError
from identity_service.embedded import DEFAULT_PARTITION, EmbeddedAccount, EmbeddedAwsError, embedded_account
from identity_service.iam_policy import PolicyOptionError
from identity_service.iam_policy_command import add_iam_policy_command, print_iam_policy
from identity_service.observability.logging import configure_logging, open_log_file
from identity_service.observability.release import RELEASE
from identity_service.secret_variables import refuse_secrets, warn_of_headers
from identity_service.server import AddressError, BoundAddresses
from identity_service.settings import (
    Settings,
    SettingsError,
    explain,
    explain_store_url,
    load_settings,
    load_store_settings,
    read_store_url,
)
from identity_service.settings_table import settings_table
from identity_service.sweep_report import as_json, as_lines

EPILOG = "Settings are environment variables; boto3 and OpenTelemetry read their own, AWS_... and OTEL_..., too:"
INSECURE = "INSECURE: no TLS, everybody on this machine is the same caller; never use this for real users"
PARTITION_VARIABLE = "IDENTITY_SERVICE_AWS_PARTITION"
EXIT_CANNOT_START = 1
EXIT_WRONG_SETTINGS = 2
EXIT_FOUND = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "authz":
            return run_authz(options)
        if options.command == "migrate":
            return _migrate()
        if options.command == "audit":
            return run_audit(options)
        if options.command == "iam-policy":
            return print_iam_policy(options)
        return asyncio.run(_sweep(options) if options.command == "sweep" else _run(options))
    except SettingsError as error:
        return _complain(str(error), EXIT_WRONG_SETTINGS)
    except AuthorizationFileError as error:
        lines = [f"IDENTITY_SERVICE_AUTHORIZATION_DIR: {line}" for line in str(error).splitlines()]
        return _complain("\n".join(lines), EXIT_WRONG_SETTINGS)
    except PolicyOptionError as error:
        return _complain(str(error), EXIT_WRONG_SETTINGS)
    except IdentityError as error:
        return _complain(error.message, EXIT_CANNOT_START)
    except (AddressError, AuditError, EmbeddedAwsError) as error:
        return _complain(str(error), EXIT_CANNOT_START)
    except OSError as error:
        return _complain(f"{error.filename or 'the system'}: {error.strerror}", EXIT_CANNOT_START)
    except KeyboardInterrupt:
        return _complain("interrupted", EXIT_CANNOT_START)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="identity-service",
        description="Provision AWS IAM users over gRPC.",
        epilog=f"{EPILOG}\n\n{settings_table()}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--listen", metavar="HOST:PORT", help="instead of IDENTITY_SERVICE_LISTEN_ADDRESS")
    parser.add_argument("--health", metavar="HOST:PORT", help="instead of IDENTITY_SERVICE_HEALTH_ADDRESS")
    parser.add_argument("--insecure", action="store_true", help="no TLS and one caller for all; loopback only")
    parser.add_argument("--embedded-aws", action="store_true", help="use an AWS account in a child process")
    parser.add_argument(
        "--embedded-access-control", action="store_true", help="let the embedded account check permissions"
    )
    parser.add_argument("--embedded-seed", type=Path, metavar="FILE", help="what the embedded account holds at first")
    parser.add_argument("--ready-file", type=Path, metavar="PATH", help="write the bound addresses here once serving")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands, instead of serving")
    commands.add_parser(
        "migrate",
        help="bring the store to this release's schema",
        description="Create the store's tables, or change them into those of this release; a newer schema that this "
        "release works with is left as it is, so that rolling back needs no change. Nothing makes a schema older: make "
        "a backup first. Reads IDENTITY_SERVICE_STORE_URL, ..._STORE_PASSWORD_FILE and nothing else.",
    )
    sweep_command = commands.add_parser(
        "sweep",
        help="list what the accounts have and a lost store does not know",
        description="List the users, access keys, MFA devices and policies that this service has made and the store "
        "does not vouch for, and the requests that have not ended. Deletes nothing. For after a loss of the store: "
        "docs/store-lost.md. Reads the same settings as the server.",
        epilog="Exit codes: 0 nothing found, 3 something found, 2 wrong settings, 1 it cannot tell.",
    )
    sweep_command.add_argument(
        "--account", action="append", default=[], metavar="ID", help="only this account; may be given more than once"
    )
    sweep_command.add_argument("--json", action="store_true", help="one JSON document instead of lines")
    sweep_command.add_argument(
        "--end-abandoned",
        action="store_true",
        help="first end, in a restored store, the requests that it takes for running; the account is not touched",
    )
    add_authz_parser(commands)
    add_audit_parser(commands)
    add_iam_policy_command(commands)
    return parser


def _migrate() -> int:
    # Not the other settings: whoever migrates, such as a job before a rollout, need not have them.
    store_url = read_store_url(load_store_settings())
    try:
        version = migrate(store_url)
    except StoreError as error:
        raise SettingsError(explain_store_url(store_url, str(error))) from None
    print(f"identity-service: the store has schema version {version}")
    return 0


async def _sweep(options: argparse.Namespace) -> int:
    # It serves nobody, so it needs no address and no TLS.
    settings = load_settings({"listen_address": "127.0.0.1:0"}, insecure=True)
    _configure_logging(settings)
    swept = await sweep(settings, options.account, end_abandoned=options.end_abandoned)
    if swept.ended:
        print(f"identity-service: abandoned requests that were ended: {swept.ended}", file=sys.stderr)
    several = settings.aws_accounts_file is not None
    if options.json:
        print(as_json(swept.account_ids, swept.findings))
    elif swept.findings or not swept.unread:
        print(as_lines(swept.findings, several=several))
    for account_id, problem in swept.unread.items():
        _complain(f"account {account_id} could not be swept: {problem}", EXIT_CANNOT_START)
    if swept.unread:
        return EXIT_CANNOT_START
    return EXIT_FOUND if swept.findings else 0


async def _run(options: argparse.Namespace) -> int:
    signals = _Signals()
    try:
        async with _settings(options) as (settings, credentials):
            _configure_logging(settings)
            if options.insecure:
                structlog.get_logger().warning(INSECURE)
            else:
                warn_of_headers(os.environ)
            async with serve(settings, insecure=options.insecure, credentials=credentials) as addresses:
                _spare_the_collector()
                _announce(addresses, options.ready_file)
                await signals.wait()
    except asyncio.CancelledError:
        if not signals.heard:
            raise
        structlog.get_logger().info("ended by a signal before it served")
    return 0


def _spare_the_collector() -> None:
    """Let Python's garbage collection pass over what the start has made: it stays, and is most of what there is.

    A full pass over it held up every call for 0.13 s, each few seconds while many users are made.
    """
    gc.collect()
    gc.freeze()


class _Signals:
    """Hears SIGTERM and SIGINT: one that comes during the start ends it, a later one ends the serving."""

    def __init__(self) -> None:
        self._task = asyncio.current_task()
        self._event = asyncio.Event()
        self._is_starting = True
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._hear)

    @property
    def heard(self) -> bool:
        """Whether there was one."""
        return self._event.is_set()

    async def wait(self) -> None:
        """Wait for one; to be called when the start is over."""
        self._is_starting = False
        await self._event.wait()

    def _hear(self) -> None:
        # Only the first: a second one would cut off the tidying up.
        if self._is_starting and self._task and not self.heard:
            self._task.cancel()
        self._event.set()


def _configure_logging(settings: Settings) -> None:
    try:
        file = open_log_file(settings.log_file) if settings.log_file else None
    except OSError as error:
        raise SettingsError(explain("log_file", f"{settings.log_file} cannot be opened: {error.strerror}")) from None
    configure_logging(settings.log_level, file)


def _announce(addresses: BoundAddresses, ready_file: Path | None) -> None:
    structlog.get_logger().info("serving", version=RELEASE, **_as_written(addresses))
    if ready_file:
        _write_ready_file(ready_file, addresses)


@asynccontextmanager
async def _settings(options: argparse.Namespace) -> AsyncIterator[tuple[Settings, ExplicitCredentials | None]]:
    """Read the settings; with `--embedded-aws`, run the account and point the settings at it."""
    overrides: dict[str, object] = {
        name: value
        for name, value in (("listen_address", options.listen), ("health_address", options.health))
        if value is not None
    }
    if not options.embedded_aws:
        if not options.insecure:
            refuse_secrets(os.environ)
        yield load_settings(overrides, insecure=options.insecure), None
        return
    # The other settings can only be read once the account is there; a partition that none has ends it with a message.
    partition = os.environ.get(PARTITION_VARIABLE) or DEFAULT_PARTITION
    async with embedded_account(
        partition=partition, access_control=options.embedded_access_control, seed=options.embedded_seed
    ) as account:
        yield (
            load_settings({**overrides, **_place_of(account)}, insecure=options.insecure),
            ExplicitCredentials(account.access_key_id, account.secret_access_key),
        )


def _place_of(account: EmbeddedAccount) -> dict[str, object]:
    return {
        "aws_account_id": account.account_id,
        "aws_accounts_file": None,
        "aws_endpoint_url": account.endpoint_url,
        "aws_partition": account.partition,
        "aws_region": "",
        "aws_role_arn": None,
    }


def _write_ready_file(path: Path, addresses: BoundAddresses) -> None:
    """Write the addresses; the file appears whole or not at all."""
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(json.dumps(_as_written(addresses)) + "\n")
    partial.replace(path)


def _as_written(addresses: BoundAddresses) -> dict[str, str]:
    """Return the addresses by name, without the one of metrics where there is none."""
    return {name: address for name, address in asdict(addresses).items() if address}


def _complain(message: str, exit_code: int) -> int:
    for line in message.splitlines():
        print(f"identity-service: {line}", file=sys.stderr)
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
