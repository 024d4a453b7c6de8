"""Lists: which page is asked for, and what a page answers."""

from datetime import UTC, datetime
from typing import Any

import grpc
import pytest

from identity_provisioning.v1.credential_service_pb2 import ListMfaDevicesRequest, ListMfaDevicesResponse
from identity_provisioning.v1.permission_service_pb2 import (
    ListGroupsRequest,
    ListGroupsResponse,
    ListPoliciesRequest,
    ListPoliciesResponse,
)
from identity_provisioning.v1.user_pb2 import Tag
from identity_provisioning.v1.user_service_pb2 import ListUsersRequest, ListUsersResponse
from identity_service.application.listing import MfaDeviceFilter, PageRequest, UserFilter
from identity_service.application.ports import MfaAssignment, PolicyScope
from identity_service.domain.entities import (
    AttachedPolicyRecord,
    GroupDetails,
    MfaDeviceDetails,
    Page,
    PolicyDetails,
    UserRecord,
    VirtualMfaDeviceRecord,
)
from identity_service.domain.errors import IdentityError, Reason
from tests.unit.rpc.support import INSECURE_CALLER_ID, RunningServer, failure, reason_of

ACCOUNT = "123456789012"
CREATED = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
CHANGED = datetime(2026, 6, 7, 8, 9, 10, tzinfo=UTC)
READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"


async def test_users_are_asked_for_by_every_condition_and_answered_in_order(server: RunningServer) -> None:
    """All conditions reach the application, the users come back in its order with where to go on."""
    server.application.page = Page(
        (
            UserRecord("zoe", "AIDA1", f"arn:aws:iam::{ACCOUNT}:user/p/zoe", "/p/", CREATED, tags={"team": "x"}),
            UserRecord("ann", "AIDA2", f"arn:aws:iam::{ACCOUNT}:user/p/ann", "/p/", CREATED),
        ),
        next_token="further",
    )
    request = ListUsersRequest(
        account_id=ACCOUNT,
        page_size=50,
        page_token="here",
        path_prefix="/p",
        name_prefix="A",
        tags=[Tag(key="team", value="x"), Tag(key="site")],
        owner_team="people-team",
    )
    response = await server.call("UserService/ListUsers", request, ListUsersResponse)
    wanted = UserFilter(path_prefix="/p", name_prefix="A", tags={"team": "x", "site": ""}, owner_team="people-team")
    assert server.application.reads == [(INSECURE_CALLER_ID, ACCOUNT, PageRequest(50, "here"), wanted)]
    assert [user.user_name for user in response.users] == ["zoe", "ann"]
    assert [(tag.key, tag.value) for tag in response.users[0].tags] == [("team", "x")]
    assert response.next_page_token == "further"


async def test_groups_are_listed_with_their_policies(server: RunningServer) -> None:
    """A group comes with what is attached to it and with the names of its inline policies."""
    server.application.page = Page(
        (
            GroupDetails(
                group_name="devs",
                group_id="AGPA1",
                arn=f"arn:aws:iam::{ACCOUNT}:group/eng/devs",
                path="/eng/",
                created_at=CREATED,
                attached_policies=(AttachedPolicyRecord("ReadOnlyAccess", READ_ONLY),),
                inline_policy_names=("a", "b"),
            ),
        )
    )
    request = ListGroupsRequest(page_size=1, path_prefix="/eng/")
    response = await server.call("PermissionService/ListGroups", request, ListGroupsResponse)
    assert server.application.reads == [(INSECURE_CALLER_ID, "", PageRequest(1, ""), "/eng/")]
    (group,) = response.groups
    assert (group.group_name, group.group_id, group.path) == ("devs", "AGPA1", "/eng/")
    assert group.arn == f"arn:aws:iam::{ACCOUNT}:group/eng/devs"
    assert group.create_time.ToDatetime(UTC) == CREATED
    assert [(policy.policy_name, policy.policy_arn) for policy in group.attached_policies] == [
        ("ReadOnlyAccess", READ_ONLY)
    ]
    assert list(group.inline_policy_names) == ["a", "b"]
    assert response.next_page_token == ""


@pytest.mark.parametrize(
    ("wire", "scope"),
    [
        (ListPoliciesRequest.SCOPE_UNSPECIFIED, PolicyScope.ALL),
        (ListPoliciesRequest.SCOPE_AWS, PolicyScope.AWS),
        (ListPoliciesRequest.SCOPE_CUSTOMER, PolicyScope.CUSTOMER),
    ],
)
async def test_policies_are_listed_by_whose_they_are(
    server: RunningServer, wire: ListPoliciesRequest.Scope.ValueType, scope: PolicyScope
) -> None:
    """Each scope of the contract is the application's, and a policy comes with its figures."""
    server.application.page = Page(
        (
            PolicyDetails(
                policy_name="Deploy",
                policy_id="ANPA1",
                arn=f"arn:aws:iam::{ACCOUNT}:policy/eng/Deploy",
                path="/eng/",
                default_version_id="v3",
                attachment_count=4,
                boundary_usage_count=2,
                created_at=CREATED,
                updated_at=CHANGED,
            ),
        ),
        "more",
    )
    request = ListPoliciesRequest(scope=wire, search="dep")
    response = await server.call("PermissionService/ListPolicies", request, ListPoliciesResponse)
    assert server.application.reads == [(INSECURE_CALLER_ID, "", PageRequest(0, ""), scope, "dep")]
    (policy,) = response.policies
    assert (policy.policy_name, policy.policy_id, policy.path) == ("Deploy", "ANPA1", "/eng/")
    assert policy.arn == f"arn:aws:iam::{ACCOUNT}:policy/eng/Deploy"
    assert (policy.default_version_id, policy.attachment_count, policy.permissions_boundary_usage_count) == ("v3", 4, 2)
    assert (policy.create_time.ToDatetime(UTC), policy.update_time.ToDatetime(UTC)) == (CREATED, CHANGED)
    assert (policy.description, response.next_page_token) == ("", "more")


