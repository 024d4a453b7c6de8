"""Rules of the contract that buf does not know, read from the image that the server validates with."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from google.api import field_behavior_pb2
from google.protobuf import descriptor_pb2

PACKAGE = "identity_provisioning.v1"
UNSTATED = descriptor_pb2.MethodOptions.IDEMPOTENCY_UNKNOWN
READS = descriptor_pb2.MethodOptions.NO_SIDE_EFFECTS
Method = descriptor_pb2.MethodDescriptorProto
Message = descriptor_pb2.DescriptorProto


class Contract:
    """Our own files of the image."""

    def __init__(self, image: bytes) -> None:
        files = descriptor_pb2.FileDescriptorSet.FromString(image).file
        self.files = [file for file in files if file.package == PACKAGE]
        self.messages = {f".{PACKAGE}.{message.name}": message for file in self.files for message in file.message_type}

    def methods(self) -> Iterator[tuple[Method, Message]]:
        """Yield each RPC with its request."""
        for file in self.files:
            for service in file.service:
                for method in service.method:
                    yield method, self.messages[method.input_type]

    def mutations(self) -> Iterator[tuple[Method, Message]]:
        """Yield each RPC that changes something with its request."""
        return ((method, request) for method, request in self.methods() if method.options.idempotency_level != READS)


@pytest.fixture(scope="module")
def contract(root: Path) -> Contract:
    """The contract as the server has it."""
    return Contract((root / "service/identity_service/rpc/contract.binpb").read_bytes())


def test_contract_declares_five_services(contract: Contract) -> None:
    """All five services are declared, each in the file that is named like its resource."""
    found = {service.name: file.name for file in contract.files for service in file.service}
    assert found == {
        f"{resource.title()}Service": f"identity_provisioning/v1/{resource}_service.proto"
        for resource in ("account", "credential", "operation", "permission", "user")
    }


def test_every_rpc_says_whether_it_may_be_repeated(contract: Contract) -> None:
    """Each RPC has an idempotency level."""
    unstated = [method.name for method, _ in contract.methods() if method.options.idempotency_level == UNSTATED]
    assert unstated == []


def test_every_mutation_can_be_retried(contract: Contract) -> None:
    """Each request that changes something has the request_id by which a retry is known."""
    assert [method.name for method, request in contract.mutations() if "request_id" not in _names(request)] == []


def test_every_mutation_can_be_tried_out(contract: Contract) -> None:
    """Each request that changes something can be asked what it would do (AIP-163)."""
    assert [method.name for method, request in contract.mutations() if "validate_only" not in _names(request)] == []


def test_every_request_names_the_account(contract: Contract) -> None:
    """Each request says in which account it is meant."""
    assert [method.name for method, request in contract.methods() if "account_id" not in _names(request)] == []


def test_every_request_field_says_how_it_behaves(contract: Contract) -> None:
    """Each field of a request is marked required, optional or otherwise."""
    silent = [
        f"{request.name}.{field.name}"
        for _, request in contract.methods()
        for field in request.field
        if not field.options.Extensions[field_behavior_pb2.field_behavior]
    ]
    assert silent == []


def test_every_list_is_paged(contract: Contract) -> None:
    """Each List is asked for pages and answers how to get the next one."""
    for method, request in contract.methods():
        if method.name.startswith("List"):
            assert {"page_size", "page_token"} <= _names(request), method.name
            assert "next_page_token" in _names(contract.messages[method.output_type]), method.name


def test_only_watching_streams(contract: Contract) -> None:
    """WatchOperation is the one stream, and it streams from the server."""
    streams = [method for method, _ in contract.methods() if method.client_streaming or method.server_streaming]
    assert [(method.name, method.client_streaming) for method in streams] == [("WatchOperation", False)]


def _names(message: Message) -> set[str]:
    return {field.name for field in message.field}
