"""The calls that are used most, with natural arguments; each function describes one call and sends nothing.

Arguments that mean the same everywhere:
    request_id: a UUID under which the work is done once, however often it is asked for; made where not given.
    account_id: the AWS account, 12 digits; the client's own where not given.
    timeout: seconds until the answer has to be there, retries included; the client's own where not given.
    validate_only: answer the plan and do nothing.
    expected_plan_digest: run only if the plan is still the one with this digest.
    recipients: age recipients to seal all secrets of the answer to.
    reissue_secrets: an earlier answer was lost; revoke the secrets that it made and make new ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from identity_client._call import Call
from identity_client._contract import rpc
from identity_client._specs import (
    ConsolePasswordChoice,
    PolicyDocument,
    SelfManagementLevel,
    credential_spec,
    permission_spec,
    tag_list,
)
from identity_provisioning.v1.account_service_pb2 import GetAccountRequest, GetAccountResponse
from identity_provisioning.v1.credential_service_pb2 import (
    CreateCredentialsRequest,
    CreateCredentialsResponse,
)
from identity_provisioning.v1.permission_pb2 import NewGroup, NewPolicy
from identity_provisioning.v1.permission_service_pb2 import (
    AssignPermissionsRequest,
    AssignPermissionsResponse,
)
from identity_provisioning.v1.user_pb2 import UserSpec
from identity_provisioning.v1.user_service_pb2 import (
    CreateUserRequest,
    CreateUserResponse,
    DeleteUserRequest,
    DeleteUserResponse,
    GetUserRequest,
    GetUserResponse,
    ProvisionUserRequest,
    ProvisionUserResponse,
)


def provision_user(
    user_name: str,
    *,
    path: str = "",
    tags: Mapping[str, str] | None = None,
    access_key: bool = False,
    console_password: ConsolePasswordChoice = False,
    mfa_device: bool | str = False,
    groups: Iterable[str] = (),
    policies: Iterable[str] = (),
    inline_policies: Mapping[str, PolicyDocument] | None = None,
    boundary: str = "",
    new_groups: Sequence[NewGroup] = (),
    new_policies: Sequence[NewPolicy] = (),
    new_boundary: NewPolicy | None = None,
    copy_from: str = "",
    self_management: SelfManagementLevel = "",
    recipients: Sequence[str] = (),
    reissue_secrets: bool = False,
    validate_only: bool = False,
    expected_plan_digest: str = "",
    request_id: str | None = None,
    account_id: str | None = None,
    timeout: float | None = None,
) -> Call[ProvisionUserResponse]:
    """Make a user with credentials and permissions: the whole wizard in one call.

    Policies and the boundary are named by ARN or by name; an inline policy's document is JSON text or a
    mapping. The answer's `credentials` hold each secret once: store them before anything else.
    """
    user = UserSpec(
        user_name=user_name,
        path=path,
        tags=tag_list(tags),
        credentials=credential_spec(access_key, console_password, mfa_device),
        permissions=permission_spec(
            groups,
            policies,
            inline_policies,
            boundary,
            new_groups=new_groups,
            new_policies=new_policies,
            new_boundary=new_boundary,
            copy_from=copy_from,
            self_management=self_management,
        ),
    )
    request = ProvisionUserRequest(
        account_id=account_id or "",
        request_id=request_id or "",
        validate_only=validate_only,
        expected_plan_digest=expected_plan_digest,
        user=user,
        recipients=recipients,
        reissue_secrets=reissue_secrets,
    )
    return Call(rpc(ProvisionUserRequest, ProvisionUserResponse), request, timeout)


def create_user(
    user_name: str,
    *,
    path: str = "",
    tags: Mapping[str, str] | None = None,
    boundary: str = "",
    validate_only: bool = False,
    expected_plan_digest: str = "",
    request_id: str | None = None,
    account_id: str | None = None,
    timeout: float | None = None,
) -> Call[CreateUserResponse]:
    """Make a user without credentials and permissions, in one atomic call of IAM."""
    request = CreateUserRequest(
        account_id=account_id or "",
        request_id=request_id or "",
        validate_only=validate_only,
        expected_plan_digest=expected_plan_digest,
        user_name=user_name,
        path=path,
        tags=tag_list(tags),
        permissions_boundary=boundary,
    )
    return Call(rpc(CreateUserRequest, CreateUserResponse), request, timeout)


def create_credentials(
    user_name: str,
    *,
    access_key: bool = False,
    console_password: ConsolePasswordChoice = False,
    mfa_device: bool | str = False,
    recipients: Sequence[str] = (),
    reissue_secrets: bool = False,
    validate_only: bool = False,
    expected_plan_digest: str = "",
    request_id: str | None = None,
    account_id: str | None = None,
    timeout: float | None = None,
) -> Call[CreateCredentialsResponse]:
    """Make an access key, a console password, or both for a user that is there."""
    request = CreateCredentialsRequest(
        account_id=account_id or "",
        request_id=request_id or "",
        validate_only=validate_only,
        expected_plan_digest=expected_plan_digest,
        user_name=user_name,
        credentials=credential_spec(access_key, console_password, mfa_device),
        recipients=recipients,
        reissue_secrets=reissue_secrets,
    )
    return Call(rpc(CreateCredentialsRequest, CreateCredentialsResponse), request, timeout)


def assign_permissions(
    user_name: str,
    *,
    groups: Iterable[str] = (),
    policies: Iterable[str] = (),
    inline_policies: Mapping[str, PolicyDocument] | None = None,
    boundary: str = "",
    new_groups: Sequence[NewGroup] = (),
    new_policies: Sequence[NewPolicy] = (),
    new_boundary: NewPolicy | None = None,
    copy_from: str = "",
    self_management: SelfManagementLevel = "",
    validate_only: bool = False,
    expected_plan_digest: str = "",
    request_id: str | None = None,
    account_id: str | None = None,
    timeout: float | None = None,
) -> Call[AssignPermissionsResponse]:
    """Give permissions to a user that is there; all ways may be used together."""
    permissions = permission_spec(
        groups,
        policies,
        inline_policies,
        boundary,
        new_groups=new_groups,
        new_policies=new_policies,
        new_boundary=new_boundary,
        copy_from=copy_from,
        self_management=self_management,
    )
    request = AssignPermissionsRequest(
        account_id=account_id or "",
        request_id=request_id or "",
        validate_only=validate_only,
        expected_plan_digest=expected_plan_digest,
        user_name=user_name,
        permissions=permissions,
    )
    return Call(rpc(AssignPermissionsRequest, AssignPermissionsResponse), request, timeout)


def get_user(user_name: str, *, account_id: str | None = None, timeout: float | None = None) -> Call[GetUserResponse]:
    """Answer everything about a user but secrets."""
    request = GetUserRequest(account_id=account_id or "", user_name=user_name)
    return Call(rpc(GetUserRequest, GetUserResponse), request, timeout)


def delete_user(
    user_name: str,
    *,
    validate_only: bool = False,
    expected_plan_digest: str = "",
    request_id: str | None = None,
    account_id: str | None = None,
    timeout: float | None = None,
) -> Call[DeleteUserResponse]:
    """Delete a user with everything on it. It is never undone; a call that fails half-way is repeated."""
    request = DeleteUserRequest(
        account_id=account_id or "",
        request_id=request_id or "",
        validate_only=validate_only,
        expected_plan_digest=expected_plan_digest,
        user_name=user_name,
    )
    return Call(rpc(DeleteUserRequest, DeleteUserResponse), request, timeout)


def get_account(*, account_id: str | None = None, timeout: float | None = None) -> Call[GetAccountResponse]:
    """Answer the account's alias, sign-in URL, password policy, quotas and their use."""
    request = GetAccountRequest(account_id=account_id or "")
    return Call(rpc(GetAccountRequest, GetAccountResponse), request, timeout)
