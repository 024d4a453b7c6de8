"""Operations in the application: what callers may do with them, and how their users are carried out."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import pytest

from identity_service.adapters.store import SqlLedger, SqlOperationStore
from identity_service.application.fingerprint import digest_of
from identity_service.application.ledger import Denial, StoreUnavailableError
from identity_service.application.operations.ports import Operation, OperationStore, Progress, Traffic, UserResult
from identity_service.application.operations.runner import (
    LONGEST_REST,
    MOST_ATTEMPTS,
    OperationRunner,
    RunsMutations,
    request_id_of,
)
from identity_service.application.operations.service import OperationRequest, Operations
from identity_service.application.ports import IamAccount
from identity_service.application.telemetry import Unwatched
from identity_service.application.work import OwnedWork
from identity_service.domain import tags, target
from identity_service.domain.caller import Caller
from identity_service.domain.errors import FieldViolation, IdentityError, Reason
from identity_service.domain.operation import OperationState
from identity_service.domain.outcome import Outcome
from identity_service.domain.plan import Plan
from identity_service.domain.request import (
    ConsolePassword,
    Credentials,
    Mutation,
    NewUser,
    Permissions,
    UserChange,
)
from identity_service.domain.secret import Secret
from tests.unit.application.fakes import BOT, OTHER, FakeAccounts, FakeAuthorizer, FakeSealer
from tests.unit.application.worlds import RECIPIENT, World

LEASE_SECONDS = 60.0
KEY = Credentials(access_key=True)


def user(name: str, credentials: Credentials | None = None, groups: tuple[str, ...] = ()) -> UserChange:
    """Ask for a user."""
    return UserChange(name, NewUser(), credentials or Credentials(), Permissions(group_names=groups))


OTHER_ACCOUNT = "999999999999"


def asked(**parts: Any) -> OperationRequest:
    """Ask for something under a new request_id."""
    return OperationRequest("", str(uuid4()), **parts)


class Sleeper:
    """Time that passes at once; before it does, a test may do something."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self.meanwhile: list[Callable[[], Any]] = []

    async def __call__(self, seconds: float) -> None:
        """Sleep."""
        self.slept.append(seconds)
        if self.meanwhile:
            done = self.meanwhile.pop(0)()
            if asyncio.iscoroutine(done):
                await done


@dataclass
class ScriptedMutations:
    """Stands in for MutationService: each user's runs end as a test says, and then well."""

    ends: dict[str, list[BaseException | Plan]] = field(default_factory=dict)
    asked: list[tuple[Caller, Mutation]] = field(default_factory=list)

    async def run(self, caller: Caller, mutation: Mutation, *, account: IamAccount | None = None) -> Plan | Outcome:
        """Run a mutation."""
        self.asked.append((caller, mutation))
        ends = self.ends.get(mutation.body.target.name, [])
        end = ends.pop(0) if ends else Outcome()
        if isinstance(end, BaseException):
            raise end
        return end


class OtherAccount:
    """An account like another one, but for its id."""

    account_id = OTHER_ACCOUNT

    def __init__(self, account: IamAccount) -> None:
        self._account = account

    def __getattr__(self, name: str) -> object:
        return getattr(self._account, name)


class TwoAccounts:
    """Two configured accounts."""

    def __init__(self, account: IamAccount) -> None:
        self._accounts = {account.account_id: account, OTHER_ACCOUNT: cast(IamAccount, OtherAccount(account))}

    @property
    def ids(self) -> tuple[str, ...]:
        """Their ids."""
        return tuple(self._accounts)

    def get(self, account_id: str) -> IamAccount:
        """Return one by its id."""
        return self._accounts[account_id]


class FakeTraffic:
    """Tells of steady traffic."""

    def traffic(self, account_id: str) -> Traffic:
        """Tell of the account's calls."""
        return Traffic(123.4, 5)


