"""Rules of the contract that buf does not know, read from the image that the server validates with."""

import re
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
Service = descriptor_pb2.ServiceDescriptorProto
Enum = descriptor_pb2.EnumDescriptorProto


class Contract:
    """Our own files of the image."""

    def __init__(self, image: bytes) -> None:
        files = descriptor_pb2.FileDescriptorSet.FromString(image).file
        self.files = [file for file in files if file.package == PACKAGE]
        self.messages = {f".{PACKAGE}.{message.name}": message for file in self.files for message in file.message_type}

    def service(self, name: str) -> Service:
        """Return a service by its name."""
        return next(service for file in self.files for service in file.service if service.name == name)

    def enum(self, name: str) -> Enum:
        """Return an enum of a file by its name."""
        return next(enum for file in self.files for enum in file.enum_type if enum.name == name)

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


def test_every_mutation_answers_its_plan_and_whether_it_is_a_replay(contract: Contract) -> None:
    """Each answer to a change holds the plan, and says when an earlier call did the work."""
    # Operations are answered as they stand; their work goes on after the answer.
    operations = {method.name for method in contract.service("OperationService").method}
    lacking = [
        method.name
        for method, _ in contract.mutations()
        if method.name not in operations and not {"plan", "replayed"} <= _names(contract.messages[method.output_type])
    ]
    assert lacking == []


def test_every_error_that_a_comment_names_is_a_reason(root: Path, contract: Contract) -> None:
    """Each RPC's comment lists its errors, by names of `ErrorReason`, and the IAM permissions that it needs."""
    reasons = {value.name.removeprefix("ERROR_REASON_") for value in contract.enum("ErrorReason").value}
    comments = dict(_comments_of_rpcs(root))
    assert set(comments) == {method.name for method, _ in contract.methods()}
    for rpc, comment in comments.items():
        errors = re.search(r"Errors: (.*?)\. ?IAM permissions: \S", comment)
        assert errors, rpc
        named = re.findall(r"\b[A-Z]+(?:_[A-Z]+)*\b", re.sub(r"\(.*?\)", "", errors[1]))
        assert set(named) <= reasons, rpc
        assert {"INVALID_FIELD", "CALLER_NOT_ALLOWED"} <= set(named), rpc


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


def _comments_of_rpcs(root: Path) -> Iterator[tuple[str, str]]:
    """Yield each RPC with its comment in one line; the image holds no comments."""
    for file in sorted((root / "proto/identity_provisioning/v1").glob("*_service.proto")):
        for comment, rpc in re.findall(r"((?:  //.*\n)+)  rpc (\w+)\(", file.read_text()):
            yield rpc, " ".join(line.strip().removeprefix("//").strip() for line in comment.splitlines())
