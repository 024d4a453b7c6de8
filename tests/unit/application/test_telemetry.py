"""What the application tells of its work: how mutations end, who took what over, and from which trace."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from uuid import uuid4

import pytest

from identity_service.application.priority import in_bulk
from identity_service.application.telemetry import MISSING, UNATTRIBUTED, measured
from identity_service.domain.errors import IamError, IamErrorKind, IdentityError, Reason
from identity_service.domain.request import ConsolePassword, Credentials, NewUser, Permissions, UserChange
from tests.unit.application.disturbances import Death, Killed
from tests.unit.application.worlds import LOST, OWNED, THROTTLED, World

FIRST = "00-11111111111111111111111111111111-2222222222222222-01"
ANA = UserChange("ana", NewUser(), permissions=Permissions(("Developers",)))


class Recorder:
    """A `Telemetry` that remembers; every request is begun in the first trace."""

    def __init__(self) -> None:
        self.ended: list[tuple[str, str, bool]] = []
        self.spans: list[tuple[str, str]] = []
        self.links: list[str] = []
        self.taken: list[str] = []
        self.lost = 0
        self.found: Counter[str] = Counter()

    @contextmanager
    def span(self, name: str, link: str = "") -> Iterator[None]:
        """Remember a span."""
        self.spans.append((name, link))
        yield

    def link(self, traceparent: str) -> None:
        """Remember a link."""
        self.links.append(traceparent)

    def traceparent(self) -> str:
        """Name the trace."""
        return FIRST

    def mutation_ended(self, action: str, outcome: str, seconds: float, *, bulk: bool) -> None:
        """Remember a mutation."""
        assert seconds >= 0
        self.ended.append((action, outcome, bulk))

    def took_over(self, direction: str) -> None:
        """Remember a takeover."""
        self.taken.append(direction)

    def lease_lost(self) -> None:
        """Count."""
        self.lost += 1

    def second_look_found(self, finding: str, number: int) -> None:
        """Count."""
        self.found[finding] += number


@pytest.fixture
def recorder() -> Recorder:
    """Whoever watches."""
    return Recorder()


@pytest.fixture
def world(recorder: Recorder) -> World:
    """A world that is watched."""
    world = World()
    world.telemetry = recorder
    world.process = world.start()
    return world


async def die_and_return_id(world: World) -> str:
    """Let a process die in the middle of a request; return the request's id."""
    request_id = str(uuid4())
    with suppress(Killed):
        await world.do(ANA, process=world.start(Death(12)), request_id=request_id)
    assert world.ledger.locked
    return request_id


async def test_a_mutation_is_counted_by_how_it_ends(world: World, recorder: Recorder) -> None:
    """What is done is OK, what is refused has its reason, and a plan alone is no mutation."""
    await world.do(ANA)
    await world.refused(ANA)
    await world.ask(UserChange("bo", NewUser()), validate_only=True)
    ends = [(outcome, bulk) for _, outcome, bulk in recorder.ended]
    assert ends == [("OK", False), ("USER_ALREADY_EXISTS", False)]
    assert [name for name, _ in recorder.spans] == ["plan", "carry out", "plan", "plan"]


async def test_bulk_is_counted_apart(world: World, recorder: Recorder) -> None:
    """Who makes thousands of users does not hide how long somebody waits who makes one."""
    with in_bulk():
        await world.do(ANA)
    assert [bulk for _, _, bulk in recorder.ended] == [True]


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (IdentityError(Reason.THROTTLED, "slowly"), "THROTTLED"),
        (IamError(IamErrorKind.UNAVAILABLE, "iam:CreateUser"), "FAULT"),
        (KeyboardInterrupt(), "FAULT"),
    ],
)
def test_a_failure_is_counted_by_its_reason_alone(recorder: Recorder, error: BaseException, outcome: str) -> None:
    """The contract's reasons are few; whatever else comes is a fault, without its text."""
    with pytest.raises(type(error)), measured(recorder, "CreateUser"):
        raise error
    assert recorder.ended == [("CreateUser", outcome, False)]


async def test_the_workers_takeover_is_linked_to_the_first_attempt(world: World, recorder: Recorder) -> None:
    """Whoever goes on with a dead process's request does so in a span that leads to where it was begun."""
    await die_and_return_id(world)
    await world.take_over()
    assert ("take over", FIRST) in recorder.spans
    assert recorder.taken == ["running"]
    await world.look_again()
    assert ("look again", FIRST) in recorder.spans


async def test_the_callers_takeover_is_linked_to_the_first_attempt(world: World, recorder: Recorder) -> None:
    """A caller who asks again once the lease has run out gets a trace that leads to that of the first call."""
    request_id = await die_and_return_id(world)
    world.let_leases_end()
    await world.do(ANA, process=world.start(), request_id=request_id)
    assert recorder.links == [FIRST]
    assert recorder.taken == ["running"]


async def test_a_lost_lease_is_counted(world: World, recorder: Recorder) -> None:
    """An attempt that was paused past its lease stops, and that is told."""
    really_create = world.iam.create_user

    async def slowly(*args: object, **kwargs: object) -> object:
        made = await really_create(*args, **kwargs)  # type: ignore[arg-type] # whatever it is called with
        world.let_leases_end()
        return made

    world.iam.create_user = slowly  # type: ignore[method-assign,assignment] # the pause happens in the middle of a call
    await world.refused(ANA)
    assert recorder.lost == 1


async def test_what_second_looks_report_is_counted(world: World, recorder: Recorder) -> None:
    """An alert can fire on what an operator has to look at: what is of unknown origin, and what is gone."""
    world.iam.inject("iam:AddUserToGroup", THROTTLED)
    await world.refused(ANA)
    await world.do(UserChange("ana", NewUser()))
    await world.iam.delete_user("ana")
    await world.look_again()
    assert recorder.found == {MISSING: 1}
    world.iam.add_user("bo", tags=OWNED)
    world.iam.inject("iam:CreateLoginProfile", LOST)
    await world.refused(UserChange("bo", credentials=Credentials(console_password=ConsolePassword())))
    world.clock.advance(300)
    world.iam.add_login_profile("bo")
    await world.look_again()
    assert recorder.found == {MISSING: 1, UNATTRIBUTED: 1}
