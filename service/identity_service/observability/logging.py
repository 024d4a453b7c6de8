"""Logs: one JSON object a line, straight to bytes.

The standard library's loggers, through which libraries log, go the same way from WARNING on: botocore logs the
bodies of requests and answers at DEBUG, secrets included. An exception is logged as its type and its frames, without
its text and without local variables, since both may hold a secret.
"""

import logging
import sys
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import orjson
import structlog
from structlog.typing import EventDict, WrappedLogger

from identity_service.observability.redaction import redact
from identity_service.observability.tracing import current_trace

LEVELS = {"DEBUG": logging.DEBUG, "INFO": logging.INFO, "WARNING": logging.WARNING, "ERROR": logging.ERROR}
DEEPEST_CAUSE = 5


def configure_logging(level: str = "INFO", stream: BinaryIO | None = None) -> None:
    """Send the logs of the service and of its libraries to a binary stream, standard error if none is given."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            add_trace,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            describe_exception,
            redact,
            structlog.processors.JSONRenderer(serializer=orjson.dumps),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.BytesLoggerFactory(file=stream or sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )
    # Whatever level somebody gives a library's logger: botocore's DEBUG lines hold passwords and keys.
    logging.disable(logging.INFO)
    # A record that cannot be logged would be written to standard error, its arguments and the failure's text included.
    logging.raiseExceptions = False
    logging.basicConfig(handlers=[StructlogHandler()], level=logging.WARNING, force=True)


def open_log_file(path: Path) -> BinaryIO:
    """Open a file to log to: appended to, readable for its owner alone, and written line by line."""
    path.touch(mode=0o600, exist_ok=True)
    return path.open("ab", buffering=0)


class StructlogHandler(logging.Handler):
    """Hands the standard library's records to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log a record; of its message only the first line, because asyncio writes exceptions into the others."""
        try:
            # With an exception, the arguments are likely to quote its text: then only the template is shown.
            message = str(record.msg) if record.exc_info else record.getMessage()
            first_line = message.partition("\n")[0]
            structlog.get_logger().log(record.levelno, first_line, logger=record.name, exc_info=record.exc_info or None)
        except Exception:  # noqa: BLE001 - logging never fails who logs
            self.handleError(record)


def add_trace(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Add the ids of the current trace and span."""
    ids = current_trace()
    if ids:
        event.setdefault("trace_id", ids[0])
        event.setdefault("span_id", ids[1])
    return event


def describe_exception(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace `exc_info` by the types and frames of the exception and of its causes."""
    error = _exception_in(event.pop("exc_info", None))
    if error is not None:
        event["exception"] = _chain(error)
    return event


def _exception_in(exc_info: object) -> BaseException | None:
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        return exc_info[1] if isinstance(exc_info[1], BaseException) else None
    return sys.exc_info()[1] if exc_info else None


def _chain(error: BaseException) -> list[dict[str, Any]]:
    described: list[dict[str, Any]] = []
    following: BaseException | None = error
    while following is not None and len(described) < DEEPEST_CAUSE:
        kind = type(following)
        described.append({"type": f"{kind.__module__}.{kind.__qualname__}", "frames": _frames(following.__traceback__)})
        following = following.__cause__ or (None if following.__suppress_context__ else following.__context__)
    return described


def _frames(trace: TracebackType | None) -> list[str]:
    return [
        f"{Path(frame.f_code.co_filename).name}:{line} in {frame.f_code.co_qualname}"
        for frame, line in traceback.walk_tb(trace)
    ]
