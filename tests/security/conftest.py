"""One account for all tests of this folder, prepared anew for each."""

from collections.abc import Iterator

import pytest

from embedded_aws import EmbeddedAws
from tests.security.role_world import World


@pytest.fixture(scope="session")
def running_world() -> Iterator[World]:
    """Run the account."""
    with EmbeddedAws(access_control=True) as aws:
        yield World(aws)


@pytest.fixture
def world(running_world: World) -> World:
    """Put everybody there."""
    running_world.prepare()
    return running_world