class Bulk:
    """A world with operations in a store of their own."""

    def __init__(self, world: World, store: SqlOperationStore) -> None:
        self.world = world
        self.store = store
        self.sleeper = Sleeper()
        self.work = OwnedWork(maximum=100)
        self.service = self.serve()

    def serve(self, **parts: Any) -> Operations:
        """Serve callers."""
        settings: dict[str, Any] = {
            "store": self.store,
            "ledger": self.world.ledger,
            "accounts": FakeAccounts(self.world.iam),
            "authorizer": self.world.authorizer,
            "sealer": self.world.sealer,
            "traffic": FakeTraffic(),
            "is_draining": self.work.is_draining,
            "sleep": self.sleeper,
        }
        return Operations(**{**settings, **parts})

    def runner(self, mutations: RunsMutations | None = None, **parts: Any) -> OperationRunner:
        """Start a replica's runner."""
        settings: dict[str, Any] = {
            "store": self.store,
            "ledger": self.world.ledger,
            "mutations": mutations or self.world.start().service,
            "accounts": FakeAccounts(self.world.iam),
            "authorizer": self.world.authorizer,
            "work": self.work,
            "concurrency": 4,
            "account_ids": (self.world.iam.account_id,),
            "lease_seconds": LEASE_SECONDS,
            "monotonic": self.world.clock.monotonic,
        }
        return OperationRunner(**{**settings, **parts})

    async def draft(self, *users: UserChange, recipients: tuple[str, ...] = (RECIPIENT,)) -> str:
        """Make a draft with users."""
        operation = await self.service.create(BOT, asked(), recipients)
        if users:
            await self.service.append(BOT, asked(), operation.operation_id, 0, users)
        return operation.operation_id

    async def started(self, *users: UserChange, **parts: Any) -> str:
        """Start an operation."""
        operation_id = await self.draft(*users)
        await self.service.start(BOT, asked(**parts), operation_id, "")
        return operation_id

    async def carry_out(self, runner: OperationRunner, steps: int = 10) -> None:
        """Let a runner do what there is to do by now."""
        for _ in range(steps):
            await runner.step()
            await runner.finish()

    async def started_in(self, account_id: str, *users: UserChange) -> str:
        """Start an operation in one of several accounts."""
        draft = await self.service.create(BOT, OperationRequest(account_id, str(uuid4())), ())
        await self.service.append(BOT, OperationRequest(account_id, str(uuid4())), draft.operation_id, 0, users)
        await self.service.start(BOT, OperationRequest(account_id, str(uuid4())), draft.operation_id, "")
        return draft.operation_id

    async def look(self, operation_id: str, account_id: str = "") -> Operation:
        """Look at an operation."""
        return await self.service.get(BOT, account_id, operation_id)

    async def results(self, operation_id: str) -> tuple[UserResult, ...]:
        """Return what became of all users."""
        return (await self.service.results(BOT, "", operation_id, 100, "", failed_only=False)).items


@pytest.fixture
async def bulk(tmp_path: Path) -> AsyncIterator[Bulk]:
    """A world with operations."""
    world = World()
    ledger = SqlLedger(f"sqlite:///{tmp_path / 'store.db'}", clock=world.clock.now, monotonic=world.clock.monotonic)
    await ledger.open()
    yield Bulk(world, SqlOperationStore(ledger.units))
    await ledger.close()


async def refusal(attempt: Any) -> IdentityError:
    """Return the error that an attempt ends with."""
    with pytest.raises(IdentityError) as caught:
        await attempt
    return caught.value


# Carrying out.


async def test_every_user_is_provisioned_and_one_that_fails_harms_no_other(bulk: Bulk) -> None:
    """Users are made with their secrets sealed; one that cannot be made says why, and is not there."""
    operation_id = await bulk.started(
        user("ann", KEY, ("Developers",)), user("bo", KEY, ("Nowhere",)), *(user(f"user-{n}", KEY) for n in range(10))
    )
    await bulk.carry_out(bulk.runner())
    operation = await bulk.look(operation_id)
    assert (operation.state, operation.progress) == (OperationState.DONE, Progress(total=12, made=11, failed=1))
    ann, bo, *others = await bulk.results(operation_id)
    assert ann.outcome is not None
    assert ann.outcome.user is not None
    assert ann.outcome.user.tags[tags.OWNER] == BOT.team
    assert ann.outcome.credentials is not None
    opened = FakeSealer.opened(ann.outcome.credentials.sealed_secrets)
    (key_id,) = bulk.world.iam.key_ids("ann")
    assert bulk.world.iam.secret_keys[key_id] in str(opened)
    assert bo.failure is not None
    assert bo.failure.error.reason is Reason.GROUP_NOT_FOUND
    assert await bulk.world.iam.get_user("bo") is None
    assert all(other.outcome for other in others)


async def test_a_user_is_made_once_however_often_it_is_carried_out(bulk: Bulk) -> None:
    """A replica that dies after a user was made, and before that is written down, leaves one user with one key."""
    operation_id = await bulk.started(user("ann", KEY))
    (claim,) = await bulk.store.claim({"123456789012": 1}, LEASE_SECONDS)
    mutation = Mutation(
        "ProvisionUser", "123456789012", request_id_of(operation_id, 0), False, "", claim.change, (RECIPIENT,)
    )
    made = await bulk.world.process.service.run(BOT, mutation)
    assert isinstance(made, Outcome)
    bulk.world.clock.advance(LEASE_SECONDS + 1)
    await bulk.carry_out(bulk.runner())
    (result,) = await bulk.results(operation_id)
    assert result.outcome is not None
    assert result.outcome.credentials == made.credentials
    assert len(bulk.world.iam.key_ids("ann")) == 1


