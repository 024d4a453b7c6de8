"""What has just happened in the account: AWS's eventual consistency is acted out from it, where a fault asks."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moto.iam.models import AccessKey, AWSManagedPolicy

if TYPE_CHECKING:
    from embedded_aws.account import Account

# The parameter by which later calls name what an operation makes.
_MAKES = {
    "CreateAccessKey": "AccessKeyId",
    "CreateGroup": "GroupName",
    "CreateLoginProfile": "LoginProfile",
    "CreatePolicy": "PolicyArn",
    "CreateRole": "RoleName",
    "CreateUser": "UserName",
    "CreateVirtualMFADevice": "SerialNumber",
}
# Where the answer holds a name that the caller did not choose.
_NAMED_IN_THE_ANSWER = {
    "CreateAccessKey": ("AccessKey", "AccessKeyId"),
    "CreatePolicy": ("Policy", "Arn"),
    "CreateVirtualMFADevice": ("VirtualMFADevice", "SerialNumber"),
}
# A call that names one of these fails while the thing is too new to be seen.
VISIBLE_BY = ("GroupName", "PolicyArn", "RoleName", "SerialNumber", "UserName")

State = dict[str, Any]


@dataclass(frozen=True, slots=True)
class DeletedKey:
    """An access key that is gone, for whoever it still lets in for a moment."""

    key: AccessKey
    user_id: str
    deleted_at: float


class History:
    """When things were made, which keys were deleted, and how the account looked before its latest writes."""

    def __init__(self) -> None:
        """Nothing has happened."""
        self.deleted_keys: dict[str, DeletedKey] = {}
        self._made_at: dict[tuple[str, str], float] = {}
        self._states: list[tuple[float, State]] = []

    def note_made(self, operation: str, params: dict[str, Any], result: Any, at: float) -> None:
        """Remember what an operation made."""
        if operation not in _MAKES:
            return
        if operation in _NAMED_IN_THE_ANSWER:
            outer, inner = _NAMED_IN_THE_ANSWER[operation]
            name = result[outer][inner]
        else:
            name = params["UserName"] if operation == "CreateLoginProfile" else params[_MAKES[operation]]
        self._made_at[_MAKES[operation], name.casefold()] = at

    def age(self, parameter: str, name: str, now: float) -> float:
        """For how many seconds a thing has been there; for ever if it was not made by a call."""
        made_at = self._made_at.get((parameter, name.casefold()))
        return float("inf") if made_at is None else now - made_at

    def age_of_newest(self, params: dict[str, Any], now: float) -> float:
        """The age of the newest thing that a call names."""
        named = ((name, params[name]) for name in VISIBLE_BY if isinstance(params.get(name), str))
        return min((self.age(parameter, name, now) for parameter, name in named), default=float("inf"))

    def keep_state(self, account: Account, at: float, no_older_than: float) -> None:
        """Keep how the account looks before a write, and forget what is too old to be shown."""
        self._states = [entry for entry in self._states if entry[0] > no_older_than]
        self._states.append((at, state_of(account)))

    def state_at(self, instant: float) -> State | None:
        """How the account looked then; None if as it looks now."""
        return next((state for at, state in self._states if at > instant), None)


def state_of(account: Account) -> State:
    """A deep copy of everything that calls can read. AWS's own policies are shared: they do not change."""
    memo = {
        id(policy): policy for policy in account.iam.managed_policies.values() if isinstance(policy, AWSManagedPolicy)
    }
    held = {name: value for name, value in vars(account.iam).items() if isinstance(value, dict | list)}
    return copy.deepcopy({"iam": held, "tagger": account.iam.tagger, "policy": account.password_policy}, memo)


@contextmanager
def showing(account: Account, state: State) -> Iterator[None]:
    """Let the account look as it did, for one read. The caller holds the account's lock."""
    held = {name: getattr(account.iam, name) for name in state["iam"]}
    tagger, policy = account.iam.tagger, account.password_policy
    _show(account, state["iam"], state["tagger"], state["policy"])
    try:
        yield
    finally:
        _show(account, held, tagger, policy)


def _show(account: Account, held: State, tagger: Any, policy: dict[str, Any] | None) -> None:
    for name, value in held.items():
        setattr(account.iam, name, value)
    account.iam.tagger, account.password_policy = tagger, policy
