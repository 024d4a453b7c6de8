"""The calls on users, with natural arguments; each function describes one call and sends nothing.

Arguments that mean the same in every function of `_user_calls`, `_credential_calls`, `_permission_calls` and
`_account_calls`:
    request_id: a UUID under which the work is done once, however often it is asked for; made where not given.
    account_id: the AWS account, 12 digits; the client's own where not given.
    timeout: seconds until the answer has to be there, retries included; the client's own where not given.
    validate_only: answer the plan and do nothing.
    expected_plan_digest: run only if the plan is still the one with this digest.
    recipients: age recipients to seal all secrets of the answer to.
    reissue_secrets: True if the answer to an earlier call with this request_id was lost: the secrets that it made are
        revoked and new ones made. Where not given, the client says so itself once an attempt of this very call was cut
        before its answer; False forbids that.
    page_size: the most items to answer; the service's own number where not given.
    page_token: where to go on, the `next_page_token` of the page before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from identity_client._call import Call
from identity_client._contract import rpc
from identity_client._specs import (
    ConsolePasswordChoice,
    PolicyDocument,
    SelfManagementLevel,
    name_list,
    tag_list,
    user_spec,
)
from identity_provisioning.v1.permission_pb2 import NewGroup, NewPolicy
from identity_provisioning.v1.user_service_pb2 import (
    AdoptUserRequest,
    AdoptUserResponse,
    CreateUserRequest,
    CreateUserResponse,
    DeleteUserRequest,
    DeleteUserResponse,
    GetUserRequest,
    GetUserResponse,
    ListUsersRequest,
    ListUsersResponse,
    ProvisionUserRequest,
    ProvisionUserResponse,
    UpdateUserRequest,
    UpdateUserResponse,
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
    reissue_secrets: bool | None = None,
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
    user = user_spec(
        user_name,
        path=path,
        tags=tags,
        access_key=access_key,
        console_password=console_password,
        mfa_device=mfa_device,
        groups=groups,
        policies=policies,
        inline_policies=inline_policies,
        boundary=boundary,
        new_groups=new_groups,
        new_policies=new_policies,
        new_boundary=new_boundary,
        copy_from=copy_from,
        self_management=self_management,
    )
    request = ProvisionUserRequest(
        account_id=account_id or "",
        request_id=request_id or "",
        validate_only=validate_only,
        expected_plan_digest=expected_plan_digest,
        user=user,
        recipients=recipients,
        reissue_secrets=bool(reissue_secrets),
    )
    return Call(rpc(ProvisionUserRequest, ProvisionUserResponse), request, timeout, reissue_secrets)


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


def get_user(user_name: str, *, account_id: str | None = None, timeout: float | None = None) -> Call[GetUserResponse]:
    """Answer everything about a user but secrets."""
    request = GetUserRequest(account_id=account_id or "", user_name=user_name)
    return Call(rpc(GetUserRequest, GetUserResponse), request, timeout)


def list_users(
    *,
    path_prefix: str = "",
    name_prefix: str = "",
    tags: Mapping[str, str] | None = None,
    owner: str = "",
    page_size: int = 0,
    page_token: str = "",
    account_id: str | None = None,
    timeout: float | None = None,
) -> Call[ListUsersResponse]:
    """Answer one page of users; `iterate_users` goes through all pages.

    Users are listed that fit all that is said: with all of these tags, where an empty value fits any, and of the
    team `owner`.
    """
    request = ListUsersRequest(
        account_id=account_id or "",
        page_size=page_size,
        page_token=page_token,
        path_prefix=path_prefix,
        name_prefix=name_prefix,
        tags=tag_list(tags),
        owner_team=owner,
    )
    return Call(rpc(ListUsersRequest, ListUsersResponse), request, timeout)


def update_user(
    user_name: str,
    *,
    new_name: str = "",
    new_path: str = "",
    set_tags: Mapping[str, str] | None = None,
    remove_tags: Iterable[str] = (),
    validate_only: bool = False,
    expected_plan_digest: str = "",
    request_id: str | None = None,
    account_id: str | None = None,
    timeout: float | None = None,
) -> Call[UpdateUserResponse]:
    """Change a user's tags, path or name. Policies elsewhere that name the user's old ARN do not follow."""
    request = UpdateUserRequest(
        account_id=account_id or "",
        request_id=request_id or "",
        validate_only=validate_only,
        expected_plan_digest=expected_plan_digest,
        user_name=user_name,
        new_user_name=new_name,
        new_path=new_path,
        set_tags=tag_list(set_tags),
        remove_tag_keys=name_list(remove_tags),
    )
    return Call(rpc(UpdateUserRequest, UpdateUserResponse), request, timeout)


def adopt_user(
    user_name: str,
    *,
    validate_only: bool = False,
    expected_plan_digest: str = "",
    request_id: str | None = None,
    account_id: str | None = None,
    timeout: float | None = None,
) -> Call[AdoptUserResponse]:
    """Take a user that nobody owns into the ownership of the caller's team. What the user has stays as it is."""
    request = AdoptUserRequest(
        account_id=account_id or "",
        request_id=request_id or "",
        validate_only=validate_only,
        expected_plan_digest=expected_plan_digest,
        user_name=user_name,
    )
    return Call(rpc(AdoptUserRequest, AdoptUserResponse), request, timeout)


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
