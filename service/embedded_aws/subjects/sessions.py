"""STS: who the caller is, and temporary credentials of roles, users and federated names."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from moto.iam.models import Role

from embedded_aws.account import Account, AccountUser, Credentials, Session, unique_id
from embedded_aws.authorization import access_denied, identity_decision
from embedded_aws.errors import AwsError
from embedded_aws.policy_evaluation import Decision, as_list, decide, statements_of
from embedded_aws.principals import Principal, default_document, root
from embedded_aws.query_protocol import Call
from embedded_aws.request_context import principal_context, request_context
from embedded_aws.rulebook import Result, answers, rule
from embedded_aws.subjects.policy_documents import check_document
from embedded_aws.totp import is_current

_ROLE_ARN = re.compile(r"arn:aws[\w-]*:iam::(\d{12}):role/[\w+=,.@/-]+", re.ASCII)
_DEFAULT_SECONDS = {"AssumeRole": 3600, "GetFederationToken": 43200, "GetSessionToken": 43200}
# A role session that opens another may do so for an hour at most.
_CHAINED_SECONDS = 3600
_WITHOUT_KEY = ("AssumeRoleWithSAML", "AssumeRoleWithWebIdentity")


@answers("GetCallerIdentity")
def get_caller_identity(account: Account, call: Call) -> Result:
    """No permission is needed to ask who one is."""
    caller = call.caller or root(account)
    return {"UserId": caller.principal_id, "Account": account.account_id, "Arn": caller.arn}


@answers("GetAccessKeyInfo")
def get_access_key_info(account: Account, call: Call) -> Result:
    """The account that a key belongs to."""
    key_id = call.params["AccessKeyId"]
    accounts = call.accounts or [account]
    owner = next((one for one in accounts if one.knows_key(key_id)), None)
    if owner is None:
        raise AwsError("ValidationError", "The specified access key id is invalid.")
    return {"Account": owner.account_id}


@rule("AssumeRole")
def role_lets_the_caller_in(account: Account, call: Call) -> None:
    """AccessDenied, not NoSuchEntity: STS does not tell strangers which roles there are."""
    found, caller = _role_of(account, call), call.caller or root(account)
    if found is None:
        raise access_denied(account, call, caller, Decision.IMPLICIT_DENY)
    if not account.access_control:
        return
    for action in _actions(call, caller):
        own = Decision.ALLOWED if caller.is_root else identity_decision(account, call, caller, action)
        trust = _trusts(account, found, caller, call, action)
        # In one account the trust in this very caller suffices; across accounts, both sides have to agree.
        named_suffices = trust.by_name and found.account is account and own is Decision.IMPLICIT_DENY
        if not trust.lets_in or not (own is Decision.ALLOWED or named_suffices):
            raise access_denied(account, call, caller, own, action)


@rule(*_WITHOUT_KEY)
def role_exists(account: Account, call: Call) -> None:
    """Whoever vouches for the caller, the role has to be there."""
    if _role_of(account, call) is None:
        raise AwsError("AccessDenied", f"Not authorized to perform sts:{call.operation}")


@rule("AssumeRole")
def session_is_not_too_long(account: Account, call: Call) -> None:
    """The role sets the limit; a role that opens another role has an hour."""
    found, seconds = _role_of(account, call), _seconds(call)
    limit = int(getattr(found.role if found else None, "max_session_duration", None) or _CHAINED_SECONDS)
    if seconds > limit:
        raise AwsError(
            "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
        )
    if call.caller is not None and call.caller.role is not None and seconds > _CHAINED_SECONDS:
        raise AwsError(
            "ValidationError",
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
        )


@rule("AssumeRole")
def transitive_tags_are_given_and_stay(account: Account, call: Call) -> None:
    """Only tags of the request can be made transitive, and one that goes along is not set anew."""
    given = {key.lower() for key in _tags(call)}
    if not given.issuperset(key.lower() for key in call.params.get("TransitiveTagKeys", [])):
        raise AwsError(
            "InvalidParameterValue", "The specified transitive tag key must be included in the requested tags."
        )
    if given & {key.lower() for key in _going_along(call.caller)}:
        raise AwsError(
            "InvalidParameterValue",
            "One of the specified tag keys can't be set because it conflicts with a transitive tag key from the "
            "calling session.",
        )


@answers("AssumeRole")
def assume_role(account: Account, call: Call) -> Result:
    """The session belongs to the account of the role."""
    found = _role_of(account, call)
    if found is None:
        raise AwsError("AccessDenied", "There is no such role.")
    name = call.params["RoleSessionName"]
    session = _open(
        found.account,
        call,
        arn=f"arn:{found.account.partition}:sts::{found.account.account_id}:assumed-role/{found.role.name}/{name}",
        principal_id=f"{found.role.id}:{name}",
        role=found.role,
        policies=_session_policies(found.account, call),
        tags={**_tags(call), **_going_along(call.caller)},
        transitive_tags={**_made_transitive(call), **_going_along(call.caller)},
    )
    return {
        "Credentials": _credentials(session),
        "AssumedRoleUser": {"AssumedRoleId": session.principal_id, "Arn": session.arn},
    }


@answers("GetSessionToken")
def get_session_token(account: Account, call: Call) -> Result:
    """The user for some hours; with an MFA code, policies can see that it was given."""
    caller = call.caller or root(account)
    if caller.session is not None:
        raise AwsError("AccessDenied", "Cannot call GetSessionToken with session credentials")
    mfa = _shows_mfa(account, call, caller)
    session = _open(account, call, arn=caller.arn, principal_id=caller.principal_id, user=caller.user, mfa=mfa)
    return {"Credentials": _credentials(session)}


@answers("GetFederationToken")
def get_federation_token(account: Account, call: Call) -> Result:
    """Another name for some hours, which may do what both the user and the given policies allow."""
    caller, name = call.caller or root(account), call.params["Name"]
    if caller.session is not None:
        raise AwsError("AccessDenied", "Cannot call GetFederationToken with session credentials")
    session = _open(
        account,
        call,
        arn=f"arn:{account.partition}:sts::{account.account_id}:federated-user/{name}",
        principal_id=f"{account.account_id}:{name}",
        user=caller.user,
        federated=True,
        policies=_session_policies(account, call) or [],
        tags=_tags(call),
    )
    return {
        "Credentials": _credentials(session),
        "FederatedUser": {"FederatedUserId": session.principal_id, "Arn": session.arn},
    }


@dataclass(frozen=True, slots=True)
class _FoundRole:
    """A role and the account that it stands in."""

    account: Account
    role: Role


@dataclass(frozen=True, slots=True)
class _Trust:
    lets_in: bool
    # Whether the caller itself is named, and not just its account.
    by_name: bool


def _role_of(account: Account, call: Call) -> _FoundRole | None:
    arn = call.params["RoleArn"]
    parts = _ROLE_ARN.fullmatch(arn)
    if parts is None:
        raise AwsError("ValidationError", f"{arn} is invalid")
    holder = call.accounts.find(parts[1]) if call.accounts is not None else account
    role = holder.find_role_by_arn(arn) if holder is not None else None
    return _FoundRole(holder, role) if holder is not None and role is not None else None


def _actions(call: Call, caller: Principal) -> list[str]:
    """What the caller needs: the right to tag as well, for tags of its own and for those that go along."""
    return ["AssumeRole", *(["TagSession"] if _tags(call) or _going_along(caller) else [])]


def _tags(call: Call) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in call.params.get("Tags", [])}


def _made_transitive(call: Call) -> dict[str, str]:
    keys = {key.lower() for key in call.params.get("TransitiveTagKeys", [])}
    return {key: value for key, value in _tags(call).items() if key.lower() in keys}


def _going_along(caller: Principal | None) -> Mapping[str, str]:
    """The tags of the caller's session that the next session bears as well."""
    return caller.session.transitive_tags if caller is not None and caller.session is not None else {}


