"""UserService."""

from typing import Any, Protocol

import grpc

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
from identity_provisioning.v1.user_service_pb2_grpc import UserServiceServicer
from identity_service.domain.caller import Caller
from identity_service.domain.entities import UserSnapshot
from identity_service.domain.plan import Plan
from identity_service.rpc.call import current_caller
from identity_service.rpc.converters import user_requests
from identity_service.rpc.converters.credential import to_issued_credentials
from identity_service.rpc.converters.plan import to_executed_steps, to_plan
from identity_service.rpc.converters.user import to_get_user_response, to_optional_user, to_user
from identity_service.rpc.listings import Lists, page_request
from identity_service.rpc.mutations import Mutations

Context = grpc.aio.ServicerContext[Any, Any]


class ReadsUsers(Protocol):
    """What GetUser needs of the application."""

    async def __call__(self, caller: Caller, account_id: str, user_name: str) -> UserSnapshot:
        """Read a user."""


class UserService(UserServiceServicer):
    """Users, whole. Each method converts, calls, converts."""

    def __init__(self, mutations: Mutations, get_user: ReadsUsers, listing: Lists) -> None:
        self._mutations = mutations
        self._get_user = get_user
        self._listing = listing

    async def ProvisionUser(self, request: ProvisionUserRequest, context: Context) -> ProvisionUserResponse:  # noqa: N802 - named in the contract
        """Make a user with credentials and permissions."""
        result = await self._mutations.run(user_requests.provision_user(request))
        if isinstance(result, Plan):
            return ProvisionUserResponse(plan=to_plan(result))
        return ProvisionUserResponse(
            user=to_optional_user(result.user),
            credentials=to_issued_credentials(result.credentials),
            sign_in_url=result.sign_in_url,
            steps=to_executed_steps(result.steps),
            replayed=result.replayed,
        )

    async def CreateUser(self, request: CreateUserRequest, context: Context) -> CreateUserResponse:  # noqa: N802 - named in the contract
        """Make a user without credentials and permissions."""
        result = await self._mutations.run(user_requests.create_user(request))
        if isinstance(result, Plan):
            return CreateUserResponse(plan=to_plan(result))
        return CreateUserResponse(
            user=to_optional_user(result.user), steps=to_executed_steps(result.steps), replayed=result.replayed
        )

    async def GetUser(self, request: GetUserRequest, context: Context) -> GetUserResponse:  # noqa: N802 - named in the contract
        """Answer everything about a user but secrets."""
        return to_get_user_response(await self._get_user(current_caller(), request.account_id, request.user_name))

    async def ListUsers(self, request: ListUsersRequest, context: Context) -> ListUsersResponse:  # noqa: N802 - named in the contract
        """List users."""
        page = await self._listing.users(
            current_caller(), request.account_id, page_request(request), user_requests.user_filter(request)
        )
        return ListUsersResponse(users=map(to_user, page.items), next_page_token=page.next_token or "")

    async def UpdateUser(self, request: UpdateUserRequest, context: Context) -> UpdateUserResponse:  # noqa: N802 - named in the contract
        """Change a user's name, path or tags."""
        result = await self._mutations.run(user_requests.update_user(request))
        if isinstance(result, Plan):
            return UpdateUserResponse(plan=to_plan(result))
        return UpdateUserResponse(
            user=to_optional_user(result.user), steps=to_executed_steps(result.steps), replayed=result.replayed
        )

    async def AdoptUser(self, request: AdoptUserRequest, context: Context) -> AdoptUserResponse:  # noqa: N802 - named in the contract
        """Take a user that nobody owns into the ownership of the caller's team."""
        result = await self._mutations.run(user_requests.adopt_user(request))
        if isinstance(result, Plan):
            return AdoptUserResponse(plan=to_plan(result))
        return AdoptUserResponse(
            user=to_optional_user(result.user), steps=to_executed_steps(result.steps), replayed=result.replayed
        )

    async def DeleteUser(self, request: DeleteUserRequest, context: Context) -> DeleteUserResponse:  # noqa: N802 - named in the contract
        """Delete a user with everything on it."""
        result = await self._mutations.run(user_requests.delete_user(request))
        if isinstance(result, Plan):
            return DeleteUserResponse(plan=to_plan(result))
        return DeleteUserResponse(
            user=to_optional_user(result.user), steps=to_executed_steps(result.steps), replayed=result.replayed
        )
