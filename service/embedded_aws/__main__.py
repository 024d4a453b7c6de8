"""The command `embedded-aws`: AWS accounts (IAM and STS) on a port of this machine."""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import sys
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from embedded_aws.process import DEFAULT_ACCOUNT_ID, DEFAULT_PARTITION, LOOPBACK, REGIONS

if TYPE_CHECKING:
    from embedded_aws.account import Account
    from embedded_aws.server import Server


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM, or until standard input closes if so asked."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.host not in LOOPBACK and not options.beyond_loopback:
        parser.error(
            f"{options.host} is not loopback ({', '.join(LOOPBACK)}): whoever reaches the port may do anything "
            "in the account; --beyond-loopback says that this is meant"
        )
    if options.switch_interval is not None:
        sys.setswitchinterval(options.switch_interval)
    from embedded_aws.yaml_files import FileError

    try:
        server = _open(options)
    except FileError as error:
        print(f"embedded-aws: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"embedded-aws: cannot listen on {options.host}:{options.port}: {error}", file=sys.stderr)
        return 1
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signal_number, lambda *_: Thread(target=server.shutdown).start())
    _announce(server, options.ready_file)
    if not options.quiet:
        print(_guide(server, access_control=options.access_control), file=sys.stderr, flush=True)
    if options.until_stdin_closes:
        Thread(target=_stop_at_end_of_input, args=(server,), daemon=True).start()
    try:
        server.serve_forever(poll_interval=0.05)
    finally:
        server.server_close()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="embedded-aws", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes a free port")
    parser.add_argument("--host", default=LOOPBACK[0], help="the interface to listen on; loopback by default")
    parser.add_argument("--beyond-loopback", action="store_true", help="allow a --host that others can reach")
    parser.add_argument(
        "--account",
        "--account-id",
        dest="accounts",
        action="append",
        type=_account_id,
        metavar="ID",
        help=f"twelve digits, {DEFAULT_ACCOUNT_ID} by default; once more for each further account",
    )
    parser.add_argument(
        "--partition", choices=list(REGIONS), default=DEFAULT_PARTITION, help="the partition of the accounts"
    )
    parser.add_argument("--alias", help="the alias of the first account")
    parser.add_argument("--seed", type=Path, metavar="FILE", help="YAML: what the first account holds at the start")
    parser.add_argument("--faults", type=Path, metavar="FILE", help="YAML: how the accounts misbehave")
    parser.add_argument("--access-control", action="store_true", help="check signatures and permissions")
    parser.add_argument("--ready-file", type=Path, help="where to write the ready line too")
    parser.add_argument("--until-stdin-closes", action="store_true", help="end when standard input does")
    parser.add_argument("--quiet", action="store_true", help="do not say on standard error how to use the account")
    parser.add_argument("--switch-interval", type=float, help="seconds between switches of threads, to hunt races")
    return parser


def _account_id(text: str) -> str:
    if re.fullmatch(r"\d{12}", text, re.ASCII) is None:
        raise argparse.ArgumentTypeError("an AWS account id is twelve digits")
    return text


def _open(options: argparse.Namespace) -> Server:
    # moto reads this when it is imported, so it is imported only now.
    os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"
    from embedded_aws.accounts import Accounts
    from embedded_aws.faults_file import read_faults
    from embedded_aws.seed_file import plant_seed
    from embedded_aws.server import Server
    from embedded_aws.service import Service

    accounts = Accounts(
        options.accounts or [DEFAULT_ACCOUNT_ID], partition=options.partition, access_control=options.access_control
    )
    service = Service(accounts)
    if options.seed is not None:
        plant_seed(service, accounts.default, options.seed)
    if options.alias is not None:
        service.perform(accounts.default, "CreateAccountAlias", {"AccountAlias": options.alias})
    for fault in read_faults(options.faults) if options.faults is not None else []:
        service.faults.plant(fault)
    return Server(service, options.host, options.port)


def _announce(server: Server, ready_file: Path | None) -> None:
    """One JSON line: where the accounts are, and their administrators' keys; the first account's once more on top."""
    from embedded_aws.control import administrator_of

    keys = [administrator_of(account) for account in server.service.accounts]
    line = json.dumps({"endpoint_url": server.endpoint_url, **keys[0], "accounts": keys})
    if ready_file is not None:
        # Appears whole or not at all, so that a waiting reader never sees half a line.
        partial = ready_file.with_name(f"{ready_file.name}.partial")
        partial.touch(mode=0o600)
        partial.write_text(line + "\n")
        partial.replace(ready_file)
    print(line, flush=True)


def _guide(server: Server, *, access_control: bool) -> str:
    """What is served and how to reach it. The secret stands in the ready line, not here."""
    accounts, url = list(server.service.accounts), server.endpoint_url
    region = accounts[0].region
    checks = "signatures and permissions are checked" if access_control else "every key may do everything"
    return "\n".join(
        [
            f"embedded-aws serves IAM and STS of {_named(accounts)} at {url}; {checks}.",
            "Nothing here reaches AWS, and nothing outlasts this process. Ctrl-C ends it.",
            "",
            "The AWS CLI, with the key of the line above:",
            f"  export AWS_ACCESS_KEY_ID={accounts[0].administrator.access_key_id} AWS_SECRET_ACCESS_KEY=...",
            f"  aws --endpoint-url {url} --region {region} iam list-users",
            "boto3:",
            f'  boto3.client("iam", endpoint_url="{url}", region_name="{region}",',
            '               aws_access_key_id="...", aws_secret_access_key="...")',
            f"The control API (reset, dump, calls, inject, ...): POST JSON to {url}/_embedded/METHOD",
        ]
    )


def _named(accounts: list[Account]) -> str:
    names = []
    for account in accounts:
        alias = f" ({account.iam.account_aliases[0]})" if account.iam.account_aliases else ""
        names.append(f"{account.account_id}{alias}")
    return ("account " if len(names) == 1 else "accounts ") + ", ".join(names)


def _stop_at_end_of_input(server: Server) -> None:
    """The pipe closes when the parent ends, even by SIGKILL: then nothing is left behind."""
    while sys.stdin.buffer.read(4096):
        pass
    server.shutdown()


if __name__ == "__main__":
    sys.exit(main())