def _trusts(account: Account, found: _FoundRole, caller: Principal, call: Call, action: str) -> _Trust:
    """What the role's trust policy says of this caller; its statements name principals, not resources."""
    document = json.loads(found.role.assume_role_policy_document)
    names = {"*", caller.arn}
    if caller.role is not None:
        names.add(caller.role.arn)
    account_names = {account.root_arn, account.account_id}
    context = {**principal_context(account, caller), **request_context(account, call)}
    context["aws:MultiFactorAuthPresent"] = ["true" if _shows_mfa(account, call, caller) else "false"]
    context["sts:RoleSessionName"] = [call.params["RoleSessionName"]]
    if "ExternalId" in call.params:
        context["sts:ExternalId"] = [call.params["ExternalId"]]
    if not call.params.get("SerialNumber") and caller.session is None:
        del context["aws:MultiFactorAuthPresent"]

    def allows(accepted: set[str]) -> bool:
        concerning = [{**s, "Resource": "*"} for s in statements_of(document) if _concerns(s, accepted)]
        policy = {"Version": document.get("Version"), "Statement": concerning}
        return decide([policy], f"sts:{action}", "*", context) is Decision.ALLOWED

    return _Trust(allows(names | account_names), allows(names))


def _concerns(statement: Any, names: set[str]) -> bool:
    """Whether the statement speaks of one of these principals; a Deny of the account speaks of all in it."""
    if "NotPrincipal" in statement:
        return not names & set(_named(statement["NotPrincipal"]))
    return bool(names & set(_named(statement.get("Principal", {}))))


