"""What holds for all tests."""

import signal

import pytest
import structlog
from hypothesis import settings

from tests.support.service_models import keep_service_models

LONGEST_FIRST = (
    "tests/security/test_canaries.py",
    "tests/faults/test_chaos.py",
    "tests/integration/test_error_table",
    "tests/faults/",
    "tests/rolling/",
    "tests/integration/",
    "tests/e2e/",
)
"""What takes long, by the beginning of its path. Were it last, one worker would end long after the others."""

# How long one example takes says how busy the machine is, and nothing about the code.
settings.register_profile("repository", deadline=None)
settings.load_profile("repository")

keep_service_models()

# Where logging is not configured, structlog shows every local variable of every frame, which takes seconds.
structlog.dev.ConsoleRenderer.get_active().exception_formatter = structlog.dev.plain_traceback

# A shell lets what it starts in the background ignore interrupts, and all that comes of it; some tests send them.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the longest files begin first, and keep the order otherwise."""
    items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    places = (place for place, path in enumerate(LONGEST_FIRST) if item.nodeid.startswith(path))
    return next(places, len(LONGEST_FIRST))
