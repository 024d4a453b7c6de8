"""Fixtures of the tests of `observability/`."""

import json
import logging
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import pytest
import structlog

from identity_service.observability.logging import configure_logging

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines() -> Iterator[Lines]:
    """Log to memory at DEBUG; call the fixture for what was logged."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()  # Not closed: they are pytest's.
    stream = BytesIO()
    configure_logging("DEBUG", stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.disable(logging.NOTSET)
    logging.raiseExceptions = True
