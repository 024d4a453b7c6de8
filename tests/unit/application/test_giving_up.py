"""Takeovers have room of their own, and an end."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from identity_service.application.attempt import MOST_TAKEOVERS
from identity_service.application.ledger import RequestState
from identity_service.domain.errors import Reason
from identity_service.domain.request import ConsolePassword, Credentials, NewUser, UserChange
from identity_service.domain.sealed import SealedDocument
from tests.unit.application.disturbances import Killed, Moment
from tests.unit.application.fakes import FakeSealer
from tests.unit.application.worlds import OWNED, RECIPIENT, World, key_of

KEY = UserChange("ana", credentials=Credentials(access_key=True))
NEW = UserChange("bo", NewUser(), credentials=Credentials(access_key=True, console_password=ConsolePassword()))
PLACES = 100


@pytest.fixture
def world() -> World:
    """Make a world with ana."""
    world = World()
    world.iam.add_user("ana", tags=OWNED)
    return world


class DeathAtTheKey:
    """The process dies at CreateAccessKey."""

    async def reach(self, moment: Moment) -> None:
        """Die."""
        if moment.method == "create_access_key":
            raise Killed


class BrokenSealer(FakeSealer):
    """A sealer with a fault."""

    def seal(self, recipients: Sequence[str], document: SealedDocument) -> str:
        """Fail."""
        raise RuntimeError


async def test_a_takeover_waits_for_no_callers_place(world: World) -> None:
    """Callers hold every place, perhaps for the very target: the worker goes on at once all the same."""
    request_id, gate = str(uuid4()), asyncio.Event()
    with suppress(Killed):
        await world.do(KEY, process=world.start(DeathAtTheKey()), request_id=request_id)
    world.let_leases_end()
    process = world.start()
    callers = [asyncio.create_task(process.work.run(gate.wait)) for _ in range(PLACES)]
    await asyncio.sleep(0)
    await process.do_work()
    assert world.ledger.rows[key_of(request_id)].state is RequestState.DONE
    gate.set()
    await asyncio.gather(*callers)


async def attempts_until_the_end(world: World, request_id: str) -> int:
    """Let workers take a request over until it has ended; return how often they did."""
    for attempt in range(100):
        if world.ledger.rows[key_of(request_id)].state not in (RequestState.RUNNING, RequestState.UNDOING):
            return attempt
        world.clock.advance(40)
        await world.start().do_work()
    raise AssertionError("it goes on for ever")


async def begin_with_a_fault(world: World, body: UserChange, request_id: str) -> None:
    """Begin a request whose answer cannot be sealed."""
    world.sealer = BrokenSealer()
    with pytest.raises(RuntimeError):
        await world.do(body, process=world.start(), request_id=request_id, recipients=(RECIPIENT,))


async def test_a_fault_after_the_mints_does_not_mint_for_ever(world: World) -> None:
    """After so many takeovers the request is undone and has failed, nothing is left of it, and an operator is told."""
    request_id, before = str(uuid4()), world.iam.contents()
    await begin_with_a_fault(world, NEW, request_id)
    with capture_logs() as logs:
        assert await attempts_until_the_end(world, request_id) == MOST_TAKEOVERS[RequestState.RUNNING]
    row = world.ledger.rows[key_of(request_id)]
    assert row.state is RequestState.FAILED
    assert row.failure is not None
    assert row.failure.error.reason is Reason.INTERNAL
    assert world.iam.contents() == before
    assert [line["log_level"] for line in logs if line["event"] == "request given up"] == ["error"]


async def test_a_fault_that_passes_is_no_end(world: World) -> None:
    """A replica of another release may be able to: it ends the request well."""
    request_id = str(uuid4())
    await begin_with_a_fault(world, NEW, request_id)
    for _ in range(MOST_TAKEOVERS[RequestState.RUNNING] - 1):
        world.clock.advance(40)
        await world.start().do_work()
    world.sealer = FakeSealer()
    world.clock.advance(40)
    await world.start().do_work()
    assert world.ledger.rows[key_of(request_id)].state is RequestState.DONE


async def test_a_fault_of_the_undo_ends_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """An undo that always fails for a fault of ours is given up in the end, and its failure says so."""
    request_id = str(uuid4())

    async def fail(user_name: str, key_id: str) -> None:
        raise RuntimeError

    monkeypatch.setattr(world.iam, "delete_access_key", fail)
    world.ledger.failing.add("succeed")
    with suppress(RuntimeError):
        await world.do(KEY, process=world.start(), request_id=request_id)
    world.ledger.failing.clear()
    assert await attempts_until_the_end(world, request_id) == MOST_TAKEOVERS[RequestState.UNDOING]
    row = world.ledger.rows[key_of(request_id)]
    assert row.failure is not None
    assert (row.state, row.failure.error.reason) == (RequestState.FAILED, Reason.UNDO_INCOMPLETE)
    assert "undo" in row.failure.error.metadata["remaining"]


async def test_a_reissue_with_a_fault_ends_as_done(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was done before stays done; the credentials that nobody can be told of are revoked."""
    request_id = str(uuid4())
    await world.do(NEW, request_id=request_id)

    async def fail(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("identity_service.application.attempt.describe_outcome", fail)
    with pytest.raises(RuntimeError):
        await world.do(NEW, process=world.start(), request_id=request_id, reissue_secrets=True)
    assert await attempts_until_the_end(world, request_id) == MOST_TAKEOVERS[RequestState.RUNNING]
    assert world.ledger.rows[key_of(request_id)].state is RequestState.DONE
    assert world.iam.key_ids("bo") == []
