"""What the ledger is expected to know of a begun request."""

from dataclasses import replace
from typing import Any

from identity_service.application.ports import Intent, LedgerRow


def row_of(intent: Intent, *, lease_expired: bool, **ends: Any) -> LedgerRow:
    """Expect an intent's row: of its plan what carrying it out needs, and how it ended."""
    plan = replace(intent.plan, warnings=(), quota_uses=(), problems=())
    return LedgerRow(intent.row_id, intent.fingerprint, lease_expired, plan=plan, before=intent.snapshot, **ends)
