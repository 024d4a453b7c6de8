"""The heads of the audit log's chains are logged again and again while a server runs."""

import asyncio
from contextlib import suppress
from typing import cast

from identity_service.adapters.store import SqlLedger
from identity_service.bootstrap import AUDIT_HEADS_SECONDS, log_audit_heads


class Ledger:
    """Counts how often its heads were logged; the first time the log cannot be written."""

    def __init__(self) -> None:
        self.logged = 0
        self.enough = asyncio.Event()

    def log_audit_heads(self) -> None:
        """Log, or fail as a full disk does."""
        self.logged += 1
        if self.logged == 1:
            raise OSError
        if self.logged == 3:
            self.enough.set()


async def test_heads_are_logged_every_minute() -> None:
    """It goes on until it is cancelled, also after a log that could not be written, and a minute is the interval."""
    ledger = Ledger()
    task = asyncio.create_task(log_audit_heads(cast(SqlLedger, ledger), 0))
    await asyncio.wait_for(ledger.enough.wait(), 10)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert AUDIT_HEADS_SECONDS == 60
