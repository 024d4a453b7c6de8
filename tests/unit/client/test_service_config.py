"""The service config for clients in other languages: the shipped client's, and retries for whatever reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor_pb2 import MethodOptions

from identity_client._channel import endpoint
from identity_client._contract import methods
from identity_provisioning.v1.user_service_pb2 import ListUsersRequest, ProvisionUserRequest
from identity_provisioning.v1.user_service_pb2_grpc import UserServiceStub
from tests.unit.client.fake_service import Failure, FakeIdentityService

FILE = Path(__file__).resolve().parents[3] / "docs" / "service-config.json"


@pytest.fixture
def config() -> dict[str, Any]:
    """Read the file."""
    read: dict[str, Any] = json.loads(FILE.read_text())
    return read


@pytest.fixture
def stub(service: FakeIdentityService) -> UserServiceStub:
    """Make a plain stub, as a generated client in another language would, with the file as its service config."""
    channel = grpc.insecure_channel(service.target, options=[("grpc.service_config", FILE.read_text())])
    return UserServiceStub(channel)


def test_it_balances_and_retries_as_the_shipped_client_does(config: dict[str, Any]) -> None:
    """Load balancing and the policy of retries are those of the Python client."""
    shipped = json.loads(str(dict(endpoint("localhost:1", insecure=True).options)["grpc.service_config"]))
    assert config["loadBalancingConfig"] == shipped["loadBalancingConfig"]
    assert [each["retryPolicy"] for each in config["methodConfig"]] == [
        each["retryPolicy"] for each in shipped["methodConfig"]
    ]


def test_it_names_what_reads_and_nothing_else(config: dict[str, Any]) -> None:
    """Every RPC that the contract declares free of side effects is retried, and no other."""
    named = {(name["service"], name["method"]) for each in config["methodConfig"] for name in each["name"]}
    reads = {
        (each.containing_service.full_name, each.name)
        for each in methods()
        if each.GetOptions().idempotency_level == MethodOptions.NO_SIDE_EFFECTS
    }
    assert named == reads


def test_a_read_is_tried_again(service: FakeIdentityService, stub: UserServiceStub) -> None:
    """A read that meets a server which is going away is answered all the same."""
    service.fail("ListUsers", Failure(grpc.StatusCode.UNAVAILABLE))
    stub.ListUsers(ListUsersRequest(), timeout=20)
    assert [each.method for each in service.received] == ["ListUsers", "ListUsers"]


def test_a_mutation_is_not(service: FakeIdentityService, stub: UserServiceStub) -> None:
    """What changes something is sent once, since its retries have rules that gRPC does not know."""
    service.fail("ProvisionUser", Failure(grpc.StatusCode.UNAVAILABLE))
    with pytest.raises(grpc.RpcError):
        stub.ProvisionUser(ProvisionUserRequest(), timeout=20)
    assert [each.method for each in service.received] == ["ProvisionUser"]