def _named(principal: Any) -> list[str]:
    return as_list(principal.get("AWS", [])) if isinstance(principal, dict) else as_list(principal)


def _shows_mfa(account: Account, call: Call, caller: Principal) -> bool:
    """Whether a code of one of the caller's devices came along; a wrong one is refused."""
    serial, code = call.params.get("SerialNumber"), call.params.get("TokenCode")
    if serial is None and code is None:
        return caller.session is not None and caller.session.mfa
    user: AccountUser | None = caller.acting_user
    device = account.iam.virtual_mfa_devices.get(str(serial))
    owned = user is not None and device is not None and device.serial_number in user.mfa_devices
    if device is None or not owned or not is_current(device.base32_string_seed, str(code)):
        raise AwsError("AccessDenied", "MultiFactorAuthentication failed with invalid MFA one time pass code.")
    return True


def _session_policies(account: Account, call: Call) -> list[dict[str, Any]] | None:
    """The given document and the named policies together limit the session; None if there are none."""
    inline, arns = call.params.get("Policy"), [entry["arn"] for entry in call.params.get("PolicyArns", [])]
    if inline is None and not arns:
        return None
    policies = [default_document(account.policy(arn)) for arn in arns]
    if inline is not None:
        check_document(inline)
        policies.append(json.loads(inline))
    return policies


def _open(account: Account, call: Call, **facts: Any) -> Session:
    issued = account.now()
    session = Session(
        credentials=Credentials(unique_id("ASIA", 20), secrets.token_urlsafe(30)),
        token=secrets.token_urlsafe(120),
        issued=issued,
        expires=issued + timedelta(seconds=_seconds(call)),
        **facts,
    )
    account.sessions[session.credentials.access_key_id] = session
    return session


def _seconds(call: Call) -> int:
    return int(call.params.get("DurationSeconds", _DEFAULT_SECONDS[call.operation]))


def _credentials(session: Session) -> dict[str, Any]:
    return {
        "AccessKeyId": session.credentials.access_key_id,
        "SecretAccessKey": session.credentials.secret_access_key,
        "SessionToken": session.token,
        "Expiration": session.expires,
    }
