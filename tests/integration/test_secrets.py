"""Secrets are in the answer that makes them and nowhere else."""

import base64
import json
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import pytest

from embedded_aws import Fault
from embedded_aws.faults import AnswerError
from identity_client import ConsolePassword, IdentityClient, IdentityServiceError
from tests.integration.conftest import Account

CUSTOM = 'Canary-"7&kept/secret'
REFUSED = "canary-refused"


def spellings(secret: str) -> set[bytes]:
    """Write a secret in the forms in which a careless program would leave it."""
    return {
        secret.encode(),
        base64.b64encode(secret.encode()),
        quote(secret, safe="").encode(),
        json.dumps(secret)[1:-1].encode(),
    }


def test_neither_log_nor_store_holds_a_secret(client: IdentityClient, account: Account, server_folder: Path) -> None:
    """After successes, failures, refusals and replays at log level DEBUG, no file of the server holds a secret."""
    request_id = str(uuid4())
    made = client.provision_user("ana", access_key=True, console_password=True, request_id=request_id)
    client.provision_user("ana", access_key=True, console_password=True, request_id=request_id)
    client.provision_user("bo", console_password=ConsolePassword(custom=CUSTOM))
    account.aws.inject(Fault("CreateLoginProfile", AnswerError("PasswordPolicyViolation", 400)))
    for password in (CUSTOM, REFUSED):
        with pytest.raises(IdentityServiceError) as caught:
            client.provision_user("cy", console_password=ConsolePassword(custom=password))
        assert password not in str(caught.value) + repr(caught.value) + str(caught.value.metadata)
    secrets = [
        made.credentials.access_key.secret_access_key,
        made.credentials.console_password.password,
        CUSTOM,
        REFUSED,
    ]
    files = [path for path in server_folder.iterdir() if path.is_file()]
    assert {"server.log", "store.sqlite3"} <= {path.name for path in files}
    for path in files:
        content = path.read_bytes()
        assert not [spelling for secret in secrets for spelling in spellings(secret) if spelling in content], path


def test_each_rpc_leaves_one_line(client: IdentityClient, account: Account, server_folder: Path) -> None:
    """The log line of a call says method, caller, user, outcome, duration, trace id and AWS's request ids."""
    request_id = str(uuid4())
    made = client.provision_user("ana", access_key=True, request_id=request_id)
    lines = [json.loads(line) for line in (server_folder / "server.log").read_text().splitlines()]
    (line,) = [line for line in lines if line.get("request_id") == request_id]
    assert line["method"] == "identity_provisioning.v1.UserService/ProvisionUser"
    assert (line["caller"], line["user_name"], line["outcome"]) == ("spiffe://insecure.local/caller", "ana", "OK")
    assert len(line["trace_id"]) == 32
    assert line["duration_ms"] > 0
    assert {step.aws_request_id for step in made.steps} <= set(line["aws_request_ids"])
