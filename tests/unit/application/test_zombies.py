"""An attempt stands still until another one has taken its request over, and then goes on: it harms nothing."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from identity_service.application.ledger import RequestState
from identity_service.domain.errors import IdentityError, Reason
from identity_service.domain.outcome import Outcome
from tests.unit.application.cases import CASES, Case, ask_again, has_row, wanted
from tests.unit.application.disturbances import Moment, Pause
from tests.unit.application.fakes import BOT
from tests.unit.application.worlds import DENIED, World, key_of, mutation_of, replace_action


def any_call(_: Moment) -> bool:
    """Want every moment, of IAM and of the store."""
    return True


def minting(moment: Moment) -> bool:
    """Want the moments of CreateAccessKey."""
    return moment.method == "create_access_key"


UNMARKED = {
    Moment("iam", method, "sent")
    for method in (
        "create_group",
        "add_user_to_group",
        "attach_user_policy",
        "put_user_policy",
        "put_user_permissions_boundary",
    )
}
"""What bears no tag: where it lands after the undo, nothing tells it from what somebody else did; so it is reported."""


class Zombie:
    """A request whose process stands still at a moment."""

    def __init__(
        self, world: World, case: Case, request_id: str, at: int, wanted: Callable[[Moment], bool] = any_call
    ) -> None:
        self._pause = Pause(at, wanted)
        self.process = world.start(self._pause)
        mutation = mutation_of(case.body, request_id=request_id, recipients=case.recipients)
        self._task: asyncio.Task[Any] = asyncio.create_task(self.process.service.run(BOT, mutation))

    async def stands_still(self) -> bool:
        """Wait until it does; False if the request ended without."""
        reached = asyncio.create_task(self._pause.reached.wait())
        await asyncio.wait((reached, self._task), return_when=asyncio.FIRST_COMPLETED)
        reached.cancel()
        return self._pause.reached.is_set()

    async def wakes(self) -> object:
        """Let it go on to its end, and return its answer or its error."""
        self._pause.go_on.set()
        answers: list[object] = await asyncio.gather(self._task, return_exceptions=True)
        return answers[0]

    @property
    def moment(self) -> Moment | None:
        """Where it stands still."""
        return self._pause.moment


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_a_zombie_changes_nothing(case: Case) -> None:
    """At whichever call it stood still, the account is as asked after it has ended, and it is told IN_PROGRESS."""
    expected = await wanted(case)
    at, asleep = 0, True
    while asleep:
        world, request_id = case.world(), str(uuid4())
        zombie = Zombie(world, case, request_id, at)
        asleep = await zombie.stands_still()
        had_row = has_row(world, request_id)
        taken = had_row and world.ledger.rows[key_of(request_id)].state is RequestState.RUNNING
        await world.take_over()
        told = await zombie.wakes()
        assert world.iam.contents() == expected, (at, zombie.moment)
        if taken:
            assert isinstance(told, IdentityError), (at, zombie.moment)
            assert told.reason is Reason.IN_PROGRESS, (at, zombie.moment)
            again = await ask_again(world, case, request_id)
            if again.credentials:
                world.assert_secrets_work(again)
        else:
            assert isinstance(told, Outcome), (at, zombie.moment, told)
        await world.look_again()
        assert world.iam.contents() == expected, (at, zombie.moment)
        assert not any(world.ledger.unattributed.values()), (at, zombie.moment)
        at += 1
    assert at > 20


@pytest.mark.parametrize("case", [CASES["provision"], CASES["credentials"]], ids=["provision", "credentials"])
async def test_an_undoing_zombie_changes_nothing(case: Case) -> None:
    """An attempt that stands still while it undoes, another one ends the undo: what is left over is reported."""
    before = case.world().iam.contents()
    at, asleep = 0, True
    while asleep:
        world, request_id = case.world(), str(uuid4())
        world.iam.inject("iam:CreateAccessKey", replace_action(DENIED, "iam:CreateAccessKey"), times=9)
        zombie = Zombie(world, case, request_id, at)
        asleep = await zombie.stands_still()
        await world.take_over()
        told = await zombie.wakes()
        assert isinstance(told, IdentityError), (at, zombie.moment)
        await world.look_again()
        if world.iam.contents() != before:
            assert zombie.moment in UNMARKED, (at, zombie.moment)
            assert any(world.ledger.unattributed.values()), (at, zombie.moment)
        at += 1
    assert at > 20


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_a_plan_that_meets_the_requests_own_doings_is_no_refusal(case: Case) -> None:
    """Another replica does the very request while this one plans it: it is told IN_PROGRESS, not what it then meets."""
    expected = await wanted(case)
    at = 0
    while True:
        world, request_id = case.world(), str(uuid4())
        planner = Zombie(world, case, request_id, at, lambda moment: moment.of == "iam")
        if not await planner.stands_still() or has_row(world, request_id):
            await planner.wakes()
            break
        await world.do(case.body, process=world.start(), request_id=request_id, recipients=case.recipients)
        told = await planner.wakes()
        assert isinstance(told, IdentityError), (at, planner.moment)
        assert told.reason is Reason.IN_PROGRESS, (at, planner.moment, told)
        assert world.iam.contents() == expected, (at, planner.moment)
        at += 1
    assert at >= 3


@pytest.mark.parametrize("stage", ["before", "sent", "after"])
async def test_a_zombie_deletes_the_key_that_it_made(stage: str) -> None:
    """A key that lands after the takeover is deleted at once by who made it; one that was not sent never is."""
    case = CASES["credentials"]
    world, request_id = case.world(), str(uuid4())
    (held,) = world.iam.key_ids("ana")
    zombie = Zombie(world, case, request_id, 0, lambda moment: minting(moment) and moment.stage == stage)
    assert await zombie.stands_still()
    await world.take_over()
    (made,) = set(world.iam.key_ids("ana")) - {held}
    world.iam.quotas["AccessKeysPerUserQuota"] = 3
    told = await zombie.wakes()
    assert isinstance(told, IdentityError)
    assert told.reason is Reason.IN_PROGRESS
    assert sorted(world.iam.key_ids("ana")) == sorted([held, made])
    sent = world.iam.operations.count("CreateAccessKey")
    assert sent == (1 if stage == "before" else 2)


async def test_a_lease_that_is_renewed_is_not_taken_over() -> None:
    """A slow attempt whose heartbeat goes on keeps its request: it ends as if nothing had been."""
    case = CASES["provision"]
    world, request_id = case.world(), str(uuid4())
    zombie = Zombie(world, case, request_id, 0, minting)
    assert await zombie.stands_still()
    for _ in range(5):
        world.clock.advance(20)
        world.ledger.beat()
        await world.start().do_work()
    told = await zombie.wakes()
    assert isinstance(told, Outcome)
    world.assert_secrets_work(told)
    assert world.ledger.rows[key_of(request_id)].epoch == 1
