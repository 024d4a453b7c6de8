"""The shipped example says what it is meant to say: a sample of all cells, compared with the oracle."""

import pytest

from identity_service.rpc.services import RPC_NAMES
from tests.security.cells import GIFTS, all_cells, compare, some_cells
from tests.security.oracle import CALLERS

SAMPLE = 5_000


async def test_authorizer_and_oracle_agree() -> None:
    """In a sample, half of which is allowed, no decision differs."""
    found = await compare(some_cells(SAMPLE, seed=6))
    assert found.examples == []
    assert found.cells == SAMPLE
    assert found.allowed >= SAMPLE // 2


def test_there_are_enough_cells() -> None:
    """At least 100,000 different ones; every caller, RPC and kind of plan is among them."""
    cells = set(all_cells())
    assert len(cells) >= 100_000
    assert {cell.caller for cell in cells} > set(CALLERS)
    assert {cell.rpc for cell in cells} == RPC_NAMES
    assert {cell.gift for cell in cells} == set(GIFTS)


@pytest.mark.parametrize("caller", CALLERS)
async def test_each_team_may_do_something_and_not_everything(caller: str) -> None:
    """An oracle that always said the same would agree with a broken authorizer."""
    cells = [cell for cell in some_cells(SAMPLE, seed=7) if cell.caller == caller]
    found = await compare(cells)
    assert 0 < found.allowed < found.cells
    assert found.mismatches == 0
