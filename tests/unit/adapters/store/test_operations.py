"""Operations in the store, on each engine: drafts, starts, claims by several replicas, ends, removal."""

import asyncio
from dataclasses import replace

import pytest

from identity_service.adapters.store import SqlOperationStore
from identity_service.application.ledger import Failure
from identity_service.application.operations.ports import (
    Progress,
    Start,
)
from identity_service.domain.entities import UserRecord
from identity_service.domain.errors import FieldViolation, IdentityError, Reason
from identity_service.domain.operation import OperationState, UserState
from identity_service.domain.outcome import ExecutedStep, IssuedAccessKey, IssuedCredentials, Outcome
from identity_service.domain.plan import PlanWarning, Problem, QuotaUse, WarningKind
from identity_service.domain.request import (
    ConsolePassword,
    Credentials,
    InlinePolicy,
    NewGroup,
    NewPolicy,
    NewUser,
    Permissions,
    SelfManagement,
    UserChange,
    VirtualMfaDevice,
)
from identity_service.domain.secret import Secret
from tests.unit.adapters.store.bulk import (
    ACCOUNT,
    CALLER,
    FIELDS,
    LEASE,
    MAKER,
    REFUSED,
    TEAM,
    UUIDS,
    batch,
    cancellation,
    draft_of,
    empty_account,
    look,
    names,
    new,
    open_store,
    plan_of,
    planned,
    running,
    user,
)
from tests.unit.adapters.store.expected import failure_fields, refusal
from tests.unit.adapters.store.worlds import RETENTION_SECONDS, World

THROTTLED = Failure(IdentityError(Reason.THROTTLED, "IAM throttles"), retryable=True)
WHOLE = UserChange(
    user_name="Ann",
    new_user=NewUser("/people/", (("cost-center", "4711"),)),
    credentials=Credentials(True, ConsolePassword(require_reset=True), VirtualMfaDevice("phone")),
    permissions=Permissions(
        group_names=("Developers",),
        managed_policies=("Deploy",),
        inline_policies=(InlinePolicy("inline-1", '{"Version":"2012-10-17"}'),),
        boundary="Boundary",
        new_groups=(NewGroup("G", "/", ("Deploy",)),),
        new_policies=(NewPolicy("P", "{}", "/", "words"),),
        self_management=SelfManagement.CREDENTIALS,
    ),
    fields=FIELDS,
)


@pytest.fixture
def user_record(user: UserRecord) -> UserRecord:
    """The user `Ann` as IAM has it; here `user` asks for one."""
    return user


@pytest.fixture
async def store(world: World) -> SqlOperationStore:
    """The store of operations of an open ledger."""
    return await open_store(world)


# Drafts.


async def test_a_draft_is_made_once_per_request(store: SqlOperationStore) -> None:
    """The same request again finds the draft, and another one under its request_id is refused."""
    first = new()
    made = await store.create(first)
    again = await store.create(replace(first, operation_id=next(UUIDS)))
    assert made == again == await store.find(made.operation_id)
    assert (made.state, made.caller.id, made.progress) == (OperationState.DRAFT, CALLER, Progress())
    error = await refusal(store.create(replace(first, fingerprint="another")))
    assert error.reason is Reason.REQUEST_ID_REUSED


async def test_a_user_comes_back_as_it_was_appended(store: SqlOperationStore) -> None:
    """Whatever a user asks for is what its claim holds."""
    operation = await store.create(new(recipients=("age1recipient",)))
    await store.append(batch(operation.operation_id, 0, WHOLE))
    await store.start(Start(operation.operation_id, next(UUIDS), MAKER, plan_only=False), empty_account())
    (claim,) = await store.claim({ACCOUNT: 10}, LEASE)
    assert claim.change == WHOLE
    assert (claim.account_id, claim.recipients, claim.caller) == (ACCOUNT, ("age1recipient",), operation.caller)


async def test_a_password_is_never_written(store: SqlOperationStore) -> None:
    """A caller's own password in a user is refused by the store itself, without its value."""
    operation = await store.create(new())
    secret = replace(WHOLE, credentials=Credentials(console_password=ConsolePassword(Secret("canary-password"))))
    with pytest.raises(TypeError, match="does not take a Secret"):
        await store.append(batch(operation.operation_id, 0, secret))
    assert (await look(store, operation.operation_id)).progress.total == 0


