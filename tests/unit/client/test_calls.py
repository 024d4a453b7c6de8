"""The natural arguments of the most used calls become the contract's messages."""

from __future__ import annotations

import json
import uuid

import grpc
import pytest

from identity_client import AsyncIdentityClient, ConsolePassword, IdentityClient, NotFound
from identity_provisioning.v1.operation_service_pb2 import WatchOperationRequest, WatchOperationResponse
from tests.unit.client.fake_service import ACCOUNT, Failure, FakeIdentityService


def test_provision_user_says_everything(client: IdentityClient, service: FakeIdentityService) -> None:
    """Every argument arrives where the contract has it."""
    client.provision_user(
        "ana.lima",
        path="/people/",
        tags={"role": "engineer"},
        access_key=True,
        console_password=ConsolePassword(require_reset=True),
        groups=["Developers"],
        policies=["ReadOnlyAccess"],
        inline_policies={"deploy": {"Version": "2012-10-17"}, "raw": "{}"},
        boundary="TeamBoundary",
        copy_from="bo",
        self_management="credentials-with-mfa",
        account_id=ACCOUNT,
        validate_only=True,
        expected_plan_digest="a" * 64,
    )
    request = service.received[0].request
    user = request.user
    assert (request.account_id, request.validate_only, request.expected_plan_digest) == (ACCOUNT, True, "a" * 64)
    assert (user.user_name, user.path) == ("ana.lima", "/people/")
    assert [(tag.key, tag.value) for tag in user.tags] == [("role", "engineer")]
    assert user.credentials.access_key
    assert user.credentials.console_password.require_reset
    assert list(user.permissions.group_names) == ["Developers"]
    assert list(user.permissions.managed_policies) == ["ReadOnlyAccess"]
    documents = {each.policy_name: json.loads(each.document) for each in user.permissions.inline_policies}
    assert documents == {"deploy": {"Version": "2012-10-17"}, "raw": {}}
    assert user.permissions.permissions_boundary == "TeamBoundary"
    assert user.permissions.copy_from_user_name == "bo"
    assert user.permissions.self_management == 3


def test_nothing_is_asked_for_that_was_not_said(client: IdentityClient, service: FakeIdentityService) -> None:
    """A bare name asks for a user without credentials and permissions."""
    client.provision_user("ana.lima")
    user = service.received[0].request.user
    assert not user.HasField("credentials")
    assert not user.HasField("permissions")


def test_a_request_id_is_made_where_none_is_given(client: IdentityClient, service: FakeIdentityService) -> None:
    """Each call has a UUID of its own, and one that the caller gives is kept."""
    given = str(uuid.uuid4())
    client.create_user("a")
    client.create_user("b", request_id=given)
    made, kept = (each.request.request_id for each in service.received)
    assert uuid.UUID(made)
    assert kept == given


@pytest.mark.parametrize("choice", [True, "generated", ConsolePassword()])
def test_a_password_is_generated_on_request(
    client: IdentityClient, service: FakeIdentityService, choice: bool | ConsolePassword
) -> None:
    """All ways to ask for a generated password mean the same."""
    made = client.provision_user("ana", console_password=choice)
    assert made.credentials.console_password.generated
    assert service.received[0].request.user.credentials.HasField("console_password")


def test_a_bare_password_is_refused_and_not_quoted(client: IdentityClient) -> None:
    """A password in the place of a choice is a mistake whose message must not show it."""
    with pytest.raises(ValueError, match=r"ConsolePassword\(custom") as caught:
        client.create_credentials("ana", console_password="hunter2!")  # type: ignore[arg-type]  # the mistake
    assert "hunter2" not in str(caught.value)


def test_a_custom_password_is_in_no_repr() -> None:
    """The password object and the described call can be logged."""
    assert "hunter2" not in repr(ConsolePassword(custom="hunter2!"))


def test_one_string_is_not_taken_for_a_list(client: IdentityClient) -> None:
    """`groups="Developers"` would be ten groups of one letter; it is refused."""
    with pytest.raises(TypeError, match="list of names"):
        client.assign_permissions("ana", groups="Developers")


def test_the_clients_account_is_used_unless_another_is_named(service: FakeIdentityService) -> None:
    """A client's account goes into every call, and a call's own wins."""
    with IdentityClient(service.target, insecure=True, account_id=ACCOUNT) as client:
        client.get_account()
        client.get_account(account_id="210987654321")
    assert [each.request.account_id for each in service.received] == [ACCOUNT, "210987654321"]


def test_credentials_are_asked_for_by_kind(client: IdentityClient, service: FakeIdentityService) -> None:
    """CreateCredentials carries key, MFA device and recipients."""
    client.create_credentials("ana", access_key=True, mfa_device="phone", recipients=["age1x"], reissue_secrets=True)
    request = service.received[0].request
    assert request.credentials.access_key
    assert request.credentials.mfa_device.device_name == "phone"
    assert not request.credentials.HasField("console_password")
    assert (list(request.recipients), request.reissue_secrets) == (["age1x"], True)


def test_a_stream_is_iterated(client: IdentityClient) -> None:
    """Watching an operation yields its states until the last."""
    states = [each.operation.state for each in client.watch_operation(WatchOperationRequest(operation_id="o"))]
    assert len(states) == 2


def test_a_stream_that_breaks_raises_after_what_came(client: IdentityClient, service: FakeIdentityService) -> None:
    """What arrived before the failure is yielded, and the failure has its class."""
    service.fail("WatchOperation", Failure(grpc.StatusCode.NOT_FOUND, "OPERATION_NOT_FOUND"))
    seen: list[WatchOperationResponse] = []
    with pytest.raises(NotFound):
        seen.extend(client.watch_operation(WatchOperationRequest(operation_id="o")))
    watching = client.watch_operation(WatchOperationRequest(operation_id="o"))
    assert next(watching).operation.operation_id == "o"


async def test_an_awaited_stream_that_breaks_raises(service: FakeIdentityService) -> None:
    """The asyncio twin's stream has the same exceptions."""
    service.fail("WatchOperation", Failure(grpc.StatusCode.NOT_FOUND, "OPERATION_NOT_FOUND"))
    async with AsyncIdentityClient(service.target, insecure=True) as client:
        with pytest.raises(NotFound):
            _ = [each async for each in client.watch_operation(WatchOperationRequest(operation_id="o"))]