async def test_a_plan_makes_nobody(bulk: Bulk) -> None:
    """An operation that is only planned ends with each user's plan, those with problems included."""
    operation_id = await bulk.started(user("ann", KEY), user("bo", groups=("Nowhere",)), validate_only=True)
    await bulk.carry_out(bulk.runner())
    operation = await bulk.look(operation_id)
    assert (operation.state, operation.progress) == (
        OperationState.PLANNED,
        Progress(total=2, planned=2, problems=1),
    )
    ann, bo = await bulk.results(operation_id)
    assert ann.plan is not None
    assert [step.iam_action for step in ann.plan.steps] == ["iam:CreateUser", "iam:CreateAccessKey"]
    assert bo.plan is not None
    assert [problem.reason for problem in bo.plan.problems] == [Reason.GROUP_NOT_FOUND]
    assert await bulk.world.iam.get_user("ann") is None


async def test_what_was_reviewed_is_what_runs(bulk: Bulk) -> None:
    """With the plan's digest, a user whose plan has changed, and one that had a problem, are not made."""
    operation_id = await bulk.started(user("ann"), user("bo"), user("cy", groups=("Nowhere",)), validate_only=True)
    runner = bulk.runner()
    await bulk.carry_out(runner)
    digest = (await bulk.look(operation_id)).plan_digest
    bulk.world.iam.add_user("bo")
    bulk.world.iam.add_group("Nowhere")
    bulk.world.clock.advance(60)
    await bulk.service.start(BOT, asked(), operation_id, digest)
    await bulk.carry_out(runner)
    ann, bo, cy = await bulk.results(operation_id)
    assert ann.outcome is not None
    assert bo.failure is not None
    assert bo.failure.error.reason is Reason.USER_ALREADY_EXISTS
    assert cy.failure is not None
    assert cy.failure.error.reason is Reason.GROUP_NOT_FOUND


async def test_a_passing_failure_is_tried_again(bulk: Bulk) -> None:
    """A throttled user rests and is made at a later attempt, under the same request_id."""
    throttled = IdentityError(Reason.THROTTLED, "throttled")
    mutations = ScriptedMutations({"ann": [throttled, throttled]})
    operation_id = await bulk.started(user("ann"))
    runner = bulk.runner(mutations)
    for _ in range(3):
        await bulk.carry_out(runner, 1)
        bulk.world.clock.advance(LONGEST_REST)
    await runner.step()
    assert (await bulk.look(operation_id)).state is OperationState.DONE
    (result,) = await bulk.results(operation_id)
    assert result.outcome is not None
    assert {mutation.request_id for _, mutation in mutations.asked} == {request_id_of(operation_id, 0)}
    assert len(mutations.asked) == 3


async def test_a_failure_that_does_not_pass_ends_the_user(bulk: Bulk) -> None:
    """After the most attempts a user has failed with the last reason."""
    mutations = ScriptedMutations({"ann": [IdentityError(Reason.THROTTLED, "throttled")] * 100})
    operation_id = await bulk.started(user("ann"))
    runner = bulk.runner(mutations)
    for _ in range(MOST_ATTEMPTS):
        await bulk.carry_out(runner, 1)
        bulk.world.clock.advance(LONGEST_REST)
    assert len(mutations.asked) == MOST_ATTEMPTS
    (result,) = await bulk.results(operation_id)
    assert result.failure is not None
    assert result.failure.error.reason is Reason.THROTTLED


async def test_a_user_that_somebody_else_works_on_is_waited_for(bulk: Bulk) -> None:
    """As long as the request is in progress elsewhere, nobody says that it has failed."""
    mutations = ScriptedMutations({"ann": [IdentityError(Reason.IN_PROGRESS, "busy")] * (MOST_ATTEMPTS + 1)})
    operation_id = await bulk.started(user("ann"))
    runner = bulk.runner(mutations)
    for _ in range(MOST_ATTEMPTS + 2):
        await bulk.carry_out(runner, 1)
        bulk.world.clock.advance(LONGEST_REST)
    (result,) = await bulk.results(operation_id)
    assert result.outcome is not None


async def test_a_fault_in_one_user_harms_no_other(bulk: Bulk) -> None:
    """What nobody expected is INTERNAL for its user, without its text."""
    mutations = ScriptedMutations({"ann": [RuntimeError("canary")]})
    operation_id = await bulk.started(user("ann"), user("bo"))
    await bulk.carry_out(bulk.runner(mutations))
    ann, bo = await bulk.results(operation_id)
    assert ann.failure is not None
    assert str(ann.failure.error) == "INTERNAL: a fault of this service"
    assert bo.outcome is not None


async def test_a_user_whose_end_cannot_be_written_is_carried_out_again(bulk: Bulk) -> None:
    """With the store away at the wrong moment, the claim runs out and the same request is met again."""
    mutations = ScriptedMutations({"ann": [StoreUnavailableError()]})
    operation_id = await bulk.started(user("ann"))
    runner = bulk.runner(mutations)
    await bulk.carry_out(runner)
    assert (await bulk.look(operation_id)).progress == Progress(total=1, running=1)
    bulk.world.clock.advance(LEASE_SECONDS + 1)
    await bulk.carry_out(runner)
    assert (await bulk.look(operation_id)).progress == Progress(total=1, made=1)


