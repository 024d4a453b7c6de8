"""The demo: users provisioned by gRPC in an AWS account that runs on this machine. Run it with `make demo`.

Starts the embedded AWS account and the service on free loopback ports, with certificates made on the spot; provisions
`onboarding.yaml` through `identityctl`, as a person would; then uses one of the issued keys. Everything that was
started is stopped at the end. What it leaves stands in `build/demo/`, or in the folder that `--results` names.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import boto3
from botocore.exceptions import ClientError
from demo_certificates import write_certificates
from rich.console import Console
from rich.rule import Rule

from embedded_aws import EmbeddedAws
from identity_client.handout import read_credentials_csv

HERE = Path(__file__).resolve().parent
BIN = Path(sys.executable).parent
CALLER = "spiffe://example.org/demo"
START_SECONDS = 30.0
PROVEN_USER = "inventory-reader"
console = Console(highlight=False, soft_wrap=True)


def main() -> int:
    """Run the demo; return 0 if everything went as it should."""
    parser = argparse.ArgumentParser(description="Provision users in an AWS account on this machine.")
    parser.add_argument("--results", type=Path, default=HERE.parent / "build" / "demo", metavar="DIR")
    results: Path = parser.parse_args().results
    shutil.rmtree(results, ignore_errors=True)
    results.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as folder, embedded_account() as aws:
        secrets = Path(folder)
        say("An AWS account, with what examples/account.yaml puts there", f"It serves at {aws.endpoint_url}.")
        write_certificates(secrets, client_spiffe_id=CALLER)
        with service(aws, secrets, results / "server.log") as target:
            say("The identity service", f"It serves gRPC with mutual TLS at {target}; we call as {CALLER}.")
            provision(target, secrets, results)
        prove(aws, results)
        (results / "account.json").write_text(json.dumps(aws.dump(), indent=2) + "\n")
    leave_word(results)
    return 0


def say(what: str, more: str = "") -> None:
    """Head a part of the demo."""
    console.print()
    console.print(Rule(f"[bold]{what}[/bold]", align="left"))
    if more:
        console.print(more)


def embedded_account() -> EmbeddedAws:
    """Describe an account as a platform team has prepared it, which checks permissions."""
    return EmbeddedAws(access_control=True, arguments=("--seed", str(HERE / "account.yaml")))


def client(name: Literal["iam", "sts"], aws: EmbeddedAws, access_key_id: str, secret_access_key: str) -> Any:
    """Make a client of one of the account's services, with the key of one of its users."""
    made: Any = boto3.client(
        name,
        endpoint_url=aws.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=access_key_id,
        aws_secret_access_key=secret_access_key,
    )
    return made


@contextmanager
def service(
    aws: EmbeddedAws, secrets: Path, log_file: Path, authorization: Path = HERE / "authorization"
) -> Iterator[str]:
    """Run the service as an operator would, with settings from its environment; yield its address."""
    ready = secrets / "ready.json"
    with log_file.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own program
            [BIN / "identity-service", "--ready-file", ready],
            env=os.environ | service_settings(aws, secrets, authorization),
            stderr=log,
        )
        try:
            yield wait_until_ready(process, ready, log_file)
        finally:
            process.terminate()
            process.wait(START_SECONDS)


def service_settings(aws: EmbeddedAws, secrets: Path, authorization: Path) -> dict[str, str]:
    """Say in variables where the service finds all that it needs, with free ports; write the file of its key."""
    credentials = secrets / "aws-credentials"
    credentials.touch(mode=0o600)
    credentials.write_text(
        f"[default]\naws_access_key_id = {aws.access_key_id}\naws_secret_access_key = {aws.secret_access_key}\n"
    )
    settings = {
        "AWS_SHARED_CREDENTIALS_FILE": credentials,
        "IDENTITY_SERVICE_AWS_ACCOUNT_ID": aws.account_id,
        "IDENTITY_SERVICE_AWS_ENDPOINT_URL": aws.endpoint_url,
        "IDENTITY_SERVICE_AWS_REGION": "us-east-1",
        "IDENTITY_SERVICE_AUTHORIZATION_DIR": authorization,
        "IDENTITY_SERVICE_STORE_URL": f"sqlite:///{secrets / 'store.sqlite3'}",
        "IDENTITY_SERVICE_LISTEN_ADDRESS": "127.0.0.1:0",
        "IDENTITY_SERVICE_HEALTH_ADDRESS": "127.0.0.1:0",
        "IDENTITY_SERVICE_TLS_CERTIFICATE_FILE": secrets / "server.pem",
        "IDENTITY_SERVICE_TLS_PRIVATE_KEY_FILE": secrets / "server.key",
        "IDENTITY_SERVICE_CLIENT_CA_FILE": secrets / "ca.pem",
    }
    return {name: str(value) for name, value in settings.items()}


