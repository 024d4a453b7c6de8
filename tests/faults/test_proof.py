"""The proof that the proof works: take one piece out of the server, and the harness fails."""

import asyncio

import pytest

from tests.chaos.harness import Harness, Options
from tests.chaos.proof import CASES, prove
from tests.chaos.sabotage import SABOTAGES


@pytest.mark.parametrize("sabotage", sorted(SABOTAGES))
async def test_the_harness_notices_what_is_missing(sabotage: str) -> None:
    """Without a piece of the server, keys are doubled, or a client is told of a failure that is none."""
    total = await prove(sabotage)
    if sabotage in ("fence", "row-tag", "settle"):
        assert total.verdict.duplicate_keys > 0
    assert total.verdict.users_ok < total.verdict.users_asked


async def test_the_same_cases_pass_when_nothing_is_missing() -> None:
    """So that it is the sabotage that is noticed, and not the case: each with its own timing, as it is broken."""
    hurried = [case for sabotage in CASES.keys() - {"fence"} for case in CASES[sabotage]]
    for total in await asyncio.gather(prove("fence", broken=False), Harness(Options(worlds=2)).run_cases(hurried)):
        assert total.is_clean, total.verdict.complaints
        assert total.runs