async def test_a_server_that_drains_gives_its_users_back(bulk: Bulk) -> None:
    """What was claimed and not begun at shutdown is free for the other replicas, without counting an attempt."""
    operation_id = await bulk.started(user("ann"))
    await bulk.work.drain(1)
    await bulk.carry_out(bulk.runner(ScriptedMutations()), 1)
    assert (await bulk.look(operation_id)).progress == Progress(total=1)
    bulk.world.clock.advance(2)
    other = bulk.runner(ScriptedMutations(), work=OwnedWork(10))
    await bulk.carry_out(other)
    assert (await bulk.look(operation_id)).state is OperationState.DONE


async def test_no_more_users_run_than_allowed(bulk: Bulk) -> None:
    """A runner has as many users under way as its concurrency says."""
    gate = asyncio.Event()
    under_way = 0

    class Slow(ScriptedMutations):
        async def run(self, *args: Any, **kwargs: Any) -> Plan | Outcome:
            nonlocal under_way
            under_way += 1
            await gate.wait()
            return Outcome()

    await bulk.started(*(user(f"user-{number}") for number in range(9)))
    runner = bulk.runner(Slow())
    for _ in range(3):
        await runner.step()
        await asyncio.sleep(0)
    assert under_way == 4
    gate.set()
    await bulk.carry_out(runner)
    assert under_way == 9


async def test_a_slow_account_leaves_the_others_their_places(bulk: Bulk) -> None:
    """While all users that run in one account are stuck, an operation in another is carried out to its end."""
    gate, stuck = asyncio.Event(), 0

    class StuckElsewhere(ScriptedMutations):
        async def run(self, caller: Caller, mutation: Mutation, **parts: Any) -> Plan | Outcome:
            nonlocal stuck
            if mutation.account_id == OTHER_ACCOUNT:
                stuck += 1
                await gate.wait()
            return Outcome()

    accounts = TwoAccounts(bulk.world.iam)
    bulk.service = bulk.serve(accounts=accounts)
    slow = await bulk.started_in(OTHER_ACCOUNT, *(user(f"user-{number}") for number in range(9)))
    quick = await bulk.started_in(bulk.world.iam.account_id, *(user(f"user-{number}") for number in range(9)))
    runner = bulk.runner(StuckElsewhere(), accounts=accounts, account_ids=accounts.ids)
    async with asyncio.timeout(30):
        while (await bulk.look(quick, bulk.world.iam.account_id)).state is not OperationState.DONE:
            await runner.step()
            await asyncio.sleep(0)
    assert stuck == 4
    assert (await bulk.look(slow, OTHER_ACCOUNT)).progress == Progress(total=9, running=4)
    gate.set()
    await bulk.carry_out(runner)
    assert (await bulk.look(slow, OTHER_ACCOUNT)).progress.made == 9


async def test_an_account_that_a_server_does_not_know_is_left_to_others(bulk: Bulk) -> None:
    """While an account is rolled out, a server that has not heard of it fails none of its users."""
    accounts = TwoAccounts(bulk.world.iam)
    bulk.service = bulk.serve(accounts=accounts)
    operation_id = await bulk.started_in(OTHER_ACCOUNT, user("ann"))
    await bulk.carry_out(bulk.runner(ScriptedMutations()))
    assert (await bulk.look(operation_id, OTHER_ACCOUNT)).progress == Progress(total=1)
    await bulk.carry_out(bulk.runner(ScriptedMutations(), accounts=accounts, account_ids=accounts.ids))
    assert (await bulk.look(operation_id, OTHER_ACCOUNT)).state is OperationState.DONE


async def test_an_operation_ends_while_another_takes_all_room(bulk: Bulk) -> None:
    """An operation whose users have ended is DONE soon, and not when nobody is left to claim in its account."""
    small = await bulk.started(user("ann"))
    large = await bulk.started(*(user(f"user-{number}") for number in range(30)))
    runner = bulk.runner(ScriptedMutations(), concurrency=1)
    for _ in range(25):
        await runner.step()
        await runner.finish()
        bulk.world.clock.advance(0.5)
    assert (await bulk.look(small)).state is OperationState.DONE
    assert (await bulk.look(large)).state is OperationState.RUNNING


async def test_the_loop_does_not_wait_while_there_is_work(bulk: Bulk) -> None:
    """A runner works off more users than it carries out at a time without waiting for its next poll."""
    all_asked = asyncio.Event()

    class Counting(ScriptedMutations):
        async def run(self, *args: Any, **kwargs: Any) -> Plan | Outcome:
            outcome = await super().run(*args, **kwargs)
            if len(self.asked) == 20:
                all_asked.set()
            return outcome

    await bulk.started(*(user(f"user-{number}") for number in range(20)))
    loop = asyncio.create_task(bulk.runner(Counting()).run(3600))
    async with asyncio.timeout(20):
        await all_asked.wait()
    loop.cancel()
    with pytest.raises(asyncio.CancelledError):
        await loop


