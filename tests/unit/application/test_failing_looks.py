"""A second look that keeps failing stands in nobody's way, comes again, and is given up in the end with a report."""

from uuid import uuid4

import pytest

from identity_service.application.telemetry import UNFINISHED_LOOK, Unwatched
from identity_service.domain.errors import IamError
from identity_service.domain.request import Credentials, Permissions, UserChange
from tests.unit.application.fake_ledger import RETENTION_SECONDS
from tests.unit.application.worlds import DENIED, LOST, World, key_of, replace_action, world_with_ana

GROUP = UserChange("ana", permissions=Permissions(("Developers",)))
KEY = UserChange("ana", credentials=Credentials(access_key=True))
MANY = 10**6


class Findings(Unwatched):
    """Keeps what second looks have reported."""

    def __init__(self) -> None:
        self.found: list[tuple[str, int]] = []

    def second_look_found(self, finding: str, number: int) -> None:
        """Note a finding."""
        self.found.append((finding, number))


@pytest.fixture
def world() -> World:
    """Make a world with ana, and room for keys."""
    return world_with_ana()


async def late_key(world: World) -> tuple[str, str]:
    """Let a key land late; return the request's id and the key."""
    request_id = str(uuid4())
    world.iam.inject("iam:CreateAccessKey", replace_action(LOST, "iam:CreateAccessKey"))
    await world.refused(KEY, request_id=request_id)
    return request_id, world.iam.add_access_key("ana")


def fault_of(name: str) -> Exception:
    """Make what a look fails with."""
    return RuntimeError("a fault") if name == "fault" else replace_action(DENIED, "iam:DeleteAccessKey")


def break_deletion(world: World, error: Exception, times: int = MANY) -> None:
    """Let no key be deleted."""
    if isinstance(error, IamError):
        world.iam.inject("iam:DeleteAccessKey", error, times=times)
        return

    async def fail(*_: object) -> None:
        raise error

    world.iam.delete_access_key = fail  # type: ignore[method-assign,assignment] # a fault that nobody foresaw


async def live_on(world: World, seconds: float, step: float = 1.0) -> None:
    """Let time pass with a worker that looks around every so often."""
    process = world.start()
    for _ in range(int(seconds / step)):
        world.clock.advance(step)
        world.ledger.beat()
        await process.do_work()


@pytest.mark.parametrize("name", ["denied", "fault"])
async def test_a_look_that_keeps_failing_keeps_no_request_away(world: World, name: str) -> None:
    """Whatever it fails with and however often, other changes of the user are carried out all along."""
    request_id, late = await late_key(world)
    break_deletion(world, fault_of(name))
    await world.look_again()
    for _ in range(40):
        await live_on(world, 1)
        await world.do(GROUP, process=world.start())
    assert world.ledger.locked == set()
    assert late in world.iam.key_ids("ana")
    assert world.ledger.rows[key_of(request_id)].look_again


async def test_a_look_that_keeps_failing_does_not_keep_its_own_request_from_running_again(world: World) -> None:
    """Who asks once more after an undo gets what was asked for, while the look rests."""
    request_id, _ = await late_key(world)
    break_deletion(world, replace_action(DENIED, "iam:DeleteAccessKey"), times=1)
    await world.look_again()
    world.assert_secrets_work(await world.do(KEY, process=world.start(), request_id=request_id))


async def test_a_look_comes_to_its_end_once_nothing_is_in_its_way(world: World) -> None:
    """The late key is deleted as soon as the role may do that, within an hour at most."""
    request_id, late = await late_key(world)
    break_deletion(world, replace_action(DENIED, "iam:DeleteAccessKey"), times=5)
    await world.look_again()
    await live_on(world, 5 * 3600, 60)
    assert late not in world.iam.key_ids("ana")
    assert not world.ledger.rows[key_of(request_id)].look_again


async def test_a_look_is_given_up_when_its_row_is_to_be_removed(world: World) -> None:
    """What failed for as long as requests are kept is reported once, and the row goes the way of all others."""
    findings = world.telemetry = Findings()
    await late_key(world)
    break_deletion(world, replace_action(DENIED, "iam:DeleteAccessKey"))
    world.clock.advance(RETENTION_SECONDS - 2 * 3600)
    await live_on(world, 5 * 3600, 60)
    assert findings.found == [(UNFINISHED_LOOK, 1)]
    assert world.ledger.rows == {}
