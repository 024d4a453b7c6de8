"""The call on the account. `_user_calls` explains shared arguments."""

from __future__ import annotations

from identity_client._call import Call
from identity_client._contract import rpc
from identity_provisioning.v1.account_service_pb2 import GetAccountRequest, GetAccountResponse


def get_account(*, account_id: str | None = None, timeout: float | None = None) -> Call[GetAccountResponse]:
    """Answer the account's alias, sign-in URL, password policy, quotas and their use."""
    request = GetAccountRequest(account_id=account_id or "")
    return Call(rpc(GetAccountRequest, GetAccountResponse), request, timeout)