@pytest.mark.parametrize("caller", [None, replace(BOT, team="another-team")])
async def test_whoever_lost_the_right_makes_nobody(
    bulk: Bulk, monkeypatch: pytest.MonkeyPatch, caller: Caller | None
) -> None:
    """A caller who is not known any more, or acts for another team by now, is refused each user, and audited."""

    def identify(caller_id: str) -> Caller:
        if caller is None:
            raise IdentityError(Reason.CALLER_NOT_ALLOWED, "nobody knows this caller")
        return caller

    operation_id = await bulk.started(user("ann"))
    monkeypatch.setattr(bulk.world.authorizer, "identify", identify)
    await bulk.carry_out(bulk.runner())
    (result,) = await bulk.results(operation_id)
    assert result.failure is not None
    assert result.failure.error.reason is Reason.CALLER_NOT_ALLOWED
    assert await bulk.world.iam.get_user("ann") is None
    request_id = request_id_of(operation_id, 0)
    account_id = bulk.world.iam.account_id
    assert bulk.world.ledger.denials == [
        Denial(
            BOT.id,
            BOT.team,
            "ProvisionUser",
            account_id,
            target.user("ann"),
            request_id,
            Reason.CALLER_NOT_ALLOWED.name,
        )
    ]


@pytest.mark.parametrize("validate_only", [False, True])
async def test_each_user_is_judged_as_if_asked_for_alone(bulk: Bulk, validate_only: bool) -> None:
    """A plan that the caller may not have is refused to that user, when it is planned and when it runs."""
    bulk.world.authorizer.forbidden_steps.add("iam:AddUserToGroup")
    operation_id = await bulk.started(user("ann"), user("bo", groups=("Developers",)), validate_only=validate_only)
    await bulk.carry_out(bulk.runner())
    ann, bo = await bulk.results(operation_id)
    assert ann.failure is None
    assert bo.failure is not None
    assert bo.failure.error.reason is Reason.CALLER_NOT_ALLOWED


# Asking.


async def test_only_its_team_sees_an_operation(bulk: Bulk) -> None:
    """Another team's operation is not found, whatever is asked of it, and not listed."""
    operation_id = await bulk.draft(user("ann"))
    for attempt in (
        bulk.service.get(OTHER, "", operation_id),
        bulk.service.append(OTHER, asked(), operation_id, 1, (user("bo"),)),
        bulk.service.start(OTHER, asked(), operation_id, ""),
        bulk.service.cancel(OTHER, asked(), operation_id),
        bulk.service.results(OTHER, "", operation_id, 0, "", failed_only=False),
        anext(bulk.service.watch(OTHER, "", operation_id)),
        bulk.service.get(BOT, "", str(uuid4())),
    ):
        assert (await refusal(attempt)).reason is Reason.OPERATION_NOT_FOUND
    assert (await bulk.service.list(OTHER, "", 0, "")).items == ()
    assert [each.operation_id for each in (await bulk.service.list(BOT, "", 0, "")).items] == [operation_id]


async def test_an_operation_is_found_in_its_account_alone(bulk: Bulk) -> None:
    """Whoever asks in another account, where they may have other rights, does not find it, whatever they ask."""
    accounts = TwoAccounts(bulk.world.iam)
    bulk.service = bulk.serve(accounts=accounts)
    own = bulk.world.iam.account_id
    draft = (await bulk.service.create(BOT, OperationRequest(own, str(uuid4())), ())).operation_id
    elsewhere = OperationRequest(OTHER_ACCOUNT, str(uuid4()))
    for attempt in (
        bulk.service.get(BOT, OTHER_ACCOUNT, draft),
        bulk.service.append(BOT, elsewhere, draft, 0, (user("bo"),)),
        bulk.service.start(BOT, elsewhere, draft, ""),
        bulk.service.cancel(BOT, elsewhere, draft),
        bulk.service.results(BOT, OTHER_ACCOUNT, draft, 0, "", failed_only=False),
        anext(bulk.service.watch(BOT, OTHER_ACCOUNT, draft)),
    ):
        assert (await refusal(attempt)).reason is Reason.OPERATION_NOT_FOUND
    assert (await bulk.look(draft, own)).state is OperationState.DRAFT


