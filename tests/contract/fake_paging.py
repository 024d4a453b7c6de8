"""Paging of the fake account: one order, cut at a size, continued at a marker of this operation alone."""

import base64
import json
from collections.abc import Iterable
from typing import TypeVar

from identity_service.domain.entities import Page
from identity_service.domain.errors import IamErrorKind
from tests.contract.fake_rules import check, refuse

T = TypeVar("T")


def page_of(operation: str, items: Iterable[tuple[str, T]], page_size: int, token: str | None) -> Page[T]:
    """Cut a page out of items, given with what they are sorted by, which is unique."""
    check(1 <= page_size <= 1000, IamErrorKind.INVALID_INPUT)
    after = "" if token is None else _read_marker(operation, token)
    rest = sorted(((key, item) for key, item in items if key > after), key=lambda entry: entry[0])
    shown = rest[:page_size]
    next_token = _marker(operation, shown[-1][0]) if len(rest) > page_size else None
    return Page(tuple(item for _, item in shown), next_token)


def _marker(operation: str, key: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([operation, key]).encode()).decode()


def _read_marker(operation: str, token: str) -> str:
    try:
        of_operation, key = json.loads(base64.b64decode(token, b"-_", validate=True))
    except (TypeError, ValueError):
        refuse(IamErrorKind.INVALID_INPUT)
    check(of_operation == operation, IamErrorKind.INVALID_INPUT)
    return str(key)