async def test_the_same_batch_again_is_answered_as_the_first_time(store: SqlOperationStore) -> None:
    """A repeated batch changes nothing, under its own request_id or a new one, even after the start."""
    operation = await store.create(new())
    first = batch(operation.operation_id, 0, user("ann"), user("bo"))
    assert await store.append(first) == 2
    assert await store.append(batch(operation.operation_id, 1, user("cy"))) == 3
    assert await store.append(first) == 2
    assert await store.append(replace(first, request_id=next(UUIDS))) == 2
    await store.start(Start(operation.operation_id, next(UUIDS), MAKER, plan_only=False), empty_account())
    assert await store.append(first) == 2
    assert (await look(store, operation.operation_id)).progress.total == 3


async def test_a_batch_out_of_order_is_refused(store: SqlOperationStore) -> None:
    """A gap, or another batch of a number that is there, is INVALID_FIELD that says which number is next."""
    operation = await draft_of(store, "ann")
    for number in (0, 2):
        error = await refusal(store.append(batch(operation.operation_id, number, user("bo"))))
        assert error.reason is Reason.INVALID_FIELD
        assert error.field_violations == (FieldViolation("sequence_number", "the next batch is number 1"),)
        assert error.metadata == {"next_sequence_number": "1"}


async def test_another_batch_under_a_used_request_id_is_refused(store: SqlOperationStore) -> None:
    """A request_id stands for one batch."""
    operation = await store.create(new())
    first = batch(operation.operation_id, 0, user("ann"))
    await store.append(first)
    error = await refusal(store.append(batch(operation.operation_id, 1, user("bo"), request_id=first.request_id)))
    assert error.reason is Reason.REQUEST_ID_REUSED


async def test_each_name_is_taken_once_in_any_letter_case(store: SqlOperationStore) -> None:
    """A name that an earlier batch or the batch itself has is refused with both places, and nothing is written."""
    operation = await draft_of(store, "ann", "bo")
    error = await refusal(store.append(batch(operation.operation_id, 1, user("cy"), user("BO"), user("Cy"))))
    assert error.reason is Reason.INVALID_FIELD
    assert [(each.field, each.message.split(";")[0]) for each in error.field_violations] == [
        ("users[1].user_name", "user 1 of the operation has this name"),
        ("users[2].user_name", "user 2 of the operation has this name"),
    ]
    assert (await look(store, operation.operation_id)).progress.total == 2