@pytest.mark.parametrize(
    ("wire", "wanted"),
    [
        (ListMfaDevicesRequest.ASSIGNMENT_UNSPECIFIED, MfaDeviceFilter(MfaAssignment.ANY, user_name="ann")),
        (ListMfaDevicesRequest.ASSIGNMENT_ENABLED, MfaDeviceFilter(MfaAssignment.ENABLED, user_name="ann")),
        (ListMfaDevicesRequest.ASSIGNMENT_PENDING, MfaDeviceFilter(MfaAssignment.PENDING, user_name="ann")),
        (
            ListMfaDevicesRequest.ASSIGNMENT_ABANDONED,
            MfaDeviceFilter(MfaAssignment.PENDING, abandoned_only=True, user_name="ann"),
        ),
    ],
)
async def test_mfa_devices_are_listed_by_who_has_them(
    server: RunningServer, wire: ListMfaDevicesRequest.Assignment.ValueType, wanted: MfaDeviceFilter
) -> None:
    """Each assignment of the contract is the application's, and a device comes with what its tags say, decoded."""
    prefix = f"arn:aws:iam::{ACCOUNT}:mfa/"
    ours = {
        "identity-provisioning:row": "1",
        "identity-provisioning:owner": "people-team",
        "identity-provisioning:user": "lima:ann",
    }
    server.application.page = Page(
        (
            MfaDeviceDetails(VirtualMfaDeviceRecord(f"{prefix}a", tags=ours), abandoned=True),
            MfaDeviceDetails(VirtualMfaDeviceRecord(f"{prefix}b", "bo")),
        ),
        "more",
    )
    request = ListMfaDevicesRequest(
        account_id=ACCOUNT, page_size=7, page_token="here", assignment=wire, user_name="ann"
    )
    response = await server.call("CredentialService/ListMfaDevices", request, ListMfaDevicesResponse)
    assert server.application.reads == [(INSECURE_CALLER_ID, ACCOUNT, PageRequest(7, "here"), wanted)]
    pending, enabled = response.mfa_devices
    assert (pending.serial_number, pending.user_name, pending.abandoned) == (f"{prefix}a", "", True)
    assert (pending.made_for_user_name, pending.owner_team) == ("lima,ann", "people-team")
    assert (enabled.user_name, enabled.made_for_user_name, enabled.owner_team) == ("bo", "", "")
    assert (enabled.abandoned, response.next_page_token) == (False, "more")


LISTS: list[tuple[str, Any, Any]] = [
    ("UserService/ListUsers", ListUsersRequest, ListUsersResponse),
    ("PermissionService/ListGroups", ListGroupsRequest, ListGroupsResponse),
    ("PermissionService/ListPolicies", ListPoliciesRequest, ListPoliciesResponse),
    ("CredentialService/ListMfaDevices", ListMfaDevicesRequest, ListMfaDevicesResponse),
]


@pytest.mark.parametrize(("method", "request_type", "response_type"), LISTS)
async def test_an_empty_page_may_lead_on(
    server: RunningServer, method: str, request_type: Any, response_type: Any
) -> None:
    """A page without items keeps its token: what is asked for may come later."""
    server.application.page = Page((), "onwards")
    response = await server.call(method, request_type(), response_type)
    assert response.next_page_token == "onwards"


@pytest.mark.parametrize(("method", "request_type", "response_type"), LISTS)
@pytest.mark.parametrize("size", [-1, 1001])
async def test_a_page_size_out_of_bounds_is_refused(
    server: RunningServer, method: str, request_type: Any, response_type: Any, size: int
) -> None:
    """More than a thousand items, or less than none, are not asked of IAM."""
    error = await failure(server.call(method, request_type(page_size=size), response_type))
    assert (error.code(), reason_of(error)) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert server.application.reads == []


@pytest.mark.parametrize(("method", "request_type", "response_type"), LISTS)
async def test_a_refusal_is_answered(server: RunningServer, method: str, request_type: Any, response_type: Any) -> None:
    """What the application refuses reaches the client by its reason."""
    server.application.error = IdentityError(Reason.CALLER_NOT_ALLOWED, "you may not list")
    error = await failure(server.call(method, request_type(), response_type))
    assert (error.code(), reason_of(error)) == (grpc.StatusCode.PERMISSION_DENIED, "CALLER_NOT_ALLOWED")
