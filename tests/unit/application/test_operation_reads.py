"""What the users of an operation are planned from, where the account changes meanwhile."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from identity_service.adapters.store import SqlLedger, SqlOperationStore
from identity_service.application.operations.runner import OperationRunner
from identity_service.domain.plan import WarningKind
from identity_service.domain.request import ConsolePassword, Credentials
from tests.unit.application.test_operations import Bulk, user
from tests.unit.application.worlds import World

PASSWORD = Credentials(console_password=ConsolePassword())
MINT = {"Effect": "Allow", "Action": "iam:CreateAccessKey", "Resource": "*"}


@pytest.fixture
async def operating(tmp_path: Path) -> AsyncIterator[Bulk]:
    """A world with operations, and a group that grants nothing."""
    world = World()
    world.iam.add_group("Ops", grants_nothing=True)
    ledger = SqlLedger(f"sqlite:///{tmp_path / 'store.db'}", clock=world.clock.now, monotonic=world.clock.monotonic)
    await ledger.open()
    yield Bulk(world, SqlOperationStore(ledger.units))
    await ledger.close()


async def warnings(operating: Bulk, runner: OperationRunner, name: str) -> set[WarningKind]:
    """Plan a user of the group in an operation of its own; say what the plan warns of."""
    operation_id = await operating.started(user(name, PASSWORD, groups=("Ops",)), validate_only=True)
    await operating.carry_out(runner, steps=3)
    (result,) = await operating.results(operation_id)
    assert result.plan is not None
    return {warning.kind for warning in result.plan.warnings}


async def test_what_a_group_grants_may_be_ten_seconds_old_in_a_plan(operating: Bulk) -> None:
    """A plan warns of what the group granted when it was last read for an operation, and no longer than that."""
    runner = operating.runner()
    assert WarningKind.ESCALATION not in await warnings(operating, runner, "ann")
    document = json.dumps({"Version": "2012-10-17", "Statement": [MINT]})
    operating.world.iam.add_group_policy("Ops", "mint", document)
    operating.world.clock.advance(9)
    assert WarningKind.ESCALATION not in await warnings(operating, runner, "bo")
    operating.world.clock.advance(2)
    assert WarningKind.ESCALATION in await warnings(operating, runner, "cy")