@pytest.mark.parametrize(
    ("action", "ask"),
    [
        ("CreateOperation", lambda bulk, request, _: bulk.service.create(BOT, request, ())),
        ("AppendUsers", lambda bulk, request, found: bulk.service.append(BOT, request, found, 1, (user("bo"),))),
        ("StartOperation", lambda bulk, request, found: bulk.service.start(BOT, request, found, "")),
        ("CancelOperation", lambda bulk, request, found: bulk.service.cancel(BOT, request, found)),
    ],
)
async def test_whoever_may_not_change_an_operation_is_audited(
    bulk: Bulk, action: str, ask: Callable[[Bulk, OperationRequest, str], Any]
) -> None:
    """A refusal leaves its line, as that of every other mutation does."""
    operation_id, request = await bulk.draft(user("ann")), asked()
    bulk.world.authorizer.forbidden_actions.add(action)
    await refusal(ask(bulk, request, operation_id))
    (denial,) = bulk.world.ledger.denials
    about = "operation/" if action == "CreateOperation" else f"operation/{operation_id}"
    assert (denial.action, denial.target, denial.request_id) == (action, about, request.request_id)
    assert (denial.caller_id, denial.account_id, denial.reason) == (BOT.id, "123456789012", "CALLER_NOT_ALLOWED")


@pytest.mark.parametrize(
    ("action", "ask"),
    [
        ("AppendUsers", lambda bulk, request, found: bulk.service.append(OTHER, request, found, 1, (user("bo"),))),
        ("StartOperation", lambda bulk, request, found: bulk.service.start(OTHER, request, found, "")),
        ("CancelOperation", lambda bulk, request, found: bulk.service.cancel(OTHER, request, found)),
    ],
)
async def test_whoever_tries_to_change_another_teams_operation_is_audited(
    bulk: Bulk, action: str, ask: Callable[[Bulk, OperationRequest, str], Any]
) -> None:
    """The caller hears that there is no such operation; the audit log knows who has tried what."""
    operation_id, request = await bulk.draft(user("ann")), asked()
    assert (await refusal(ask(bulk, request, operation_id))).reason is Reason.OPERATION_NOT_FOUND
    (denial,) = bulk.world.ledger.denials
    assert (denial.caller_id, denial.team, denial.action) == (OTHER.id, OTHER.team, action)
    assert (denial.target, denial.request_id) == (f"operation/{operation_id}", request.request_id)
    assert denial.reason == "OPERATION_NOT_FOUND"


@pytest.mark.parametrize("validate_only", [False, True])
async def test_nobody_starts_a_colleagues_draft(bulk: Bulk, validate_only: bool) -> None:
    """Its users would be made with rights that whoever starts it may not have; the draft stays for its maker."""
    colleague = replace(OTHER, team=BOT.team)
    operation_id = await bulk.draft(user("ann"))
    error = await refusal(bulk.service.start(colleague, asked(validate_only=validate_only), operation_id, ""))
    assert error.reason is Reason.CALLER_NOT_ALLOWED
    (denial,) = bulk.world.ledger.denials
    assert (denial.caller_id, denial.action) == (colleague.id, "StartOperation")
    assert (await bulk.look(operation_id)).state is OperationState.DRAFT


async def test_a_start_that_was_carried_out_tells_a_colleague_nothing(bulk: Bulk) -> None:
    """Also under the request_id of the maker's own start, a colleague's is refused."""
    operation_id, request = await bulk.draft(user("ann")), asked()
    await bulk.service.start(BOT, request, operation_id, "")
    colleague = replace(OTHER, team=BOT.team)
    error = await refusal(bulk.service.start(colleague, request, operation_id, ""))
    assert error.reason is Reason.CALLER_NOT_ALLOWED


async def test_a_colleague_may_cancel(bulk: Bulk) -> None:
    """What runs in the name of somebody who is away is stopped by anybody of the team."""
    operation_id = await bulk.started(user("ann"))
    cancelled = await bulk.service.cancel(replace(OTHER, team=BOT.team), asked(), operation_id)
    assert cancelled.state is OperationState.CANCELLING


@pytest.mark.parametrize("validate_only", [False, True])
async def test_nobody_borrows_the_rights_of_a_colleague(bulk: Bulk, validate_only: bool) -> None:
    """Users are made in the name of whoever made the draft, so nobody else of the team appends any to it."""
    colleague = replace(OTHER, team=BOT.team)
    operation_id = await bulk.draft(user("ann"))
    request = asked(validate_only=validate_only)
    error = await refusal(bulk.service.append(colleague, request, operation_id, 1, (user("bo"),)))
    assert error.reason is Reason.CALLER_NOT_ALLOWED
    assert (await bulk.service.get(colleague, "", operation_id)).progress.total == 1


