"""Who a request comes from: the access key's owner, proven by the signature made with its secret."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hmac import compare_digest
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from moto.iam.models import AccessKey, AccessKeyLastUsed, AWSManagedPolicy, Group, ManagedPolicy, Role

from embedded_aws.account import Account, AccountUser, Session
from embedded_aws.errors import AwsError
from embedded_aws.query_protocol import Call

Holder = AccountUser | Group | Role
_ALLOW_ALL = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
_SIGNED_AT = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True)
class Principal:
    """The account's root (its administrator), one of its users, or a session."""

    arn: str
    principal_id: str
    account_id: str
    user: AccountUser | None = None
    role: Role | None = None
    session: Session | None = None

    @property
    def is_root(self) -> bool:
        """Whether nothing is forbidden to this caller."""
        return self.user is None and self.role is None and self.session is None

    @property
    def acting_user(self) -> AccountUser | None:
        """The user whom the caller is; a federated name only borrows from one."""
        return None if self.session is not None and self.session.federated else self.user

    def policies(self, account: Account) -> list[dict[str, Any]]:
        """Every policy that grants or denies something to this caller: its own and its groups'."""
        if self.user is None and self.role is None:
            return [_ALLOW_ALL]
        return [policy.document for policy in self.sourced_policies(account)]

    def sourced_policies(self, account: Account) -> list[SourcedPolicy]:
        """The same policies with where each comes from."""
        return [policy for holder in holders_for(account, self.user or self.role) for policy in policies_of(holder)]

    def limits(self, account: Account) -> list[list[dict[str, Any]]]:
        """What takes away from these policies: the permissions boundary, and the policies of a session."""
        boundary = boundary_of(account, self.user or self.role)
        limits = [] if boundary is None else [[boundary]]
        if self.session is not None and self.session.policies is not None:
            limits.append(self.session.policies)
        return limits


@dataclass(frozen=True, slots=True)
class SourcedPolicy:
    """A policy in force, and where it comes from in the words of SimulatePrincipalPolicy."""

    source_id: str
    source_type: str
    document: dict[str, Any]


def holders_for(account: Account, holder: Holder | None) -> list[Holder]:
    """Whose policies count for a user, group or role: its own and, for a user, its groups'."""
    if holder is None:
        return []
    return [holder, *account.groups_of(holder)] if isinstance(holder, AccountUser) else [holder]


def policies_of(holder: Holder) -> list[SourcedPolicy]:
    """The inline and the attached policies of one user, group or role."""
    kind = "user" if isinstance(holder, AccountUser) else "group" if isinstance(holder, Group) else "role"
    inline = [
        SourcedPolicy(f"{kind}_{holder.name}_{name}", kind, json.loads(document))
        for name, document in holder.policies.items()
    ]
    attached = [
        SourcedPolicy(
            policy.name,
            "aws-managed" if isinstance(policy, AWSManagedPolicy) else "user-managed",
            default_document(policy),
        )
        for policy in holder.managed_policies.values()
    ]
    return inline + attached


def boundary_of(account: Account, holder: Holder | None) -> dict[str, Any] | None:
    """The permissions boundary of a user or role; groups have none."""
    arn: str | None = getattr(holder, "permissions_boundary_arn", None)
    return None if arn is None else default_document(account.policy(arn))


def default_document(policy: ManagedPolicy) -> dict[str, Any]:
    """The version of a managed policy that is in force."""
    version = next(v for v in policy.versions if v.version_id == policy.default_version_id)
    document: dict[str, Any] = json.loads(version.document)
    return document


def identify(account: Account, call: Call) -> Principal:
    """Find the owner of the key that signed the call; with access control on, check key and signature."""
    owner = _owner(account, call)
    if account.access_control:
        if owner is None or (owner.token and call.http.headers.get("X-Amz-Security-Token") != owner.token):
            raise AwsError("InvalidClientTokenId", "The security token included in the request is invalid.")
        _check_age(account, call)
        _check_signature(call, BotocoreCredentials(call.access_key_id, owner.secret))
        _check_expiry(account, owner.principal)
    _note_use(account, call)
    return owner.principal if owner is not None else root(account)


