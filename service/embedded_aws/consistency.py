"""Faults of time: what is too new, gone too recently or still throttled, and what IAM answers then."""

from __future__ import annotations

from embedded_aws import faults
from embedded_aws.account import Account
from embedded_aws.errors import AwsError, no_such_entity
from embedded_aws.query_protocol import Call

_CHANGES_OF_A_PASSWORD = {"DeleteLoginProfile", "UpdateLoginProfile"}
_NAME_WHAT_THEY_MAKE = {"CreateGroup", "CreatePolicy", "CreateRole", "CreateUser", "CreateVirtualMFADevice"}
_READS = ("Get", "List")


def applies(account: Account, call: Call, effect: faults.Effect) -> bool:
    """Whether the time is right for an effect; most do not ask for the time."""
    now = account.clock.seconds()
    match effect:
        case faults.FreshPassword():
            user = call.params.get("UserName", "")
            return (
                call.operation in _CHANGES_OF_A_PASSWORD
                and account.history.age("LoginProfile", user, now) < effect.seconds
            )
        case faults.NotFoundYet():
            return (
                call.operation not in _NAME_WHAT_THEY_MAKE
                and account.history.age_of_newest(call.params, now) < effect.seconds
            )
        case faults.KeyNotReady():
            return account.history.age("AccessKeyId", call.access_key_id, now) < effect.seconds
        case faults.KeyOutlivesDeletion():
            deleted = account.history.deleted_keys.get(call.access_key_id)
            return deleted is not None and now - deleted.deleted_at < effect.seconds
        case faults.StaleRead():
            return is_read(call) and account.history.state_at(now - effect.seconds) is not None
        case _:
            return True


def refusal(call: Call, effect: faults.Effect | None) -> AwsError | None:
    """The error that an effect answers instead of doing what was asked."""
    match effect:
        case faults.AnswerError():
            return AwsError(effect.code, effect.message, effect.status)
        case faults.Throttle():
            return AwsError("Throttling", "Rate exceeded")
        case faults.FreshPassword():
            user = call.params.get("UserName", "")
            return AwsError(
                "EntityTemporarilyUnmodifiable",
                f"Login Profile for User {user} cannot be modified while login profile is being created.",
            )
        case faults.NotFoundYet():
            return no_such_entity("What the call names cannot be found.")
        case faults.KeyNotReady():
            return AwsError("InvalidClientTokenId", "The security token included in the request is invalid.")
        case _:
            return None


def is_read(call: Call) -> bool:
    """Whether a call only looks."""
    return call.service == "iam" and call.operation.startswith(_READS)