@pytest.mark.parametrize(
    ("action", "ask"),
    [
        ("CreateOperation", lambda bulk, _: bulk.service.create(BOT, asked(), ())),
        ("AppendUsers", lambda bulk, found: bulk.service.append(BOT, asked(), found, 1, (user("bo"),))),
        ("StartOperation", lambda bulk, found: bulk.service.start(BOT, asked(), found, "")),
        ("ProvisionUser", lambda bulk, found: bulk.service.start(BOT, asked(), found, "")),
        ("GetOperation", lambda bulk, found: bulk.service.get(BOT, "", found)),
        ("ListOperations", lambda bulk, _: bulk.service.list(BOT, "", 0, "")),
        ("WatchOperation", lambda bulk, found: anext(bulk.service.watch(BOT, "", found))),
        ("ListOperationResults", lambda bulk, found: bulk.service.results(BOT, "", found, 0, "", failed_only=True)),
        ("CancelOperation", lambda bulk, found: bulk.service.cancel(BOT, asked(), found)),
    ],
)
async def test_each_rpc_needs_its_right(bulk: Bulk, action: str, ask: Callable[[Bulk, str], Any]) -> None:
    """A caller without the right of an RPC is refused, and nobody starts what may not be provisioned."""
    operation_id = await bulk.draft(user("ann"))
    bulk.world.authorizer.forbidden_actions.add(action)
    assert (await refusal(ask(bulk, operation_id))).reason is Reason.CALLER_NOT_ALLOWED


async def test_a_bulk_beyond_the_quota_is_refused_whole(bulk: Bulk) -> None:
    """Where the account cannot take all users, nobody is made, and the draft may be started once it can."""
    bulk.world.iam.add_user("there")
    bulk.world.iam.quotas["UsersQuota"] = 2
    operation_id = await bulk.draft(user("ann"), user("bo"))
    error = await refusal(bulk.service.start(BOT, asked(), operation_id, ""))
    assert error.reason is Reason.QUOTA_EXCEEDED
    (quota,) = error.quota_violations
    assert (quota.quota_name, quota.used, quota.needed, quota.limit) == ("UsersQuota", 1, 2, 2)
    assert (await bulk.look(operation_id)).state is OperationState.DRAFT
    bulk.world.iam.quotas["UsersQuota"] = 3
    started = await bulk.service.start(BOT, asked(), operation_id, "")
    assert [(use.quota_name, use.used_after, use.limit) for use in started.quota_uses] == [("UsersQuota", 3, 3)]


async def test_a_start_that_was_accepted_is_not_judged_again(bulk: Bulk) -> None:
    """The same request for a plan is answered with the plan, even where the account is full by now."""
    operation_id, request = await bulk.draft(user("ann")), asked(validate_only=True)
    await bulk.service.start(BOT, request, operation_id, "")
    await bulk.carry_out(bulk.runner())
    bulk.world.iam.quotas["UsersQuota"] = 0
    assert (await bulk.service.start(BOT, request, operation_id, "")).state is OperationState.PLANNED
    error = await refusal(bulk.service.start(BOT, asked(validate_only=True), operation_id, ""))
    assert error.reason is Reason.QUOTA_EXCEEDED


async def test_bulks_that_start_at_once_share_the_room_there_is(bulk: Bulk) -> None:
    """Of two starts for which the account has room only once, one is refused."""
    bulk.world.iam.quotas["UsersQuota"] = 3
    drafts = [await bulk.draft(user(f"{name}-1"), user(f"{name}-2")) for name in ("ann", "bo")]
    starts = (bulk.service.start(BOT, asked(), operation_id, "") for operation_id in drafts)
    ends = await asyncio.gather(*starts, return_exceptions=True)
    (error,) = [end for end in ends if isinstance(end, IdentityError)]
    assert error.reason is Reason.QUOTA_EXCEEDED
    await bulk.carry_out(bulk.runner())
    assert sum([(await bulk.look(operation_id)).progress.made for operation_id in drafts]) == 2


async def test_secrets_need_somebody_to_be_sealed_to(bulk: Bulk) -> None:
    """Without recipients no user may ask for credentials; with them, passwords are generated ones."""
    unsealed = await bulk.draft(recipients=())
    error = await refusal(bulk.service.append(BOT, asked(), unsealed, 0, (user("ann"), user("bo", KEY))))
    assert error.field_violations == (
        FieldViolation("users[1].credentials", "an operation without recipients makes users without credentials only"),
    )
    sealed = await bulk.draft()
    custom = Credentials(console_password=ConsolePassword(Secret("canary")))
    error = await refusal(bulk.service.append(BOT, asked(), sealed, 0, (user("ann", custom),)))
    assert [violation.field for violation in error.field_violations] == [
        "users[0].credentials.console_password.custom_password"
    ]
    assert "canary" not in repr(error)


async def test_what_is_only_tried_changes_nothing(bulk: Bulk) -> None:
    """With validate_only, creating, appending and cancelling are checked and leave everything as it was."""
    draft = await bulk.service.create(BOT, asked(validate_only=True), (RECIPIENT,))
    assert (draft.operation_id, (await bulk.service.list(BOT, "", 0, "")).items) == ("", ())
    operation_id = await bulk.draft(user("ann"))
    assert await bulk.service.append(BOT, asked(validate_only=True), operation_id, 1, (user("bo"),)) == 2
    cancelled = await bulk.service.cancel(BOT, asked(validate_only=True), operation_id)
    assert cancelled.state is OperationState.DRAFT
    assert (await bulk.look(operation_id)).progress.total == 1