def wait_until_ready(process: subprocess.Popen[bytes], ready: Path, log_file: Path) -> str:
    """Wait until the service has written its address; raise SystemExit with its log if it ends before."""
    deadline = time.monotonic() + START_SECONDS
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"the service did not start:\n{log_file.read_text()}")
        time.sleep(0.05)
    address: str = json.loads(ready.read_text())["listen_address"]
    return f"localhost:{address.rpartition(':')[2]}"


def provision(target: str, secrets: Path, results: Path) -> None:
    """Review and provision the users with the command line."""
    connection = {
        "IDENTITY_TARGET": target,
        "IDENTITY_CA": str(secrets / "ca.pem"),
        "IDENTITY_CERT": str(secrets / "client.pem"),
        "IDENTITY_KEY": str(secrets / "client.key"),
    }
    users = relative(HERE / "onboarding.yaml")
    hand_outs = ("--csv", relative(results / "credentials.csv"), "--mail-dir", relative(results / "mail"))
    identityctl(connection, "account")
    identityctl(connection, "plan", "--file", users)
    identityctl(connection, "provision", "--file", users, "--yes", *hand_outs)
    identityctl(connection, "get", "ana.lima")


def identityctl(connection: dict[str, str], *arguments: str) -> None:
    """Show and run a command, as if typed at a terminal; raise SystemExit if it fails."""
    console.print(f"\n[bold]$ identityctl {' '.join(arguments)}[/bold]")
    result = subprocess.run(  # noqa: S603 - our own program
        [BIN / "identityctl", *arguments], env=os.environ | connection, check=False
    )
    if result.returncode:
        raise SystemExit(f"identityctl ended with {result.returncode}; the service's log may say more")


def prove(aws: EmbeddedAws, results: Path) -> None:
    """Use an issued key: it is who it should be, may do what it should, and may not do more."""
    say(f"The access key of {PROVEN_USER} works, and grants what was asked for")
    row = next(row for row in read_credentials_csv(results / "credentials.csv") if row.user_name == PROVEN_USER)
    key = (row.access_key_id, row.secret_access_key)
    identity = client("sts", aws, *key).get_caller_identity()
    console.print(f"sts:GetCallerIdentity  [green]allowed[/green]  {identity['Arn']}")
    iam = client("iam", aws, *key)
    users = iam.list_users()["Users"]
    console.print(f"iam:ListUsers          [green]allowed[/green]  {len(users)} users, by IAMReadOnlyAccess")
    try:
        iam.create_user(UserName="intruder")
    except ClientError as error:
        code = error.response["Error"]["Code"]
        console.print(f"iam:CreateUser         [red]refused[/red]  {code}")
    else:
        raise SystemExit(f"{PROVEN_USER} could make a user, which nobody granted")


def leave_word(results: Path) -> None:
    """Say what is left and where to go on."""
    say("Done; everything that was started is stopped")
    for name, what in {
        "credentials.csv": "the one-time hand-out, as AWS's console writes it; mode 0600",
        "mail": "a sign-in mail for each person, as a draft without the password",
        "account.json": "the whole AWS account as it was left",
        "server.log": "what the service logged: one line a call, and no secret",
    }.items():
        console.print(f"  {relative(results / name):<28} {what}")
    console.print("\nNext: change [bold]examples/onboarding.yaml[/bold] and run it again, or read README.md.")


def relative(path: Path) -> str:
    """Name a path as seen from where the demo was started, if it is below."""
    return os.path.relpath(path)


if __name__ == "__main__":
    sys.exit(main())
