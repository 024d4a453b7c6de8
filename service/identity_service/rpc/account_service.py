"""AccountService."""

from typing import Any, Protocol

import grpc

from identity_provisioning.v1.account_service_pb2 import GetAccountRequest, GetAccountResponse
from identity_provisioning.v1.account_service_pb2_grpc import AccountServiceServicer
from identity_service.application.account_description import AccountDescription
from identity_service.domain.caller import Caller
from identity_service.rpc.call import current_caller
from identity_service.rpc.converters.account import to_account


class ReadsAccounts(Protocol):
    """What GetAccount needs of the application."""

    async def __call__(self, caller: Caller, account_id: str) -> AccountDescription:
        """Describe an account."""


class AccountService(AccountServiceServicer):
    """What a caller needs to know of an account."""

    def __init__(self, get_account: ReadsAccounts) -> None:
        self._get_account = get_account

    async def GetAccount(  # noqa: N802 - named in the contract
        self, request: GetAccountRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> GetAccountResponse:
        """Answer the account's id, alias, sign-in URL, password policy, quotas and their use."""
        return GetAccountResponse(account=to_account(await self._get_account(current_caller(), request.account_id)))
