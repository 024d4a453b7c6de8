"""Paging over any list, without an account around it."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from embedded_aws.paging import page
from embedded_aws.query_protocol import Call, HttpRequest

NAMES = st.text(st.sampled_from("abAB019_-.@"), min_size=1, max_size=6)


def call(**params: Any) -> Call:
    """A ListUsers call."""
    return Call("iam", "ListUsers", params, "", "us-east-1", HttpRequest("POST", "/", {}, b""))


@given(st.lists(NAMES, unique_by=str.casefold), st.integers(1, 7))
def test_pages_hold_everything_once_and_in_order(names: list[str], size: int) -> None:
    """Going from marker to marker meets each item once, sorted without case, in pages of the asked size."""
    users = {"Users": [{"UserName": name} for name in names]}
    met: list[str] = []
    params: dict[str, Any] = {"MaxItems": size}
    while True:
        answered = page(call(**params), users)
        assert len(answered["Users"]) <= size
        met += [user["UserName"] for user in answered["Users"]]
        if not answered["IsTruncated"]:
            break
        params["Marker"] = answered["Marker"]
    assert met == sorted(names, key=str.casefold)
