"""Who a request comes from: the access key's owner, proven by the signature made with its secret."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from hmac import compare_digest
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from moto.iam.models import AccessKeyLastUsed, Group, ManagedPolicy, Role

from embedded_aws.account import REGION, Account, AccountUser, now
from embedded_aws.errors import AwsError
from embedded_aws.query_protocol import Call


@dataclass(frozen=True, slots=True)
class Principal:
    """The account's root (its administrator), one of its users, or a session of one of its roles."""

    arn: str
    principal_id: str
    user: AccountUser | None = None
    role: Role | None = None

    @property
    def is_root(self) -> bool:
        """Whether nothing is forbidden to this caller."""
        return self.user is None and self.role is None

    def policies(self, account: Account) -> list[dict[str, Any]]:
        """Every policy that grants or denies something to this caller: its own and its groups'."""
        holders: list[AccountUser | Group | Role] = []
        if self.user is not None:
            holders = [self.user, *account.groups_of(self.user)]
        elif self.role is not None:
            holders = [self.role]
        return [document for holder in holders for document in policies_of(holder)]


def policies_of(holder: AccountUser | Group | Role) -> list[dict[str, Any]]:
    """The inline and the attached policies of one user, group or role."""
    inline = [json.loads(document) for document in holder.policies.values()]
    return inline + [default_document(policy) for policy in holder.managed_policies.values()]


def default_document(policy: ManagedPolicy) -> dict[str, Any]:
    """The version of a managed policy that is in force."""
    version = next(v for v in policy.versions if v.version_id == policy.default_version_id)
    document: dict[str, Any] = json.loads(version.document)
    return document


def identify(account: Account, call: Call) -> Principal:
    """Find the owner of the key that signed the call; with access control on, check key and signature."""
    principal, secret, token = _owner(account, call)
    if account.access_control:
        if principal is None or (token and call.http.headers.get("X-Amz-Security-Token") != token):
            raise AwsError("InvalidClientTokenId", "The security token included in the request is invalid.")
        _check_signature(call, BotocoreCredentials(call.access_key_id, secret))
    _note_use(account, call)
    return principal or root(account)


def root(account: Account) -> Principal:
    """The account itself."""
    return Principal(account.root_arn, account.account_id)


def _owner(account: Account, call: Call) -> tuple[Principal | None, str, str | None]:
    if call.access_key_id == account.administrator.access_key_id:
        return root(account), account.administrator.secret_access_key, None
    session = account.sts.get_assumed_role_from_access_key(call.access_key_id)
    if session is not None:
        role = account.find_role_by_arn(session.role_arn)
        principal = Principal(session.arn, session.user_id, role=role) if role is not None else None
        return principal, session.secret_access_key, session.session_token
    key = account.access_key(call.access_key_id)
    user = account.find_user(key.user_name) if key is not None and key.user_name else None
    if key is None or user is None or (account.access_control and key.status != "Active"):
        return None, "", None
    return Principal(user.arn, user.id, user=user), key.secret_access_key, None


def _check_signature(call: Call, credentials: BotocoreCredentials) -> None:
    authorization = call.http.headers.get("Authorization", "")
    signed = re.search(r"SignedHeaders=([^,\s]+)", authorization)
    signature = re.search(r"Signature=([0-9a-f]+)", authorization)
    expected = _signature(call, credentials, signed[1].split(";") if signed else [])
    if signature is None or not compare_digest(expected, signature[1]):
        raise AwsError(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. "
            "Check your AWS Secret Access Key and signing method.",
        )


def _signature(call: Call, credentials: BotocoreCredentials, signed_headers: list[str]) -> str:
    headers = {name: value for name, value in call.http.headers.items() if name.lower() in signed_headers}
    request = AWSRequest(call.http.method, call.http.target, headers=headers, data=call.http.body)
    request.context["timestamp"] = call.http.headers.get("X-Amz-Date", "")
    signer = SigV4Auth(credentials, call.service, call.region)
    to_sign = signer.string_to_sign(request, signer.canonical_request(request))
    signature: str = signer.signature(to_sign, request)
    return signature


def _note_use(account: Account, call: Call) -> None:
    if (key := account.access_key(call.access_key_id)) is not None:
        key.last_used = AccessKeyLastUsed(now(), call.service, call.region or REGION)
