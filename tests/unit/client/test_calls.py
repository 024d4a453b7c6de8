"""The natural arguments of the most used calls become the contract's messages."""

from __future__ import annotations

import json
import uuid

import grpc
import pytest

from identity_client import AsyncIdentityClient, ConsolePassword, IdentityClient, NotFound
from identity_client._credential_calls import MfaAssignment, enable_mfa_device
from identity_client._permission_calls import PolicyScope
from identity_provisioning.v1.credential_pb2 import VirtualMfaDevice
from identity_provisioning.v1.operation_service_pb2 import WatchOperationRequest, WatchOperationResponse
from identity_provisioning.v1.permission_pb2 import Group
from identity_provisioning.v1.user_pb2 import User
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


def test_list_users_says_every_filter(client: IdentityClient, service: FakeIdentityService) -> None:
    """Path, name, tags, owner and page arrive where the contract has them."""
    client.list_users(
        path_prefix="/people/",
        name_prefix="an",
        tags={"team": "web", "any": ""},
        owner="web",
        page_size=7,
        page_token="t",
        account_id=ACCOUNT,
    )
    request = service.received[0].request
    assert (request.path_prefix, request.name_prefix, request.owner_team) == ("/people/", "an", "web")
    assert {tag.key: tag.value for tag in request.tags} == {"team": "web", "any": ""}
    assert (request.page_size, request.page_token, request.account_id) == (7, "t", ACCOUNT)


def test_update_user_says_every_change(client: IdentityClient, service: FakeIdentityService) -> None:
    """New name, path, tags to set and keys to remove arrive, with plan and id."""
    given = str(uuid.uuid4())
    client.update_user(
        "ana",
        new_name="ana.lima",
        new_path="/x/",
        set_tags={"a": "b"},
        remove_tags=["c"],
        validate_only=True,
        expected_plan_digest="a" * 64,
        request_id=given,
    )
    request = service.received[0].request
    assert (request.user_name, request.new_user_name, request.new_path) == ("ana", "ana.lima", "/x/")
    assert [(tag.key, tag.value) for tag in request.set_tags] == [("a", "b")]
    assert list(request.remove_tag_keys) == ["c"]
    assert (request.validate_only, request.expected_plan_digest, request.request_id) == (True, "a" * 64, given)


def test_permissions_are_revoked_by_name(client: IdentityClient, service: FakeIdentityService) -> None:
    """Groups, managed policies and the names of inline policies arrive."""
    client.revoke_permissions("ana", groups=["g"], policies=["p"], inline_policies=["i"])
    request = service.received[0].request
    assert (request.user_name, list(request.group_names)) == ("ana", ["g"])
    assert (list(request.managed_policies), list(request.inline_policy_names)) == (["p"], ["i"])


def test_groups_and_policies_are_described_whole(client: IdentityClient, service: FakeIdentityService) -> None:
    """A group has path and policies, a policy path, description and document; each is deleted by its own name."""
    client.create_group("g", path="/x/", policies=["p"])
    client.create_policy("p", {"Version": "2012-10-17"}, path="/y/", description="what for")
    client.delete_group("g")
    client.delete_policy("arn:aws:iam::123456789012:policy/p")
    group, policy, old_group, old_policy = (each.request for each in service.received)
    assert (group.group.group_name, group.group.path, list(group.group.managed_policies)) == ("g", "/x/", ["p"])
    assert (policy.policy.policy_name, policy.policy.path, policy.policy.description) == ("p", "/y/", "what for")
    assert json.loads(policy.policy.document) == {"Version": "2012-10-17"}
    assert old_group.group_name == "g"
    assert old_policy.policy_arn == "arn:aws:iam::123456789012:policy/p"


@pytest.mark.parametrize(("scope", "number"), [("all", 0), ("aws", 1), ("customer", 2)])
def test_policies_are_listed_by_scope(
    client: IdentityClient, service: FakeIdentityService, scope: PolicyScope, number: int
) -> None:
    """Whose policies are listed is said in a word, and the search goes along."""
    client.list_policies(scope=scope, search="read")
    request = service.received[0].request
    assert (request.scope, request.search) == (number, "read")


