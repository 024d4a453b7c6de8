"""What the application tells of its work, for whoever watches: spans and counts, and no word of whom it is about."""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol

from identity_service.application.priority import is_bulk
from identity_service.domain.errors import IdentityError

DONE = "OK"
FAULT = "FAULT"
UNATTRIBUTED = "unattributed"
"""What may be a late call's, or somebody else's: it was left."""
MISSING = "missing"
"""What a request gave and a late deletion has probably taken away."""
UNFINISHED_LOOK = "unfinished"
"""A second look that kept failing until it was given up."""


class Telemetry(Protocol):
    """Whoever watches. Nothing here raises or waits."""

    def span(self, name: str, link: str = "") -> AbstractContextManager[None]:
        """Surround a piece of work; `link` is the `traceparent` of what it goes on with."""

    def link(self, traceparent: str) -> None:
        """Link the present piece of work to what it goes on with."""

    def traceparent(self) -> str:
        """Return by what later work can be linked to the present one; "" if nothing is traced."""

    def mutation_ended(self, action: str, outcome: str, seconds: float, *, bulk: bool) -> None:
        """Count a mutation; `outcome` is OK, the reason of its failure, or FAULT."""

    def took_over(self, direction: str) -> None:
        """Count a request that another attempt has left, in the direction in which it is gone on with."""

    def lease_lost(self) -> None:
        """Count an attempt that may not go on, since its lease has run out or is somebody else's."""

    def second_look_found(self, finding: str, number: int) -> None:
        """Count what second looks report to an operator: `finding` is UNATTRIBUTED, MISSING or UNFINISHED_LOOK."""


class Unwatched:
    """A `Telemetry` that tells nobody."""

    def span(self, name: str, link: str = "") -> AbstractContextManager[None]:
        """Surround nothing."""
        return nullcontext()

    def link(self, traceparent: str) -> None:
        """Link nothing."""

    def traceparent(self) -> str:
        """Say that nothing is traced."""
        return ""

    def mutation_ended(self, action: str, outcome: str, seconds: float, *, bulk: bool) -> None:
        """Count nothing."""

    def took_over(self, direction: str) -> None:
        """Count nothing."""

    def lease_lost(self) -> None:
        """Count nothing."""

    def second_look_found(self, finding: str, number: int) -> None:
        """Count nothing."""


UNWATCHED: Telemetry = Unwatched()


@contextmanager
def measured(telemetry: Telemetry, action: str) -> Iterator[None]:
    """Count the mutation of the block, with how long it took and how it ended."""
    began, outcome = time.perf_counter(), FAULT
    try:
        yield
        outcome = DONE
    except IdentityError as error:
        outcome = error.reason.name
        raise
    finally:
        telemetry.mutation_ended(action, outcome, time.perf_counter() - began, bulk=is_bulk())
