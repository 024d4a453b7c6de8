"""Names: unique and found whatever their case; a user name left out means the caller's own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from embedded_aws.account import Account
from embedded_aws.errors import AwsError
from embedded_aws.query_protocol import Call
from embedded_aws.service_models import operation_model

_MAKES_A_USER = {"CreateUser"}
_MAKES_A_GROUP = {"CreateGroup"}
# GetUser without a name answers the root itself when the root asks.
_ROOT_MAY_OMIT_THE_NAME = {"GetUser"}


def resolve_names(account: Account, call: Call) -> Call:
    """The call with user and group names in the spelling that the account holds, omitted ones filled in."""
    params = dict(call.params)
    if call.operation not in _MAKES_A_USER and _takes_user_name(call):
        _fill_in_caller(call, params)
        if (name := params.get("UserName")) is not None and (user := account.find_user(name)) is not None:
            params["UserName"] = user.name
    if call.operation not in _MAKES_A_GROUP and (name := params.get("GroupName")) is not None:
        group = account.find_group(name)
        params["GroupName"] = group.name if group is not None else name
    return replace(call, params=params)


def check_named_entities(account: Account, call: Call) -> None:
    """NoSuchEntity for a user or group that the call names and the account does not hold."""
    if "GroupName" in call.params and call.operation not in _MAKES_A_GROUP:
        account.group(call.params["GroupName"])
    if "UserName" in call.params and call.operation not in _MAKES_A_USER:
        account.user(call.params["UserName"])


def _takes_user_name(call: Call) -> bool:
    model = operation_model(call.service, call.operation)
    members = model.input_shape.members if model and model.input_shape else {}
    return call.service == "iam" and "UserName" in members


def _fill_in_caller(call: Call, params: dict[str, Any]) -> None:
    if "UserName" in params:
        return
    if call.caller is not None and call.caller.acting_user is not None:
        params["UserName"] = call.caller.acting_user.name
    elif call.operation not in _ROOT_MAY_OMIT_THE_NAME or (call.caller and not call.caller.is_root):
        raise AwsError("ValidationError", "Must specify userName when calling with non-User credentials")
