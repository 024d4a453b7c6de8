"""Service-specific credentials: a user's name and password for one service."""

from __future__ import annotations

import secrets
from typing import Any

from embedded_aws.account import Account, AccountUser, ServiceSpecificCredential, unique_id
from embedded_aws.errors import limit_exceeded, no_such_entity
from embedded_aws.query_protocol import Call
from embedded_aws.rulebook import Result, answers

_SERVICES = {"bedrock.amazonaws.com", "cassandra.amazonaws.com", "codecommit.amazonaws.com"}


@answers("CreateServiceSpecificCredential")
def create_service_specific_credential(account: Account, call: Call) -> Result:
    """The only answer, but for a reset's, that holds the password."""
    user, service = account.user(call.params["UserName"]), call.params["ServiceName"]
    if service not in _SERVICES:
        raise no_such_entity(f"No such service {service} is supported for Service Specific Credentials")
    limit = account.quotas["ServiceSpecificCredentialsPerUserQuota"]
    if sum(held.service_name == service for held in user.service_specific_credentials) >= limit:
        raise limit_exceeded("ServiceSpecificCredentialsPerUser", limit)
    number = len(user.service_specific_credentials) + 1
    credential = ServiceSpecificCredential(
        credential_id=unique_id("ACCA"),
        service_name=service,
        service_user_name=f"{user.name}+{number}-at-{account.account_id}",
        create_date=account.now(),
        service_password=secrets.token_urlsafe(32),
    )
    user.service_specific_credentials.append(credential)
    return {"ServiceSpecificCredential": _with_password(user, credential)}


@answers("ListServiceSpecificCredentials")
def list_service_specific_credentials(account: Account, call: Call) -> Result:
    """Without passwords."""
    user, service = account.user(call.params["UserName"]), call.params.get("ServiceName")
    held = [c for c in user.service_specific_credentials if service in {None, c.service_name}]
    return {"ServiceSpecificCredentials": [_fields(user, credential) for credential in held]}


@answers("UpdateServiceSpecificCredential")
def update_service_specific_credential(account: Account, call: Call) -> None:
    """Switch on or off."""
    _credential(account, call)[1].status = call.params["Status"]


@answers("ResetServiceSpecificCredential")
def reset_service_specific_credential(account: Account, call: Call) -> Result:
    """A new password under the same id."""
    user, credential = _credential(account, call)
    credential.service_password = secrets.token_urlsafe(32)
    return {"ServiceSpecificCredential": _with_password(user, credential)}


@answers("DeleteServiceSpecificCredential")
def delete_service_specific_credential(account: Account, call: Call) -> None:
    """Delete one."""
    user, credential = _credential(account, call)
    user.service_specific_credentials.remove(credential)


def _credential(account: Account, call: Call) -> tuple[AccountUser, ServiceSpecificCredential]:
    user, wanted = account.user(call.params["UserName"]), call.params["ServiceSpecificCredentialId"]
    for credential in user.service_specific_credentials:
        if credential.credential_id == wanted:
            return user, credential
    raise no_such_entity(f"No such credential {wanted} exists")


def _fields(user: AccountUser, credential: ServiceSpecificCredential) -> dict[str, Any]:
    return {
        "UserName": user.name,
        "Status": credential.status,
        "ServiceUserName": credential.service_user_name,
        "CreateDate": credential.create_date,
        "ServiceSpecificCredentialId": credential.credential_id,
        "ServiceName": credential.service_name,
    }


def _with_password(user: AccountUser, credential: ServiceSpecificCredential) -> dict[str, Any]:
    return {**_fields(user, credential), "ServicePassword": credential.service_password}
