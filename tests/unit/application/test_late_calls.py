"""What a paused process, or a late call, leaves behind is ended by the next who looks."""

import asyncio
from uuid import uuid4

from identity_service.application.ledger import RequestState
from identity_service.domain.errors import IamError, IamErrorKind, IdentityError, Reason
from tests.unit.application.cases import CASES
from tests.unit.application.disturbances import Moment, Pause
from tests.unit.application.fakes import BOT
from tests.unit.application.worlds import DENIED, key_of, mutation_of, replace_action

PROVISION = CASES["provision"]
KEY_DENIED = replace_action(DENIED, "iam:CreateAccessKey")


async def test_an_attempt_that_notices_its_lost_lease_lets_go_of_the_request() -> None:
    """Nobody took it over meanwhile, so whoever comes next goes on at once, whatever the heartbeat renews."""
    world, request_id = PROVISION.world(), str(uuid4())
    pause = Pause(0, lambda moment: moment == Moment("iam", "create_access_key", "before"))
    service = world.start(pause).service
    paused = asyncio.create_task(service.run(BOT, mutation_of(PROVISION.body, request_id=request_id)))
    await pause.reached.wait()
    world.let_leases_end()
    pause.go_on.set()
    (told,) = await asyncio.gather(paused, return_exceptions=True)
    assert isinstance(told, IdentityError)
    assert told.reason is Reason.IN_PROGRESS
    world.ledger.beat()
    await world.start().do_work()
    assert world.ledger.rows[key_of(request_id)].state is RequestState.DONE


async def test_a_conflict_in_an_undo_is_tried_again() -> None:
    """Something of a late call may still hang on the user: the request stays open, and another undo ends it."""
    world, request_id = PROVISION.world(), str(uuid4())
    before = world.iam.contents()
    world.iam.inject("iam:CreateAccessKey", KEY_DENIED)
    world.iam.inject("iam:DeleteUser", IamError(IamErrorKind.IN_USE, "iam:DeleteUser", "DeleteConflict", 409))
    error = await world.refused(PROVISION.body, request_id=request_id)
    assert "create user ana" in error.metadata["remaining"]
    assert world.ledger.rows[key_of(request_id)].state is RequestState.UNDOING
    await world.take_over()
    assert world.iam.contents() == before
    assert world.ledger.rows[key_of(request_id)].state is RequestState.FAILED


async def test_what_was_undone_is_looked_at_again() -> None:
    """A call that was answered may have been sent before that, and land after the undo."""
    world, request_id = PROVISION.world(), str(uuid4())
    world.iam.inject("iam:CreateAccessKey", KEY_DENIED)
    await world.refused(PROVISION.body, request_id=request_id)
    row = await world.ledger.find(key_of(request_id))
    assert row is not None
    assert row.look_again
