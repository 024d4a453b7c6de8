"""The audit log of requests that fail, beside what AWS has recorded: no call is missing, on the real way."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from embedded_aws import Fault, throttled
from embedded_aws.faults import AnswerError
from identity_client import ConsolePassword, IdentityClient, IdentityServiceError
from tests.integration.conftest import Account, start_server, wait_until_ready
from tests.support.processes import run

READS = ("Get", "List", "Simulate", "Generate")
REFUSED = AnswerError("AccessDenied", 403)


def export(folder: Path) -> list[dict[str, Any]]:
    """Export the audit log of the server in a folder."""
    environment = {**os.environ, "IDENTITY_SERVICE_STORE_URL": f"sqlite:///{folder / 'store.sqlite3'}"}
    done = run("identity_service", "audit", "export", env=environment)
    done.check_returncode()
    return [json.loads(line) for line in done.stdout.splitlines()]


def provision(client: IdentityClient) -> None:
    """Ask for a user with all kinds of calls, of which one is refused and one that undoes has to be repeated."""
    client.provision_user(
        "ana.lima",
        groups=["Developers"],
        policies=["ReadOnlyAccess"],
        access_key=True,
        console_password=ConsolePassword(),
    )


@pytest.mark.parametrize(
    ("fault", "ask"),
    [
        (Fault("CreateLoginProfile", REFUSED), provision),
        (Fault("AddUserToGroup", REFUSED), provision),
        (Fault("DeleteUser", REFUSED), lambda client: client.delete_user("bo.lind")),
    ],
    ids=["the last round fails", "one of several fails", "a deletion fails halfway"],
)
def test_every_write_of_a_failed_request_is_found(
    embedded_account: Account, tmp_path: Path, fault: Fault, ask: Callable[[IdentityClient], None]
) -> None:
    """Each IAM write that AWS recorded for a failed request stands in its failure's line by its request id."""
    embedded_account.prepare()
    process, ready = start_server(embedded_account, tmp_path, {"IDENTITY_SERVICE_LOG_LEVEL": "ERROR"})
    aws = embedded_account.aws
    try:
        with IdentityClient(wait_until_ready(process, ready), insecure=True) as client:
            client.provision_user("bo.lind", groups=["Developers"], access_key=True)
            aws.clear_calls()
            aws.inject(fault)
            aws.inject(Fault("RemoveUserFromGroup", throttled()))
            with pytest.raises(IdentityServiceError):
                ask(client)
    finally:
        process.terminate()
        process.wait(30)
        calls = aws.calls()
        aws.clear_faults()
    writes = [call for call in calls if not call.operation.startswith(READS)]
    (failure,) = [line for line in export(tmp_path) if line["event"] == "failure"]
    told = {(call["action"], call["aws_request_id"]) for call in failure["result"]["calls"]}
    assert len(writes) > 2
    assert told == {(f"iam:{call.operation}", call.request_id) for call in writes}
    assert set(failure["aws_request_ids"]) == {call.request_id for call in writes}
