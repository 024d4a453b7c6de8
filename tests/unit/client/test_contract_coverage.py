"""Both clients have every RPC of the contract, and know what the contract says of each."""

from __future__ import annotations

import re

import pytest
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message_factory import GetMessageClass

from identity_client import AsyncIdentityClient, IdentityClient
from identity_client._contract import methods, rpc
from identity_client._methods import Described
from identity_client._service_methods import ServiceMethods
from identity_provisioning.v1.credential_service_pb2 import RotateAccessKeyRequest
from tests.unit.client.fake_service import FakeIdentityService

ALL = list(methods())


def snake(method: MethodDescriptor) -> str:
    """Answer the Python name of an RPC."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", method.name).lower()


BY_REQUEST = [method for method in ALL if not isinstance(getattr(ServiceMethods, snake(method)), Described)]


def by_name(name: str) -> MethodDescriptor:
    """Find an RPC."""
    return next(method for method in ALL if method.name == name)


@pytest.mark.parametrize("client_type", [IdentityClient, AsyncIdentityClient])
def test_every_rpc_is_a_method(client_type: type) -> None:
    """No RPC that the contract declares is missing from either client."""
    assert len(ALL) >= 35
    assert [method.name for method in ALL if not hasattr(client_type, snake(method))] == []


@pytest.mark.parametrize("method", BY_REQUEST, ids=lambda method: method.name)
def test_each_method_calls_its_own_rpc(service: FakeIdentityService, method: MethodDescriptor) -> None:
    """A method that takes a request message reaches the RPC of its name, on both clients' shared path."""
    request = GetMessageClass(method.input_type)()
    with IdentityClient(service.target, insecure=True) as client:
        answer = getattr(client, snake(method))(request)
        if method.server_streaming:
            list(answer)
    assert [each.method for each in service.received] == [method.name]


@pytest.mark.parametrize("method", BY_REQUEST, ids=lambda method: method.name)
async def test_each_awaited_method_calls_its_own_rpc(service: FakeIdentityService, method: MethodDescriptor) -> None:
    """The asyncio twin reaches the same RPCs."""
    request = GetMessageClass(method.input_type)()
    async with AsyncIdentityClient(service.target, insecure=True) as client:
        answer = getattr(client, snake(method))(request)
        if method.server_streaming:
            assert [each async for each in answer]
        else:
            await answer
    assert [each.method for each in service.received] == [method.name]


def test_every_mutation_carries_a_request_id(service: FakeIdentityService) -> None:
    """Each RPC that changes something has a request_id field, so the client can make one."""
    for method in ALL:
        found = rpc(GetMessageClass(method.input_type), GetMessageClass(method.output_type))
        assert ("request_id" in method.input_type.fields_by_name) == (not found.reads_only)


def test_minting_calls_are_read_from_the_contract() -> None:
    """The calls that issue credentials are found by their answers."""
    minting = {
        method.name
        for method in ALL
        if rpc(GetMessageClass(method.input_type), GetMessageClass(method.output_type)).mints
    }
    assert minting == {"ProvisionUser", "CreateCredentials", "RotateAccessKey", "ResetPassword", "CreateMfaDevice"}


def test_a_request_of_another_rpc_is_refused(client: IdentityClient, service: FakeIdentityService) -> None:
    """A wrong message is a TypeError here, and is never sent to be taken for another."""
    wrong = GetMessageClass(by_name("DeleteGroup").input_type)()
    with pytest.raises(TypeError, match="RotateAccessKeyRequest"):
        client.rotate_access_key(wrong)  # type: ignore[arg-type]  # the mistake that is tested
    assert service.received == []


def test_the_callers_message_is_left_alone(client: IdentityClient, service: FakeIdentityService) -> None:
    """The request_id is put into a copy, so that a message may be used as a template."""
    request = RotateAccessKeyRequest(user_name="ana")
    client.rotate_access_key(request)
    client.rotate_access_key(request)
    ids = [each.request.request_id for each in service.calls("RotateAccessKey")]
    assert request.request_id == ""
    assert len(set(ids)) == 2
