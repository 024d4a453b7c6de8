"""Reads of an account that many users share: groups, policies, quotas are read once for all of them."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from identity_service.application.ports import IamAccount

SHARED = frozenset(
    {
        "get_account_summary",
        "get_password_policy",
        "get_alias",
        "get_group",
        "get_group_policies",
        "get_policy",
        "get_policy_document",
        "find_customer_policy",
        "find_aws_policy",
    }
)
"""The reads whose answer does not depend on the user that is made."""

CHANGING = frozenset({"create_group", "delete_group", "attach_group_policy", "create_policy", "delete_policy"})
"""The writes after which what was read may not be true any more."""

FRESH_SECONDS = 10.0
"""How old a shared answer may be.

What is gone since, IAM itself refuses, and the user is undone. What a group or a policy grants may have changed
without that: the user gets what it grants by now, and the plan's warnings are of what it granted before.
"""

MOST_ANSWERS = 2000
"""How many answers are kept."""


class SharedReads:
    """Stands for an `IamAccount` and asks it, but for what was asked a moment ago or is being asked.

    An answer of "not there" is not kept for what may be made at any moment, such as a group.
    """

    def __init__(self, account: IamAccount, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._account = account
        self._monotonic = monotonic
        self._answers: dict[tuple[object, ...], tuple[float, asyncio.Task[Any]]] = {}

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._account, name)
        if name in SHARED:
            return partial(self._share, name, method)
        if name in CHANGING:
            return partial(self._change, method)
        return method

    async def _change(self, method: Callable[..., Coroutine[Any, Any, Any]], *args: Any, **kwargs: Any) -> Any:
        try:
            return await method(*args, **kwargs)
        finally:
            self._answers.clear()

    async def _share(self, name: str, method: Callable[..., Coroutine[Any, Any, Any]], *args: Any) -> Any:
        key = (name, *args)
        asked_at, task = self._answers.get(key, (0.0, None))
        if task is None or self._monotonic() - asked_at > FRESH_SECONDS or (task.done() and not _is_kept(name, task)):
            if len(self._answers) >= MOST_ANSWERS:
                self._answers.clear()
            task = asyncio.create_task(method(*args))
            # Read in any case: whoever waits may be cancelled, and then nobody else would.
            task.add_done_callback(_read)
            self._answers[key] = (self._monotonic(), task)
        # One who stops waiting does not stop it for the others.
        return await asyncio.shield(task)


def _is_kept(name: str, task: asyncio.Task[Any]) -> bool:
    if task.cancelled() or task.exception() is not None:
        return False
    return task.result() is not None or name.startswith("find_")


def _read(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()
