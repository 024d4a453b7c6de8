"""The command `embedded-aws`: an AWS account (IAM and STS) on a port of the loopback interface."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from embedded_aws.process import DEFAULT_ACCOUNT_ID, LOOPBACK

if TYPE_CHECKING:
    from embedded_aws.server import Server


def main(arguments: list[str] | None = None) -> int:
    """Serve until interrupted, or until standard input closes if so asked."""
    options = _parser().parse_args(arguments)
    try:
        server = _open(options)
    except OSError as error:
        print(f"embedded-aws: cannot listen on {options.host}:{options.port}: {error}", file=sys.stderr)
        return 1
    _announce(server, options.ready_file)
    if options.until_stdin_closes:
        Thread(target=_stop_at_end_of_input, args=(server,), daemon=True).start()
    try:
        server.serve_forever(poll_interval=0.05)
    except KeyboardInterrupt:
        return 0
    finally:
        server.server_close()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="embedded-aws", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes a free port")
    parser.add_argument("--host", default=LOOPBACK[0], choices=LOOPBACK, help="loopback only")
    parser.add_argument("--account-id", type=_account_id, default=DEFAULT_ACCOUNT_ID, help="twelve digits")
    parser.add_argument("--access-control", action="store_true", help="check signatures and permissions")
    parser.add_argument("--ready-file", type=Path, help="where to write the ready line too")
    parser.add_argument("--until-stdin-closes", action="store_true", help="end when standard input does")
    return parser


def _account_id(text: str) -> str:
    if re.fullmatch(r"\d{12}", text, re.ASCII) is None:
        raise argparse.ArgumentTypeError("an AWS account id is twelve digits")
    return text


def _open(options: argparse.Namespace) -> Server:
    # moto reads this when it is imported, so it is imported only now.
    os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"
    from embedded_aws.account import Account
    from embedded_aws.server import Server
    from embedded_aws.service import Service

    account = Account(options.account_id, access_control=options.access_control)
    return Server(Service(account), options.host, options.port)


def _announce(server: Server, ready_file: Path | None) -> None:
    """One JSON line: where the account is, and its administrator's key."""
    account = server.service.account
    line = json.dumps(
        {
            "endpoint_url": server.endpoint_url,
            "account_id": account.account_id,
            "access_key_id": account.administrator.access_key_id,
            "secret_access_key": account.administrator.secret_access_key,
        }
    )
    if ready_file is not None:
        # Appears whole or not at all, so that a waiting reader never sees half a line.
        partial = ready_file.with_name(f"{ready_file.name}.partial")
        partial.touch(mode=0o600)
        partial.write_text(line + "\n")
        partial.replace(ready_file)
    print(line, flush=True)


def _stop_at_end_of_input(server: Server) -> None:
    """The pipe closes when the parent ends, even by SIGKILL: then nothing is left behind."""
    while sys.stdin.buffer.read(4096):
        pass
    server.shutdown()


if __name__ == "__main__":
    sys.exit(main())