@pytest.mark.parametrize(("assignment", "number"), [("any", 0), ("enabled", 1), ("pending", 2), ("abandoned", 3)])
def test_mfa_devices_are_listed_by_assignment(
    client: IdentityClient, service: FakeIdentityService, assignment: MfaAssignment, number: int
) -> None:
    """Which devices are listed is said in a word, and every page is asked for alike."""
    service.lists["ListMfaDevices"] = [VirtualMfaDevice(serial_number=serial) for serial in "abc"]
    found = client.iterate_mfa_devices(assignment=assignment, user_name="ana", page_size=2)
    assert [device.serial_number for device in found] == list("abc")
    assert {(each.request.assignment, each.request.user_name) for each in service.received} == {(number, "ana")}


async def test_mfa_devices_are_awaited_on_the_asynchronous_client(service: FakeIdentityService) -> None:
    """The asyncio twin goes through the same pages."""
    service.lists["ListMfaDevices"] = [VirtualMfaDevice(serial_number=serial) for serial in "abc"]
    async with AsyncIdentityClient(service.target, insecure=True) as client:
        page = await client.list_mfa_devices(page_size=1)
        assert [device.serial_number for device in page.mfa_devices] == ["a"]
        assert [device.serial_number async for device in client.iterate_mfa_devices(page_size=1)] == list("abc")


def test_mfa_devices_and_console_access_are_described(client: IdentityClient, service: FakeIdentityService) -> None:
    """Device name, serial number and both codes arrive where the contract has them."""
    client.create_mfa_device("ana", device_name="phone", recipients=["age1x"])
    client.enable_mfa_device("ana", "arn:serial", "123456", "654321")
    client.delete_mfa_device("ana", "arn:serial")
    client.disable_console_access("ana")
    made, enabled, deleted, disabled = (each.request for each in service.received)
    assert (made.user_name, made.mfa_device.device_name, list(made.recipients)) == ("ana", "phone", ["age1x"])
    codes = (enabled.user_name, enabled.serial_number, enabled.first_code, enabled.second_code)
    assert codes == ("ana", "arn:serial", "123456", "654321")
    assert (deleted.user_name, deleted.serial_number) == ("ana", "arn:serial")
    assert disabled.user_name == "ana"


def test_all_pages_are_gone_through(client: IdentityClient, service: FakeIdentityService) -> None:
    """The iterator yields every item in order, with the filters on each page, and asks for wanted pages only."""
    service.lists["ListUsers"] = [User(user_name=name) for name in "abcde"]
    found = client.iterate_users(path_prefix="/x/")
    assert service.received == []
    assert next(found).user_name == "a"
    assert len(service.received) == 1
    assert [user.user_name for user in found] == list("bcde")
    assert {each.request.path_prefix for each in service.received} == {"/x/"}
    assert [each.request.page_token for each in service.received] == ["", "2", "4"]


def test_groups_and_policies_have_iterators_too(client: IdentityClient, service: FakeIdentityService) -> None:
    """Each list has its iterator, and an empty list yields nothing."""
    service.lists["ListGroups"] = [Group(group_name=name) for name in "abc"]
    service.lists["ListPolicies"] = []
    assert [group.group_name for group in client.iterate_groups(page_size=1)] == list("abc")
    assert list(client.iterate_policies(scope="aws")) == []
    assert [each.request.page_size for each in service.calls("ListGroups")] == [1, 1, 1]


async def test_the_twin_goes_through_all_pages(service: FakeIdentityService) -> None:
    """The asyncio client has the same iterators, asynchronous."""
    service.lists["ListUsers"] = [User(user_name=name) for name in "abc"]
    async with AsyncIdentityClient(service.target, insecure=True) as client:
        assert [user.user_name async for user in client.iterate_users()] == list("abc")
        assert len(service.received) == 2


def test_a_page_that_fails_ends_the_iteration(client: IdentityClient, service: FakeIdentityService) -> None:
    """What came before the failure is yielded, and the failure has its class."""
    service.lists["ListUsers"] = [User(user_name=name) for name in "abc"]
    found = client.iterate_users()
    assert [next(found).user_name, next(found).user_name] == ["a", "b"]
    service.fail("ListUsers", Failure(grpc.StatusCode.NOT_FOUND, "ACCOUNT_NOT_FOUND"))
    with pytest.raises(NotFound):
        next(found)


def test_codes_are_in_no_repr() -> None:
    """The described call of an enabled device can be logged."""
    assert "123456" not in repr(enable_mfa_device("ana", "arn:serial", "123456", "654321"))
