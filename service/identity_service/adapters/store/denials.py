"""Refusals in the log of the service: they are in no chain of the audit log, so this is their second place."""

import logging

import structlog

from identity_service.application.ledger import Denial

# Whatever the level that is configured, like the heads of the chains.
_log: structlog.typing.FilteringBoundLogger = structlog.wrap_logger(
    None, wrapper_class=structlog.make_filtering_bound_logger(logging.NOTSET)
)


def log(denial: Denial, count: int) -> None:
    """Log a refusal; `count` is how many this process has seen."""
    _log.warning(
        "denied",
        caller=denial.caller_id,
        team=denial.team,
        action=denial.action,
        account_id=denial.account_id,
        target=str(denial.target),
        request_id=denial.request_id,
        reason=denial.reason,
        denials=count,
    )