@pytest.mark.parametrize("token", ["x", "-1", "٣", "1" * 10])
async def test_a_page_token_of_nobodys_is_refused(bulk: Bulk, token: str) -> None:
    """A token that no page has answered is INVALID_FIELD."""
    operation_id = await bulk.draft(user("ann"))
    error = await refusal(bulk.service.results(BOT, "", operation_id, 0, token, failed_only=False))
    assert (error.reason, error.field_violations[0].field) == (Reason.INVALID_FIELD, "page_token")


# Watching.


async def test_a_watcher_hears_each_change_until_the_end(bulk: Bulk) -> None:
    """The first message comes at once, then one for each change, and the stream ends with the operation."""
    operation_id = await bulk.started(user("ann"), user("bo"))
    runner = bulk.runner(ScriptedMutations(), concurrency=1)
    bulk.sleeper.meanwhile = [lambda: None, *[lambda: bulk.carry_out(runner, 1)] * 3]
    heard = [each async for each in bulk.service.watch(BOT, "", operation_id)]
    assert [each.traffic.throttled_calls for each in heard] == [5, 5, 5, 0]
    assert [(each.state, each.progress.made) for each in heard] == [
        (OperationState.RUNNING, 0),
        (OperationState.RUNNING, 1),
        (OperationState.RUNNING, 2),
        (OperationState.DONE, 2),
    ]
    again = [each async for each in bulk.service.watch(BOT, "", operation_id)]
    assert again == heard[-1:]


async def test_a_watcher_hears_that_nothing_has_changed(bulk: Bulk) -> None:
    """After 15 s without news the operation is told again, so that a broken connection is noticed."""
    operation_id = await bulk.started(user("ann"))
    watching = bulk.service.watch(BOT, "", operation_id)
    assert await anext(watching) == await anext(watching)
    assert sum(bulk.sleeper.slept) == 15
    await cast(Any, watching).aclose()


@pytest.mark.parametrize("now", [None, "another-team"])
async def test_a_watcher_who_leaves_the_team_hears_no_more(bulk: Bulk, now: str | None) -> None:
    """Who is taken out of the file, or put into another team, while watching is told nothing further."""

    class Moved(FakeAuthorizer):
        def identify(self, caller_id: str) -> Caller:
            if left and now is None:
                raise IdentityError(Reason.CALLER_NOT_ALLOWED, "not allowed")
            return Caller(caller_id, now or "") if left else super().identify(caller_id)

    left = False
    operation_id = await bulk.started(user("ann"))
    watching = bulk.serve(authorizer=Moved()).watch(BOT, "", operation_id)
    await anext(watching)
    left = True
    expected = Reason.CALLER_NOT_ALLOWED if now is None else Reason.OPERATION_NOT_FOUND
    assert (await refusal(anext(watching))).reason is expected


async def test_a_server_that_drains_sends_watchers_on(bulk: Bulk) -> None:
    """Once the server drains, a stream ends with SHUTTING_DOWN, after it has told where the operation stands."""
    operation_id = await bulk.started(user("ann"))
    await bulk.work.drain(1)
    watching = bulk.service.watch(BOT, "", operation_id)
    assert (await anext(watching)).state is OperationState.RUNNING
    assert (await refusal(anext(watching))).reason is Reason.SHUTTING_DOWN


def test_the_digest_of_users_does_not_depend_on_their_passwords() -> None:
    """No digest holds what could be guessed from it."""
    one, other = (user("ann", Credentials(console_password=ConsolePassword(Secret(text)))) for text in ("one", "other"))
    assert digest_of((one,)) == digest_of((other,))


def test_the_store_fulfils_the_port() -> None:
    """Type checkers hold the store to what the application needs."""
    store: type[OperationStore] = SqlOperationStore
    assert store


class Linked(Unwatched):
    """A telemetry in which everybody asks in one trace, and that remembers what spans are linked to."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, str]] = []

    def span(self, name: str, link: str = "") -> AbstractContextManager[None]:
        """Remember a span."""
        self.spans.append((name, link))
        return nullcontext()

    def traceparent(self) -> str:
        """Name the trace."""
        return "00-11111111111111111111111111111111-2222222222222222-01"


async def test_each_user_has_a_trace_that_leads_to_the_start(bulk: Bulk) -> None:
    """Whichever replica makes a user, its span is linked to the one in which the operation was started."""
    linked = Linked()
    bulk.service = bulk.serve(telemetry=linked)
    await bulk.started(user("ann"), user("bo"))
    runner = bulk.runner(telemetry=linked)
    await runner.step()
    await runner.finish()
    assert linked.spans == [("user of an operation", linked.traceparent())] * 2
