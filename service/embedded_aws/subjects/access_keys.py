"""Access keys: two per user, inactive ones included; the secret shows once."""

from __future__ import annotations

from typing import Any

from moto.iam.models import AccessKey

from embedded_aws.account import Account, AccountUser
from embedded_aws.errors import limit_exceeded, no_such_entity
from embedded_aws.history import DeletedKey
from embedded_aws.query_protocol import Call
from embedded_aws.rulebook import Result, answers, rule


@rule("CreateAccessKey")
def user_has_room_for_a_key(account: Account, call: Call) -> None:
    """An inactive key takes a place like any other."""
    limit = account.quotas["AccessKeysPerUserQuota"]
    if len(account.user(call.params["UserName"]).access_keys) >= limit:
        raise limit_exceeded("AccessKeysPerUser", limit)


@answers("CreateAccessKey")
def create_access_key(account: Account, call: Call) -> Result:
    """The only answer that holds the secret."""
    user = account.user(call.params["UserName"])
    key = user.create_access_key(prefix="AKIA")
    key.create_date = account.now()
    account.iam.access_keys[key.access_key_id] = key
    return {"AccessKey": {**_key_fields(user, key), "SecretAccessKey": key.secret_access_key}}


@answers("ListAccessKeys")
def list_access_keys(account: Account, call: Call) -> Result:
    """A user's keys without secrets."""
    user = account.user(call.params["UserName"])
    return {"AccessKeyMetadata": [_key_fields(user, key) for key in user.access_keys]}


@answers("UpdateAccessKey")
def update_access_key(account: Account, call: Call) -> None:
    """Switch a key on or off."""
    _key_of_user(account, call).status = call.params["Status"]


@answers("DeleteAccessKey")
def delete_access_key(account: Account, call: Call) -> None:
    """A deleted key cannot come back."""
    key = _key_of_user(account, call)
    user = account.user(call.params["UserName"])
    user.access_keys.remove(key)
    account.history.deleted_keys[key.access_key_id] = DeletedKey(key, user.id, account.clock.seconds())
    del account.iam.access_keys[key.access_key_id]


@answers("GetAccessKeyLastUsed")
def get_access_key_last_used(account: Account, call: Call) -> Result:
    """N/A and no date for a key that nobody has used."""
    key = account.access_key(call.params["AccessKeyId"])
    if key is None:
        raise _no_such_key(call)
    used = key.last_used
    last_used: dict[str, Any] = {"ServiceName": "N/A", "Region": "N/A"}
    if used is not None:
        last_used = {"LastUsedDate": used.timestamp, "ServiceName": used.service, "Region": used.region}
    return {"UserName": key.user_name, "AccessKeyLastUsed": last_used}


def _key_of_user(account: Account, call: Call) -> AccessKey:
    for key in account.user(call.params["UserName"]).access_keys:
        if key.access_key_id == call.params["AccessKeyId"]:
            return key
    raise _no_such_key(call)


def _no_such_key(call: Call) -> Exception:
    return no_such_entity(f"The Access Key with id {call.params['AccessKeyId']} cannot be found.")


def _key_fields(user: AccountUser, key: AccessKey) -> dict[str, Any]:
    return {
        "UserName": user.name,
        "AccessKeyId": key.access_key_id,
        "Status": key.status,
        "CreateDate": key.create_date,
    }
