"""The store: request ledger, locks, mints and audit log in one database, written in one unit of work.

Whoever writes holds a lease, which a heartbeat renews, and an epoch, which fences off what comes too late.
"""

from identity_service.adapters.store.backlog import Backlog, Queue
from identity_service.adapters.store.errors import StoreError
from identity_service.adapters.store.ledger import SqlLedger
from identity_service.adapters.store.migration import migrate
from identity_service.adapters.store.operations import SqlOperationStore
from identity_service.adapters.store.watching import StoreWatch

__all__ = ["Backlog", "Queue", "SqlLedger", "SqlOperationStore", "StoreError", "StoreWatch", "migrate"]
