"""The proof that the proof works: take one piece out of the server, and the harness fails."""

import pytest

from tests.chaos.harness import Harness, Options
from tests.chaos.proof import CASES, prove
from tests.chaos.sabotage import SABOTAGES


@pytest.mark.parametrize("sabotage", sorted(SABOTAGES))
async def test_the_harness_notices_what_is_missing(sabotage: str) -> None:
    """Without the fence, the row tag check, the mint reconciliation or the settle time, an account is not as asked.

    Nor is it where each attempt at a user of an operation is a request of its own: that one is told of a failure whose
    user is there.
    """
    total = await prove(sabotage)
    if sabotage != "request-id":
        assert total.verdict.duplicate_keys > 0
    assert total.verdict.users_ok < total.verdict.users_asked


async def test_the_same_cases_pass_when_nothing_is_missing() -> None:
    """So that it is the sabotage that is noticed, and not the case."""
    cases = [case for of_one in CASES.values() for case in of_one]
    total = await Harness(Options(worlds=2)).run_cases(cases)
    assert total.is_clean, total.verdict.complaints
    assert total.runs == len(cases)
