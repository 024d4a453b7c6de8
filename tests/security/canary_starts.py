"""Programs that meet secrets in their settings or in what they print: servers that do not start, the command line."""

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.security.canary_world import CUSTOM, World

STORE_PASSWORD = "canary-store-Pa55word"
OWN_KEY = "canarywJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLE"
SECONDS = 90
AT_ONCE = 3


async def look_at_starts(world: World, *, quick: bool) -> None:
    """Start servers and commands whose settings hold secrets and are wrong, and search what they print.

    If it has to be `quick`, one of each kind.
    """
    world.search.add("password of the store", STORE_PASSWORD)
    world.search.add("secret key of a setting", OWN_KEY)
    folder = world.folder.parent / "starts"
    folder.mkdir()
    turns = asyncio.Semaphore(AT_ONCE)

    async def look(number: int, name: str, command: Sequence[str], changes: Mapping[str, str]) -> None:
        variables = {**_good(world, folder / str(number)), **changes}
        async with turns:
            code, output = await _run([sys.executable, "-m", "identity_service", *command], variables)
        world.search.look(f"start, {name}: output", output)
        if code == 0 or not output:
            raise AssertionError(f"with {name} a server said nothing and ended with {code}")

    chosen = [start for kind in _starts(world, folder) for start in (kind[:1] if quick else kind)]
    await asyncio.gather(*(look(number, *start) for number, start in enumerate(chosen)))


def _good(world: World, folder: Path) -> dict[str, str]:
    folder.mkdir()
    return {
        "AWS_ACCESS_KEY_ID": "AKIACANARYCANARY1234",
        "AWS_SECRET_ACCESS_KEY": OWN_KEY,
        "IDENTITY_SERVICE_AWS_ACCOUNT_ID": world.aws.account_id,
        "IDENTITY_SERVICE_AWS_ENDPOINT_URL": world.aws.endpoint_url,
        "IDENTITY_SERVICE_AUTHORIZATION_DIR": str(world.folder / "authorization"),
        "IDENTITY_SERVICE_STORE_URL": f"sqlite:///{folder / 'store.sqlite3'}",
        "IDENTITY_SERVICE_LISTEN_ADDRESS": "127.0.0.1:0",
        "IDENTITY_SERVICE_HEALTH_ADDRESS": "127.0.0.1:0",
        "IDENTITY_SERVICE_TLS_CERTIFICATE_FILE": str(world.folder / "tls.crt"),
        "IDENTITY_SERVICE_TLS_PRIVATE_KEY_FILE": str(world.folder / "tls.key"),
        "IDENTITY_SERVICE_CLIENT_CA_FILE": str(world.folder / "ca.crt"),
        "IDENTITY_SERVICE_LOG_LEVEL": "DEBUG",
        "GRPC_VERBOSITY": "debug",
        "PYTHONASYNCIODEBUG": "1",
    }


