"""An AWS account of this machine, in a child process, for trying the service out: `--embedded-aws`."""

import asyncio
import importlib.util
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from identity_service.domain.secret import Secret

EXTRA = "identity-provisioning-service[embedded]"
FOREIGN_VARIABLES = ("AWS_", "BOTO_", "MOTO_")
"""Settings of the real AWS that happen to be around; they must not reach the child."""
DEFAULT_PARTITION = "aws"
START_SECONDS = 60.0
STOP_SECONDS = 5.0


class EmbeddedAwsError(Exception):
    """The embedded account cannot be had; the text is for the operator."""


@dataclass(frozen=True)
class EmbeddedAccount:
    """Where the account is, in which partition, and its administrator's key."""

    endpoint_url: str
    account_id: str
    partition: str
    access_key_id: str
    secret_access_key: Secret


@asynccontextmanager
async def embedded_account(
    *, partition: str = DEFAULT_PARTITION, access_control: bool = False, seed: Path | None = None
) -> AsyncIterator[EmbeddedAccount]:
    """Run an account while the block lasts. It ends with this process, however that ends."""
    _require_installed()
    process = await asyncio.create_subprocess_exec(
        *_command(partition, access_control, seed),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={name: value for name, value in os.environ.items() if not name.startswith(FOREIGN_VARIABLES)},
        # Ctrl-C at a terminal goes to a whole group; the account has to outlast the drain.
        start_new_session=True,
    )
    try:
        yield await _wait_until_ready(process, partition)
    finally:
        await _stop(process)


def _require_installed() -> None:
    if importlib.util.find_spec("moto") is None:
        raise EmbeddedAwsError(f"--embedded-aws needs the extra: pip install '{EXTRA}'")


def _command(partition: str, access_control: bool, seed: Path | None) -> list[str]:
    command = [sys.executable, "-m", "embedded_aws", "--port", "0", "--until-stdin-closes", "--quiet"]
    command += ["--partition", partition]
    command += ["--access-control"] if access_control else []
    return [*command, "--seed", str(seed)] if seed else command


async def _wait_until_ready(process: asyncio.subprocess.Process, partition: str) -> EmbeddedAccount:
    line = b""
    if process.stdout is not None:
        try:
            line = await asyncio.wait_for(process.stdout.readline(), START_SECONDS)
        except TimeoutError:
            raise EmbeddedAwsError("the embedded AWS account did not start in time") from None
    if not line:
        raise EmbeddedAwsError("the embedded AWS account ended before it served; its message stands above")
    ready = json.loads(line)
    return EmbeddedAccount(
        endpoint_url=ready["endpoint_url"],
        account_id=ready["account_id"],
        partition=partition,
        access_key_id=ready["access_key_id"],
        secret_access_key=Secret(ready["secret_access_key"]),
    )


async def _stop(process: asyncio.subprocess.Process) -> None:
    """Close the pipe, at which the account ends by itself."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), STOP_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
