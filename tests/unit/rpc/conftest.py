"""Fixtures of the tests of `rpc/`."""

import logging
from collections.abc import AsyncIterator, Iterator

import pytest
import structlog

from identity_service.observability.logging import configure_logging
from tests.unit.rpc.support import LogStream, RunningServer, running_server


@pytest.fixture
def log() -> Iterator[LogStream]:
    """Log to memory at the most talkative level, as the service logs."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()  # Not closed: they are pytest's.
    stream = LogStream()
    configure_logging("DEBUG", stream)
    yield stream
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
async def server(log: LogStream) -> AsyncIterator[RunningServer]:
    """Run a server without TLS."""
    async with running_server(log) as running:
        yield running
