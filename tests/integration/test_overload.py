"""A server with as many calls as it takes, flooded: nobody is refused unseen, and the shipped client gets through."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from embedded_aws import Fault, Hold
from identity_client import IdentityClient, Retry
from identity_provisioning.v1.user_service_pb2 import GetUserRequest
from identity_provisioning.v1.user_service_pb2_grpc import UserServiceStub
from tests.integration.conftest import Account, reason_of, start_server, wait_until_ready
from tests.integration.test_metrics import METRICS, scrape, value

PLACES = 2
FLOOD = 40
LIMITS = {"IDENTITY_SERVICE_MAXIMUM_CONCURRENT_RPCS": str(PLACES), "IDENTITY_SERVICE_MAXIMUM_WATCHERS": "1"}
REQUEST = GetUserRequest(user_name="ana")
GET_USER = "identity_provisioning.v1.UserService/GetUser"
LONG = 30


class Crowd:
    """Counts whose first attempt was refused, and lets the calls that hold the places end once all were."""

    def __init__(self, account: Account, size: int) -> None:
        self.reasons: list[str] = []
        self._account = account
        self._size = size
        self._lock = Lock()

    def hear(self, retry: Retry) -> None:
        """Be told that a call will be sent again."""
        with self._lock:
            self.reasons.append(retry.error.reason)
            if len(self.reasons) == self._size:
                self._account.aws.release()


@pytest.fixture
def full(account: Account, tmp_path: Path) -> Iterator[str]:
    """Run a server whose places are taken by calls that IAM does not answer; its address."""
    process, ready = start_server(account, tmp_path, {**METRICS, **LIMITS})
    try:
        address = wait_until_ready(process, ready)
        account.iam.create_user(UserName="ana")
        account.aws.inject(Fault("GetUser", Hold(), times=PLACES))
        with grpc.insecure_channel(address) as channel:
            holders = [UserServiceStub(channel).GetUser.future(REQUEST, timeout=LONG) for _ in range(PLACES)]
            account.aws.wait_for_held(PLACES)
            yield address
            account.aws.release()
            assert [holder.exception(LONG) for holder in holders] == [None] * PLACES
    finally:
        process.terminate()
        process.wait(30)


def retry_delay(error: grpc.RpcError) -> float:
    """Read when an answer's details say to ask again; in seconds."""
    metadata: Any = error.trailing_metadata()
    found = RetryInfo()
    details = Status.FromString(dict(metadata)["grpc-status-details-bin"]).details
    assert any(detail.Unpack(found) for detail in details)
    return float(found.retry_delay.ToMilliseconds() / 1000)


def test_every_refused_call_is_told_why_logged_and_counted(full: str, tmp_path: Path) -> None:
    """Of a flood each call is OVERLOADED with a time to come back, and is in log and metrics."""
    with grpc.insecure_channel(full) as channel:
        calls = [UserServiceStub(channel).GetUser.future(REQUEST, timeout=LONG) for _ in range(FLOOD)]
        errors: list[Any] = [call.exception(LONG) for call in calls]
    assert {(error.code(), reason_of(error), retry_delay(error)) for error in errors} == {
        (grpc.StatusCode.UNAVAILABLE, "OVERLOADED", 1.0)
    }
    lines = [json.loads(line) for line in (tmp_path / "server.log").read_text().splitlines()]
    refused = [line for line in lines if line["event"] == "rpc" and line["outcome"] == "OVERLOADED"]
    assert {(line["method"], line["grpc_code"]) for line in refused} == {(GET_USER, "UNAVAILABLE")}
    assert len({line["trace_id"] for line in refused}) == FLOOD
    refusals = {"rpc_method": GET_USER, "rpc_response_status_code": "UNAVAILABLE", "error_type": "OVERLOADED"}
    assert value(scrape(tmp_path), "rpc_server_call_duration_seconds_count", **refusals) == FLOOD


def test_the_shipped_client_gets_through(full: str, account: Account) -> None:
    """Reads and mutations that met a full server are sent again until there is a place, and answered."""
    names = [f"user-{index}" for index in range(4)]
    crowd = Crowd(account, 2 * len(names))
    with (
        IdentityClient(full, insecure=True, on_retry=crowd.hear) as client,
        ThreadPoolExecutor(2 * len(names)) as pool,
    ):
        reads = [pool.submit(client.get_user, "ana") for _ in names]
        made = [pool.submit(client.create_user, name) for name in names]
        assert {read.result(LONG).user.user_name for read in reads} == {"ana"}
        assert [each.result(LONG).user.user_name for each in made] == names
    assert set(crowd.reasons) == {"OVERLOADED"}
