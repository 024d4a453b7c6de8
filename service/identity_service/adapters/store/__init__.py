"""The store: request ledger, user locks and audit log in one database, written in one unit of work."""

from identity_service.adapters.store.database import StoreError
from identity_service.adapters.store.ledger import SqlLedger

__all__ = ["SqlLedger", "StoreError"]
