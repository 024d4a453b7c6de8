"""Paging: every list in one order, cut at MaxItems, continued at a Marker of this operation alone."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from embedded_aws.errors import AwsError
from embedded_aws.query_protocol import Call
from embedded_aws.service_models import paging_of

DEFAULT_PAGE_SIZE = 100

# The member that a list is sorted by, ignoring case; lists that are not here keep the order of their making.
_SORTED_BY = {
    "AttachedPolicies": "PolicyName",
    "GroupDetailList": "GroupName",
    "Groups": "GroupName",
    "InstanceProfiles": "InstanceProfileName",
    "Policies": "PolicyName",
    "PolicyGroups": "GroupName",
    "PolicyRoles": "RoleName",
    "PolicyUsers": "UserName",
    "RoleDetailList": "RoleName",
    "Roles": "RoleName",
    "Tags": "Key",
    "UserDetailList": "UserName",
    "Users": "UserName",
    "VirtualMFADevices": "SerialNumber",
}
_SORTED_STRINGS = {"AccountAliases", "PolicyNames"}

_Place = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Deferred:
    """An item that is costly to describe: it is described only if it is on the page."""

    name: str
    describe: Callable[[], dict[str, Any]]


def is_paged(call: Call) -> bool:
    """Whether the operation answers a list in pages."""
    return call.service == "iam" and bool(paging_of(call.operation))


def page(call: Call, result: dict[str, Any]) -> dict[str, Any]:
    """The page of a whole result that the call asks for."""
    lists = paging_of(call.operation)
    size = call.params.get("MaxItems", DEFAULT_PAGE_SIZE)
    after = _read_marker(call)
    rest = [entry for entry in _in_order(lists, result) if after is None or entry[0] > after]
    shown, truncated = rest[:size], len(rest) > size
    paged = {**result, **{name: [] for name in lists}, "IsTruncated": truncated, "Marker": None}
    for (list_index, _), item in shown:
        paged[lists[list_index]].append(item.describe() if isinstance(item, Deferred) else item)
    if truncated:
        paged["Marker"] = _write_marker(call, shown[-1][0])
    return paged


def _in_order(lists: tuple[str, ...], result: dict[str, Any]) -> list[tuple[_Place, Any]]:
    entries = [
        ((list_index, _sort_key(name, position, item)), item)
        for list_index, name in enumerate(lists)
        for position, item in enumerate(result.get(name) or [])
    ]
    return sorted(entries, key=lambda entry: entry[0])


def _sort_key(list_name: str, position: int, item: Any) -> str:
    if list_name in _SORTED_STRINGS:
        return str(item).casefold()
    if list_name in _SORTED_BY:
        return str(item[_SORTED_BY[list_name]] if isinstance(item, dict) else item.name).casefold()
    return f"{position:08d}"


def _write_marker(call: Call, place: _Place) -> str:
    return base64.urlsafe_b64encode(json.dumps([call.operation, *place]).encode()).decode()


def _read_marker(call: Call) -> _Place | None:
    marker = call.params.get("Marker")
    if marker is None:
        return None
    try:
        operation, list_index, key = json.loads(base64.b64decode(marker, b"-_", validate=True))
    except (TypeError, ValueError):
        raise AwsError("ValidationError", "Invalid Marker.") from None
    if operation != call.operation or not isinstance(list_index, int) or not isinstance(key, str):
        raise AwsError("ValidationError", "Invalid Marker.")
    return list_index, key