def _starts(world: World, folder: Path) -> list[list[tuple[str, Sequence[str], Mapping[str, str]]]]:
    """Write what is started, by where the secret is that it meets."""
    key, prefix = str(world.folder / "tls.key"), "IDENTITY_SERVICE_"
    config = folder / "config"
    config.write_text(f"[default\naws_secret_access_key = {OWN_KEY}\n")
    cut = folder / "cut.key"
    cut.write_bytes(Path(key).read_bytes()[:-60])
    url = f"postgresql+psycopg://identity:{STORE_PASSWORD}@127.0.0.1:1/identity"
    password = folder / "store-password"
    password.write_text(STORE_PASSWORD)
    without = {
        f"{prefix}STORE_URL": url.replace(f":{STORE_PASSWORD}", ""),
        f"{prefix}STORE_PASSWORD_FILE": str(password),
    }
    return [
        [
            ("a database that is not there, with the password's file", [], without),
            ("a database that is not there, with the password's file, to migrate", ["migrate"], without),
        ],
        [
            ("a database that is not there, to migrate", ["migrate"], {f"{prefix}STORE_URL": url}),
            ("a database that is not there", [], {f"{prefix}STORE_URL": url}),
            ("an unknown database", [], {f"{prefix}STORE_URL": url.replace("postgresql+psycopg", "nosuchdb")}),
        ],
        [
            ("the password as the address of a store", [], {f"{prefix}STORE_URL": STORE_PASSWORD}),
            ("a broken address of a store", [], {f"{prefix}STORE_URL": url.replace(":1/", ":port/")}),
        ],
        [
            ("a key file that is cut", [], {f"{prefix}TLS_PRIVATE_KEY_FILE": str(cut)}),
            ("the key file as certificate", [], {f"{prefix}TLS_CERTIFICATE_FILE": key}),
            ("the key file as bundle", [], {f"{prefix}CLIENT_CA_FILE": key}),
            ("the key file as authorization", [], {f"{prefix}AUTHORIZATION_DIR": key}),
        ],
        [
            ("a key of AWS with a line's end", ["sweep"], {"AWS_SECRET_ACCESS_KEY": f"{OWN_KEY}\n"}),
            ("a key of AWS that AWS refuses", ["sweep"], {f"{prefix}AWS_ACCOUNT_ID": "999999999999"}),
        ],
        [("a broken file of AWS", ["sweep"], {"AWS_CONFIG_FILE": str(config)})],
        [
            ("the key of AWS as account", [], {f"{prefix}AWS_ACCOUNT_ID": OWN_KEY}),
            ("no account", [], {f"{prefix}AWS_ACCOUNT_ID": ""}),
        ],
        [("a broken header for traces", [], {
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_HEADERS": f"auth {OWN_KEY}"})],
    ]  # fmt: skip


async def look_at_commands(world: World) -> None:
    """Run the command line with a password that it is given and secrets that it hands out; search the rest."""
    folder = world.folder.parent / "commands"
    folder.mkdir()
    base = [sys.executable, "-m", "identity_client.cli", "--target", world.address]
    base += ["--ca", str(folder / "ca"), "--cert", str(world.folder / "client.crt")]
    base += ["--key", str(world.folder / "client.key")]
    (folder / "ca").write_bytes(world.pki.root.pem)
    give = ["provision", "--yes", "--console", "--access-key", "--mfa-device", "--csv", str(folder / "out.csv")]
    give += ["--mfa-dir", str(folder / "mfa")]
    custom = ["provision", "--yes", "--password-stdin", "--console", "cli2", "--access-key"]
    cases: list[tuple[str, list[str], bytes]] = [
        ("hand-out", [*give, "cli1"], b""),
        ("password from standard input, no place for the key", custom, CUSTOM.encode()),
        ("unknown group", [*custom, "--group", "Nowhere", "--show-secrets"], CUSTOM.encode()),
        ("bad name", ["provision", "--yes", "--password-stdin", "--console", "not a name"], CUSTOM.encode()),
        ("codes that do not belong", ["mfa", "enable", "cli1", "418207", "935512"], b""),
    ]
    for name, command, given in cases:
        _, output = await _run([*base, *command], {"HOME": str(folder)}, given, folder, stdout=False)
        world.search.look(f"identityctl, {name}: standard error", output)
        for path in folder.glob(".identityctl*"):
            world.search.look(f"identityctl, {name}: file {path.name}", path.read_bytes())
    if not (folder / "out.csv").exists():
        raise AssertionError(f"identityctl has handed nothing out: {output.decode(errors='replace')}")


async def _run(
    command: Sequence[str], variables: Mapping[str, str], given: bytes = b"", folder: Path | None = None,
    stdout: bool = True,
) -> tuple[int, bytes]:  # fmt: skip
    """Run a program; return its exit code and what it printed."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "IDENTITY_", "OTEL_"))}
    process = await asyncio.create_subprocess_exec(
        *command, env={**own, **variables}, cwd=folder, stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, error = await asyncio.wait_for(process.communicate(given), SECONDS)
    return process.returncode or 0, error + (out if stdout else b"")
