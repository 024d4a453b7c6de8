"""What the audit log tells of callers' changes of operations, each line in the unit of work of its change."""

from identity_service.adapters.store import audit
from identity_service.adapters.store.rows import Row
from identity_service.adapters.store.schema import AuditEventName
from identity_service.adapters.store.units import Unit
from identity_service.domain.caller import Caller


def append(unit: Unit, action: str, operation: Row, caller: Caller, request_id: str, **details: object) -> None:
    """Write that a caller has changed an operation, which need not be whoever made it.

    No call to IAM lies between its intent and its outcome, so one line tells of both. Details hold numbers, digests
    and states: who is made has lines of its own.
    """
    line = {
        "caller_id": caller.id,
        "team": caller.team,
        "action": action,
        "account_id": operation["account_id"],
        "target": f"operation/{operation['operation_id']}",
        "request_id": request_id,
        # That of a request for one target; an operation has none.
        "row_id": "",
    }
    audit.append(unit, AuditEventName.OUTCOME, line, details)