def root(account: Account) -> Principal:
    """The account itself."""
    return Principal(account.root_arn, account.account_id, account.account_id)


@dataclass(frozen=True, slots=True)
class _Owner:
    principal: Principal
    secret: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


def _owner(account: Account, call: Call) -> _Owner | None:
    if call.access_key_id == account.administrator.access_key_id:
        return _Owner(root(account), account.administrator.secret_access_key)
    if (session := account.sessions.get(call.access_key_id)) is not None:
        return _owner_of_session(account, session)
    web = account.sts.get_assumed_role_from_access_key(call.access_key_id)
    if web is not None:
        role = account.find_role_by_arn(web.role_arn)
        principal = Principal(web.arn, web.user_id, account.account_id, role=role)
        return _Owner(principal, web.secret_access_key, web.session_token) if role is not None else None
    key = _key_in_force(account, call)
    user = account.find_user(key.user_name) if key is not None and key.user_name else None
    if key is None or user is None or (account.access_control and key.status != "Active"):
        return None
    return _Owner(Principal(user.arn, user.id, account.account_id, user=user), key.secret_access_key)


def _owner_of_session(account: Account, session: Session) -> _Owner | None:
    """A session ends with the user or role that it acts for."""
    holder = session.user or session.role
    still_there = holder is None or any(
        holder is one for one in (*account.iam.users.values(), *account.iam.roles.values())
    )
    if not still_there:
        return None
    principal = Principal(session.arn, session.principal_id, account.account_id, session.user, session.role, session)
    return _Owner(principal, session.credentials.secret_access_key, session.token)


def _key_in_force(account: Account, call: Call) -> AccessKey | None:
    deleted = account.history.deleted_keys.get(call.access_key_id)
    if deleted is not None and account.clock.seconds() - deleted.deleted_at < call.deleted_key_grace:
        return deleted.key
    return account.access_key(call.access_key_id)


def _check_age(account: Account, call: Call) -> None:
    """A signature is good for fifteen minutes, from a clock that is as far ahead or behind at most."""
    try:
        signed = datetime.strptime(call.http.headers.get("X-Amz-Date", ""), _SIGNED_AT).replace(tzinfo=UTC)
    except ValueError:
        raise AwsError("IncompleteSignature", "Authorization header requires a valid 'X-Amz-Date'.") from None
    age = account.clock.seconds() - signed.timestamp()
    if age > account.signature_validity:
        raise AwsError("SignatureDoesNotMatch", "Signature expired: it was made too long ago.")
    if age < -account.signature_validity:
        raise AwsError("SignatureDoesNotMatch", "Signature not yet current: it was made in the future.")


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


def _signature(call: Call, credentials: BotocoreCredentials, signed_headers: Sequence[str]) -> str:
    headers = {name: value for name, value in call.http.headers.items() if name.lower() in signed_headers}
    request = AWSRequest(call.http.method, call.http.target, headers=headers, data=call.http.body)
    request.context["timestamp"] = call.http.headers.get("X-Amz-Date", "")
    signer = SigV4Auth(credentials, call.service, call.region)
    to_sign = signer.string_to_sign(request, signer.canonical_request(request))
    signature: str = signer.signature(to_sign, request)
    return signature


def _check_expiry(account: Account, principal: Principal) -> None:
    if principal.session is not None and account.now() >= principal.session.expires:
        raise AwsError("ExpiredToken", "The security token included in the request is expired")


def _note_use(account: Account, call: Call) -> None:
    if (key := account.access_key(call.access_key_id)) is not None:
        key.last_used = AccessKeyLastUsed(account.now(), call.service, call.region or account.region)
