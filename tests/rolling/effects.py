"""Compares the account with what was asked: nothing done twice, and nothing missing."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from embedded_aws import RecordedCall

ONCE = ("CreateUser", "CreateAccessKey", "DeleteAccessKey", "DeleteUser")
"""What is done at most once for a user: an effect that was taken back and made anew counts as two."""


def doubled_effects(
    calls: Iterable[RecordedCall], users: Iterable[Mapping[str, Any]], kept: Collection[str], unknown: Collection[str]
) -> list[str]:
    """Name what was carried out more than once, and whom nobody asked to stay and yet is there."""
    done = Counter(
        (call.operation, call.parameters["UserName"]) for call in calls if call.operation in ONCE and call.status == 200
    )
    twice = [f"{operation} {name}: {times} times" for (operation, name), times in done.items() if times > 1]
    surplus = [f"{user['name']} is there" for user in users if user["name"] not in kept and user["name"] not in unknown]
    return twice + surplus


def lost_effects(users: Iterable[Mapping[str, Any]], kept: Mapping[str, str]) -> list[str]:
    """Name who should be there with the one key that was handed out, and is not."""
    keys = {user["name"]: [key["id"] for key in user["access_keys"]] for user in users}
    return [
        f"{name} should have the key {key_id} and has {keys.get(name)}"
        for name, key_id in kept.items()
        if keys.get(name) != [key_id]
    ]
