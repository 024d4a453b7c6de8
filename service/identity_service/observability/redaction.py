"""What a log line may show. A second line of defence: nothing should give a secret to a log in the first place."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from structlog.typing import EventDict, WrappedLogger

MASK = "***"
SECRET_NAMES = ("password", "secret", "token", "authorization")
"""Parts of names, in lower case, under which nothing is shown."""
DEEPEST = 6


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Mask what is named like a secret or is one, at any depth; show of unknown objects only their type."""
    return {name: MASK if _is_secret_name(name) else _shown(value, DEEPEST) for name, value in event.items()}


def _is_secret_name(name: object) -> bool:
    lowered = str(name).lower()
    return any(part in lowered for part in SECRET_NAMES)


def _shown(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, str | int | float | datetime):
        return value
    if hasattr(value, "reveal") or depth == 0:
        return MASK
    if isinstance(value, Mapping):
        return {str(name): MASK if _is_secret_name(name) else _shown(inner, depth - 1) for name, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_shown(inner, depth - 1) for inner in value]
    # The text of any other object, a message of the contract for one, may show a secret.
    return f"<{type(value).__name__}>"