async def test_an_operation_takes_no_more_than_its_most(
    store: SqlOperationStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The batch that would exceed the most users is refused whole."""
    monkeypatch.setattr("identity_service.adapters.store.operations_drafts.MAXIMUM_USERS", 2)
    operation = await draft_of(store, "ann")
    error = await refusal(store.append(batch(operation.operation_id, 1, user("bo"), user("cy"))))
    assert (error.reason, error.field_violations[0].field) == (Reason.INVALID_FIELD, "users")
    assert await store.append(batch(operation.operation_id, 1, user("bo"))) == 2


async def test_a_batch_that_is_only_tried_is_not_written(store: SqlOperationStore) -> None:
    """A tried batch is checked and counted, and its number is free afterwards."""
    operation = await draft_of(store, "ann")
    tried = batch(operation.operation_id, 1, user("bo"))
    assert await store.append(tried, try_only=True) == 2
    assert (await look(store, operation.operation_id)).progress.total == 1
    error = await refusal(store.append(batch(operation.operation_id, 1, user("ANN")), try_only=True))
    assert error.reason is Reason.INVALID_FIELD


# Starts.


async def test_a_start_is_carried_out_once(store: SqlOperationStore) -> None:
    """The same start again answers the operation as it is; another one is refused, and so are more users."""
    operation_id = (await draft_of(store, "ann")).operation_id
    start = Start(operation_id, next(UUIDS), MAKER, plan_only=False)
    assert (await store.check_start(start)).carried_out is None
    started = await store.start(start, empty_account())
    assert (started.state, started.quota_uses) == (OperationState.RUNNING, (QuotaUse("UsersQuota", 0, 1, 5000),))
    assert await store.start(start, empty_account()) == started
    assert (await store.check_start(start)).carried_out == started
    for refused in (
        store.start(replace(start, request_id=next(UUIDS)), empty_account()),
        store.check_start(replace(start, request_id=next(UUIDS))),
        store.append(batch(operation_id, 1, user("bo"))),
    ):
        error = await refusal(refused)
        assert (error.reason, error.metadata) == (Reason.WRONG_STATE, {"state": "RUNNING"})


async def test_nobody_is_not_started(store: SqlOperationStore) -> None:
    """A draft without users is WRONG_STATE."""
    operation = await store.create(new())
    error = await refusal(
        store.start(Start(operation.operation_id, next(UUIDS), MAKER, plan_only=False), empty_account())
    )
    assert (error.reason, error.metadata) == (Reason.WRONG_STATE, {"state": "DRAFT"})


async def test_a_plan_is_paged_with_all_that_a_reviewer_reads(store: SqlOperationStore) -> None:
    """An operation that was only planned ends as PLANNED, and its results are the plans with their problems."""
    operation = await planned(store, "ann", "bo", problem_of="bo")
    assert operation.state is OperationState.PLANNED
    assert operation.progress == Progress(total=2, planned=2, problems=1)
    assert len(operation.plan_digest) == 64
    page = await store.results(operation.operation_id, 10, -1, failed_only=False)
    ann, bo = page.items
    assert (ann.user_name, ann.state) == ("ann", UserState.PLANNED)
    assert ann.plan is not None
    assert ann.plan.quota_uses == (QuotaUse("UsersQuota", 1, 2, 5000),)
    assert ann.plan.warnings == (PlanWarning(WarningKind.WILDCARD, "think", "permissions"),)
    assert bo.plan is not None
    assert bo.plan.problems == (
        Problem(Reason.GROUP_NOT_FOUND, "there is no group nope", "permissions.group_names[0]"),
    )
    failed = await store.results(operation.operation_id, 10, -1, failed_only=True)
    assert [result.user_name for result in failed.items] == ["bo"]


async def test_a_reviewed_plan_runs_as_it_was_reviewed(store: SqlOperationStore) -> None:
    """With the plan's digest each user expects its own plan, and one that was refused in review stays refused."""
    operation = await planned(store, "ann", "bo", problem_of="bo")
    start = Start(operation.operation_id, next(UUIDS), MAKER, plan_only=False, expected_plan_digest="0" * 64)
    error = await refusal(store.start(start, empty_account()))
    assert (error.reason, error.metadata) == (Reason.PLAN_CHANGED, {"plan_digest": operation.plan_digest})
    await store.start(replace(start, expected_plan_digest=operation.plan_digest), empty_account())
    ann, bo = await store.claim({ACCOUNT: 10}, LEASE)
    assert (ann.expected_plan_digest, ann.refused) == (plan_of(ann).digest, None)
    assert failure_fields(bo.refused) == failure_fields(REFUSED)


async def test_a_plan_that_nobody_insists_on_is_no_hindrance(store: SqlOperationStore) -> None:
    """Without a digest every user is planned anew, those with a problem too."""
    operation = await planned(store, "ann", "bo", problem_of="bo")
    await store.start(Start(operation.operation_id, next(UUIDS), MAKER, plan_only=False), empty_account())
    claims = await store.claim({ACCOUNT: 10}, LEASE)
    assert [(claim.expected_plan_digest, claim.refused) for claim in claims] == [("", None), ("", None)]


# Claims.


async def test_replicas_share_users_out(world: World) -> None:
    """Several replicas that claim at the same time get every user once."""
    stores = [await open_store(world) for _ in range(3)]
    operation_id = await running(stores[0], *(f"user-{number}" for number in range(30)))
    claimed = await asyncio.gather(*(store.claim({ACCOUNT: 10}, LEASE) for store in stores))
    rest = await stores[0].claim({ACCOUNT: 30}, LEASE)
    found = [name for claims in (*claimed, rest) for name in names(claims)]
    assert sorted(found) == sorted(f"user-{number}" for number in range(30))
    assert (await look(stores[0], operation_id)).progress.running == 30


async def test_operations_get_about_the_same_share(store: SqlOperationStore) -> None:
    """A small operation does not wait for a large one that was started before it."""
    await running(store, "ann", "bo", "cy", "di")
    await running(store, "small")
    assert sorted(names(await store.claim({ACCOUNT: 2}, LEASE))) == ["ann", "small"]


async def test_each_account_has_room_of_its_own(store: SqlOperationStore) -> None:
    """So many are claimed in each account that is named, and none in one that is not."""
    await running(store, "ann", "bo", "cy", account_id="111111111111")
    await running(store, "di", "ed", account_id="222222222222")
    await running(store, "flo", account_id="333333333333")
    claims = await store.claim({"111111111111": 2, "222222222222": 5, "444444444444": 5}, LEASE)
    assert [(claim.account_id, claim.change.user_name) for claim in claims] == [
        ("111111111111", "ann"),
        ("111111111111", "bo"),
        ("222222222222", "di"),
        ("222222222222", "ed"),
    ]
    assert await store.claim({}, LEASE) == ()


async def test_a_claim_that_runs_out_goes_to_the_next(world: World, store: SqlOperationStore) -> None:
    """A user is claimed again after its lease and not before, and then its first claim can write nothing."""
    operation_id = await running(store, "ann")
    (first,) = await store.claim({ACCOUNT: 1}, LEASE)
    world.advance(LEASE / 2)
    await store.renew((first,), LEASE)
    world.advance(LEASE / 2)
    assert await store.claim({ACCOUNT: 1}, LEASE) == ()
    world.advance(LEASE)
    (second,) = await store.claim({ACCOUNT: 1}, LEASE)
    assert second.epoch == first.epoch + 1
    await store.failed(first, REFUSED)
    assert (await look(store, operation_id)).progress == Progress(total=1, running=1)
    await store.made(second, Outcome())
    assert (await look(store, operation_id)).progress == Progress(total=1, made=1)


async def test_a_user_that_rests_is_claimed_later(world: World, store: SqlOperationStore) -> None:
    """A passing failure counts an attempt and gives the user back after its rest."""
    await running(store, "ann")
    (claim,) = await store.claim({ACCOUNT: 1}, LEASE)
    await store.rest(claim, THROTTLED, 5)
    assert await store.claim({ACCOUNT: 1}, LEASE) == ()
    world.advance(6)
    (again,) = await store.claim({ACCOUNT: 1}, LEASE)
    assert again.attempts == 1
    await store.rest(again, None, 0)
    world.advance(1)
    assert [claim.attempts for claim in await store.claim({ACCOUNT: 1}, LEASE)] == [1]


async def test_a_request_that_is_not_over_is_gone_on_with_after_a_cancellation(
    world: World, store: SqlOperationStore
) -> None:
    """A user that rests with its request begun is claimed again, and the operation does not end before."""
    operation_id = await running(store, "ann", "bo")
    (ann,) = await store.claim({ACCOUNT: 1}, LEASE)
    await store.rest(ann, None, 5, is_begun=True)
    await store.cancel(cancellation(operation_id))
    assert await store.claim({ACCOUNT: 10}, LEASE) == ()
    assert await store.settle() == 1
    world.advance(6)
    (again,) = await store.claim({ACCOUNT: 10}, LEASE)
    assert (again.index, again.attempts) == (0, 0)


async def test_a_draft_is_made_once_by_two_at_once(world: World) -> None:
    """The same request at two replicas at the same time makes one draft, which both answer."""
    stores = [await open_store(world) for _ in range(2)]
    first = new()
    made = await asyncio.gather(
        *(store.create(replace(first, operation_id=next(UUIDS))) for store in stores for _ in range(3))
    )
    assert len({operation.operation_id for operation in made}) == 1


# Ends.


async def test_an_operation_is_done_when_its_last_user_has_ended(
    store: SqlOperationStore, user_record: UserRecord
) -> None:
    """Until then it is active; at its end each user has what became of it, without any secret."""
    operation_id = await running(store, "ann", "bo")
    ann, bo = await store.claim({ACCOUNT: 10}, LEASE)
    issued = IssuedCredentials(
        access_key=IssuedAccessKey("AKIAEXAMPLE", user_record.created_at, Secret("canary-secret")),
        sealed_secrets="sealed",
    )
    await store.made(ann, Outcome(user=user_record, credentials=issued, steps=(ExecutedStep("iam:X", "*", "", None),)))
    assert await store.settle() == 1
    await store.failed(bo, REFUSED)
    assert await store.settle() == 0
    operation = await look(store, operation_id)
    assert (operation.state, operation.progress) == (OperationState.DONE, Progress(total=2, made=1, failed=1))
    assert operation.ended_at is not None
    made, failed = (await store.results(operation_id, 10, -1, failed_only=False)).items
    assert made.outcome is not None
    assert made.outcome.user == user_record
    assert made.outcome.credentials == issued.without_secrets()
    assert failure_fields(failed.failure) == failure_fields(REFUSED)
    assert [each.index for each in (await store.results(operation_id, 10, -1, failed_only=True)).items] == [1]


async def test_a_cancelled_operation_begins_nobody_and_finishes_what_runs(
    world: World, store: SqlOperationStore
) -> None:
    """After the cancellation only users that were begun are claimed, and the operation ends with the last of them."""
    operation_id = await running(store, "ann", "bo", "cy")
    await store.claim({ACCOUNT: 1}, LEASE)
    cancelled = await store.cancel(cancellation(operation_id))
    assert cancelled is not None
    assert cancelled.state is OperationState.CANCELLING
    assert await store.claim({ACCOUNT: 10}, LEASE) == ()
    assert await store.settle() == 1
    world.advance(LEASE + 1)
    (ann,) = await store.claim({ACCOUNT: 10}, LEASE)
    await store.made(ann, Outcome())
    assert await store.settle() == 0
    operation = await store.cancel(cancellation(operation_id))
    assert operation is not None
    assert (operation.state, operation.progress) == (OperationState.CANCELLED, Progress(total=3, made=1))
    results = (await store.results(operation_id, 10, -1, failed_only=False)).items
    assert [(each.state, each.outcome is None, each.failure) for each in results[1:]] == [
        (UserState.WAITING, True, None)
    ] * 2


async def test_an_operation_that_has_ended_lists_all_whom_it_has_not_made(store: SqlOperationStore) -> None:
    """Among failures are, once a cancellation has ended the operation, those whom it left out; before, they are not."""
    operation_id = await running(store, "ann", "bo", "cy", "di")
    ann, bo = await store.claim({ACCOUNT: 2}, LEASE)
    await store.failed(bo, REFUSED)
    await store.cancel(cancellation(operation_id))

    async def failed() -> list[str]:
        return [each.user_name for each in (await store.results(operation_id, 10, -1, failed_only=True)).items]

    assert await failed() == ["bo"]
    await store.made(ann, Outcome())
    await store.settle()
    assert await failed() == ["bo", "cy", "di"]
    first = await store.results(operation_id, 1, -1, failed_only=True)
    second = await store.results(operation_id, 2, int(first.next_token or "-1"), failed_only=True)
    assert ([each.index for each in (*first.items, *second.items)], second.next_token) == ([1, 2, 3], None)


@pytest.mark.parametrize("is_planned", [False, True])
async def test_an_operation_that_never_ran_has_made_nobody(store: SqlOperationStore, is_planned: bool) -> None:
    """A draft or a plan that was cancelled lists all of its users as not made."""
    operation = await (planned(store, "ann", "bo") if is_planned else draft_of(store, "ann", "bo"))
    assert (await store.results(operation.operation_id, 10, -1, failed_only=True)).items == ()
    await store.cancel(cancellation(operation.operation_id))
    page = await store.results(operation.operation_id, 10, -1, failed_only=True)
    assert [each.user_name for each in page.items] == ["ann", "bo"]
    assert (await store.results(next(UUIDS), 10, -1, failed_only=True)).items == ()


async def test_what_does_not_run_is_cancelled_at_once(store: SqlOperationStore) -> None:
    """A draft, a plan in the making and a plan are cancelled without anybody to wait for."""
    draft = await draft_of(store, "ann")
    planning = await draft_of(store, "bo")
    await store.start(Start(planning.operation_id, next(UUIDS), MAKER, plan_only=True), empty_account())
    await store.claim({ACCOUNT: 1}, LEASE)
    for operation in (draft, planning):
        cancelled = await store.cancel(cancellation(operation.operation_id))
        assert cancelled is not None
        assert cancelled.state is OperationState.CANCELLED
    assert await store.cancel(cancellation(next(UUIDS))) is None
    error = await refusal(store.start(Start(draft.operation_id, next(UUIDS), MAKER, plan_only=False), empty_account()))
    assert (error.reason, error.metadata) == (Reason.WRONG_STATE, {"state": "CANCELLED"})


async def test_a_cancellation_and_claims_at_once_leave_nobody_behind(world: World) -> None:
    """Whatever comes first, every claim that was answered ends, and then the operation does."""
    stores = [await open_store(world) for _ in range(2)]
    for round_ in range(5):
        operation_id = await running(stores[0], *(f"r{round_}-{number}" for number in range(8)))
        first, cancelled, second = await asyncio.gather(
            stores[0].claim({ACCOUNT: 2}, LEASE),
            stores[1].cancel(cancellation(operation_id)),
            stores[1].claim({ACCOUNT: 2}, LEASE),
        )
        assert cancelled is not None
        assert await stores[0].claim({ACCOUNT: 8}, LEASE) == ()
        await asyncio.gather(*(stores[0].made(claim, Outcome()) for claim in (*first, *second)))
        await asyncio.gather(*(store.settle() for store in stores))
        operation = await look(stores[0], operation_id)
        assert operation.state is OperationState.CANCELLED
        assert operation.progress.made == len(first) + len(second)


async def test_no_operation_waits_for_the_end_of_older_ones(world: World, store: SqlOperationStore) -> None:
    """Where there is room for fewer users than there are operations, each operation gets its turn all the same."""
    await running(store, *(f"old-{number}" for number in range(64)))
    world.advance(1)
    young = await running(store, "young")
    claims = [claim for _ in range(64) for claim in await store.claim({ACCOUNT: 1}, LEASE)]
    assert young in {claim.operation_id for claim in claims}


# Listings.


async def test_operations_are_listed_newest_first_to_their_team(world: World, store: SqlOperationStore) -> None:
    """Pages lead through a team's operations and through no other's."""
    made = []
    for _ in range(3):
        made.append(await draft_of(store, "ann"))
        world.advance(1)
    await store.create(new(team="other-team"))
    first = await store.list(ACCOUNT, TEAM, 2, "")
    assert [each.operation_id for each in first.items] == [made[2].operation_id, made[1].operation_id]
    assert first.next_token is not None
    rest = await store.list(ACCOUNT, TEAM, 2, first.next_token)
    assert ([each.operation_id for each in rest.items], rest.next_token) == ([made[0].operation_id], None)
    assert (await store.list("210987654321", TEAM, 2, "")).items == ()
    error = await refusal(store.list(ACCOUNT, "other-team", 2, first.next_token))
    assert (error.reason, error.field_violations[0].field) == (Reason.INVALID_FIELD, "page_token")


@pytest.mark.parametrize("token", ["\0", "x", "٣"])
async def test_a_page_token_that_is_no_id_is_refused(store: SqlOperationStore, token: str) -> None:
    """A token that no page has answered is the caller's mistake, and no failure of the store."""
    error = await refusal(store.list(ACCOUNT, TEAM, 2, token))
    assert (error.reason, error.field_violations[0].field) == (Reason.INVALID_FIELD, "page_token")


async def test_a_page_of_results_is_no_larger_than_a_message(
    store: SqlOperationStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Large results end a page early, each page has one at least, and no user is left out."""
    operation = await planned(store, "ann", "bo", "cy")
    monkeypatch.setattr("identity_service.adapters.store.operations.PAGE_CHARACTERS", 10)
    found: list[str] = []
    after = -1
    for _ in range(3):
        page = await store.results(operation.operation_id, 2, after, failed_only=False)
        found += [result.user_name for result in page.items]
        assert len(page.items) == 1
        after = int(page.next_token or "-1")
    assert (found, after) == (["ann", "bo", "cy"], -1)


async def test_old_operations_are_removed_with_their_users(world: World, store: SqlOperationStore) -> None:
    """What nobody has touched for the retention goes, unless it is active."""
    await draft_of(store, "ann")
    active = await running(store, "bo")
    world.advance(RETENTION_SECONDS + 1)
    fresh = await draft_of(store, "cy")
    assert await store.remove_old() == 1
    left = {each.operation_id for each in (await store.list(ACCOUNT, TEAM, 10, "")).items}
    assert left == {active, fresh.operation_id}
    (users,) = world.execute("SELECT count(*) AS users FROM operation_users")
    assert users["users"] == 2
