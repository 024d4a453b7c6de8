"""The way of a mutating request, from the caller's right to what is left after a failure."""

import asyncio
from dataclasses import replace
from uuid import uuid4

import pytest

from identity_service.domain import tags
from identity_service.domain.errors import IamError, IamErrorKind, IdentityError, Reason
from identity_service.domain.minting import MintKind, MintState
from identity_service.domain.outcome import Outcome
from identity_service.domain.plan import Plan
from identity_service.domain.request import (
    ConsolePassword,
    Credentials,
    InlinePolicy,
    NewUser,
    Permissions,
    UserChange,
    UserDeletion,
)
from identity_service.domain.secret import Secret
from tests.contract.fake_iam import ALLOW_NOTHING, FakeIam
from tests.unit.application.disturbances import Calm
from tests.unit.application.fakes import BOT, OTHER
from tests.unit.application.worlds import DENIED, LOST, OWNED, THROTTLED, World, key_of, replace_action

EVERYTHING = UserChange(
    "ana",
    new_user=NewUser("/people/", (("cost-center", "4711"),)),
    credentials=Credentials(access_key=True, console_password=ConsolePassword(require_reset=True)),
    permissions=Permissions(("Developers",), ("Deploy",), (InlinePolicy("nothing", ALLOW_NOTHING),), "Boundary"),
)


@pytest.fixture
def world() -> World:
    """Make a fresh world."""
    return World()


async def test_the_whole_wizard_makes_the_user_in_the_account(world: World) -> None:
    """One call leaves user, group, policies, boundary, tags, key and password in IAM, and answers the secrets."""
    outcome = await world.do(EVERYTHING)
    user = await world.iam.get_user("ana")
    assert user is not None
    assert outcome.user == user
    assert (user.path, user.boundary_arn) == ("/people/", "arn:aws:iam::123456789012:policy/Boundary")
    assert user.tags["cost-center"] == "4711"
    assert user.tags[tags.OWNER] == "people-team"
    assert [group.group_name for group in await world.iam.list_groups("ana")] == ["Developers"]
    attached = {policy.policy_name for policy in await world.iam.list_attached_policies("ana")}
    assert attached == {"Deploy", "IAMUserChangePassword"}
    assert set(await world.iam.list_inline_policies("ana")) == {"nothing"}
    assert outcome.credentials is not None
    (key,) = await world.iam.list_access_keys("ana")
    assert outcome.credentials.access_key is not None
    assert outcome.credentials.access_key.access_key_id == key.access_key_id
    assert outcome.credentials.password is not None
    assert outcome.credentials.password.password is not None
    assert outcome.credentials.password.password.reveal() == world.iam.passwords["ana"].reveal()
    assert outcome.sign_in_url == "https://123456789012.signin.aws.amazon.com/console"


@pytest.mark.parametrize("reissue", [False, True])
async def test_a_request_is_its_teams(world: World, reissue: bool) -> None:
    """A caller who acts for another team by now gets nothing of what it asked for in the name of the one before."""
    request_id = str(uuid4())
    await world.do(EVERYTHING, request_id=request_id)
    calls = len(world.iam.mutations)
    moved = replace(BOT, team=OTHER.team)
    error = await world.refused(EVERYTHING, caller=moved, request_id=request_id, reissue_secrets=reissue)
    assert error.reason is Reason.REQUEST_ID_REUSED
    assert len(world.iam.mutations) == calls


async def test_what_is_done_is_what_was_planned(world: World) -> None:
    """The calls that the account sees are the steps of the reviewed plan, one for one."""
    plan = await world.ask(EVERYTHING, validate_only=True)
    assert isinstance(plan, Plan)
    assert world.iam.mutations == []
    outcome = await world.do(EVERYTHING, expected_plan_digest=plan.digest)
    planned = [step.iam_action.removeprefix("iam:") for step in plan.steps]
    assert sorted(world.iam.operations) == sorted(planned)
    assert sorted(step.resource for step in outcome.steps) == sorted(step.resource for step in plan.steps)
    rounds = {step.iam_action.removeprefix("iam:"): step.round for step in plan.steps}
    seen = [rounds[operation] for operation in world.iam.operations]
    assert seen == sorted(seen)


async def test_a_review_writes_nothing(world: World) -> None:
    """`validate_only` leaves neither a row nor a trace in the account."""
    await world.ask(EVERYTHING, validate_only=True)
    assert world.iam.mutations == []
    assert world.ledger.rows == {}


async def test_a_plan_that_changed_since_its_review_is_aborted(world: World) -> None:
    """A group that came in between changes nothing unseen."""
    plan = await world.ask(EVERYTHING, validate_only=True)
    assert isinstance(plan, Plan)
    changed = replace(EVERYTHING, permissions=replace(EVERYTHING.permissions, group_names=()))
    error = await world.refused(changed, expected_plan_digest=plan.digest)
    assert error.reason is Reason.PLAN_CHANGED
    assert world.iam.mutations == []


async def test_nothing_is_read_for_a_caller_who_may_not_ask(world: World) -> None:
    """Refusal comes before the first look at the account, and is audited."""
    world.authorizer.forbidden_actions.add("ProvisionUser")
    error = await world.refused(EVERYTHING)
    assert error.reason is Reason.CALLER_NOT_ALLOWED
    assert world.iam.reads == []
    assert [denial.reason for denial in world.ledger.denials] == ["CALLER_NOT_ALLOWED"]


async def test_nothing_is_done_for_a_caller_who_may_not_have_it(world: World) -> None:
    """The expanded plan is judged before the first write; a review of it is refused as well."""
    world.authorizer.forbidden_steps.add("iam:CreateAccessKey")
    assert (await world.refused(EVERYTHING)).reason is Reason.CALLER_NOT_ALLOWED
    assert (await world.refused(EVERYTHING, validate_only=True)).reason is Reason.CALLER_NOT_ALLOWED
    assert world.iam.mutations == []
    assert world.ledger.rows == {}


@pytest.mark.parametrize(
    "body",
    [
        UserDeletion("ana"),
        UserChange("ana", credentials=Credentials(access_key=True)),
        UserChange("ana", permissions=Permissions(group_names=("Developers",))),
    ],
)
@pytest.mark.parametrize("owner", [{}, {tags.OWNER: OTHER.team}])
async def test_a_user_of_somebody_else_is_not_touched(
    world: World, body: UserChange | UserDeletion, owner: dict[str, str]
) -> None:
    """Without the owner tag of the caller's team, nothing is changed, not even looked at in a plan."""
    world.iam.add_user("ana", tags=owner)
    assert (await world.refused(body)).reason is Reason.NOT_OWNER
    assert (await world.refused(body, validate_only=True)).reason is Reason.NOT_OWNER
    assert world.iam.mutations == []


async def test_a_user_who_is_there_is_never_adopted(world: World) -> None:
    """A user of that name, in other letter case too, is ALREADY_EXISTS and stays as it was."""
    world.iam.add_user("Ana", tags=OWNED)
    error = await world.refused(EVERYTHING)
    assert error.reason is Reason.USER_ALREADY_EXISTS
    assert world.iam.mutations == []


async def test_a_boundary_that_iam_drops_fails_closed(world: World) -> None:
    """A user whom IAM made without the boundary is deleted again before anything is granted."""
    world.iam.drop_boundary = True
    error = await world.refused(EVERYTHING)
    assert error.reason is Reason.BOUNDARY_NOT_KEPT
    assert error.metadata["remaining"] == "nothing"
    assert world.iam.operations == ["CreateUser", "DeleteUser"]


@pytest.mark.parametrize("after_effect", [False, True])
@pytest.mark.parametrize(
    "action",
    [
        "iam:CreateUser",
        "iam:AddUserToGroup",
        "iam:AttachUserPolicy",
        "iam:PutUserPolicy",
        "iam:CreateLoginProfile",
        "iam:CreateAccessKey",
    ],
)
async def test_a_failed_step_leaves_nothing(world: World, action: str, after_effect: bool) -> None:
    """Whichever step fails, before or after its effect, the account is as it was and the error says which."""
    fault = LOST if after_effect else DENIED
    world.iam.inject(action, replace_action(fault, action), after_effect=after_effect)
    error = await world.refused(EVERYTHING)
    assert await world.iam.get_user("ana") is None
    assert error.metadata["failed_step"] == action
    assert error.metadata["remaining"] == "nothing"
    assert error.reason is (Reason.AWS_UNAVAILABLE if after_effect else Reason.AWS_ACCESS_DENIED)


async def test_an_undo_puts_back_only_what_the_request_changed(world: World) -> None:
    """A user who was there keeps what was there; the failed request's own changes are gone."""
    world.iam.add_user("ana", tags=OWNED, boundary_arn="arn:aws:iam::123456789012:policy/Deploy")
    world.iam.add_inline_policy("ana", "nothing", ALLOW_NOTHING)
    other = ALLOW_NOTHING.replace("Deny", "Allow")
    asked = Permissions(("Developers",), ("Deploy",), (InlinePolicy("nothing", other),), "Boundary")
    world.iam.inject("iam:AddUserToGroup", replace_action(DENIED, "iam:AddUserToGroup"))
    await world.refused(UserChange("ana", permissions=asked))
    user = await world.iam.get_user("ana")
    assert user is not None
    assert user.boundary_arn == "arn:aws:iam::123456789012:policy/Deploy"
    assert await world.iam.list_groups("ana") == ()
    assert await world.iam.list_attached_policies("ana") == ()
    assert await world.iam.list_inline_policies("ana") == {"nothing": ALLOW_NOTHING}


async def test_what_cannot_be_undone_is_named(world: World) -> None:
    """Where AWS refuses the undo as well, the error says exactly what is left."""
    world.iam.inject("iam:CreateAccessKey", replace_action(DENIED, "iam:CreateAccessKey"))
    world.iam.inject("iam:DeleteUser", replace_action(DENIED, "iam:DeleteUser"))
    error = await world.refused(EVERYTHING)
    assert "create user ana" in error.metadata["remaining"]
    assert "iam:DeleteUser" in error.metadata["remaining"]


async def test_a_user_made_again_by_somebody_else_is_left_alone(world: World) -> None:
    """An undo checks the UserId: a namesake made meanwhile is not deleted."""

    async def made_again(user_name: str) -> None:
        for policy_name in await FakeIam.list_inline_policies(world.iam, user_name):
            await FakeIam.delete_user_policy(world.iam, user_name, policy_name)
        await FakeIam.delete_user(world.iam, user_name)
        world.iam.add_user(user_name)
        raise replace_action(DENIED, "iam:CreateAccessKey")

    world.iam.create_access_key = made_again  # type: ignore[method-assign,assignment]  # the rival acts in this call
    body = UserChange("ana", new_user=NewUser(), credentials=Credentials(access_key=True))
    error = await world.refused(body)
    assert await world.iam.get_user("ana") is not None
    assert "made again by somebody else" in error.metadata["remaining"]


async def test_a_key_of_unknown_origin_is_reported_and_kept(world: World) -> None:
    """After a lost answer, two new keys cannot be told apart, so neither is deleted."""
    world.iam.add_user("ana", tags=OWNED)

    async def two_keys(user_name: str) -> None:
        world.iam.add_access_key(user_name)
        world.iam.add_access_key(user_name)
        raise replace_action(LOST, "iam:CreateAccessKey")

    world.iam.create_access_key = two_keys  # type: ignore[method-assign,assignment]  # the rival acts in this call
    error = await world.refused(UserChange("ana", credentials=Credentials(access_key=True)))
    assert len(await world.iam.list_access_keys("ana")) == 2
    assert "cannot be told" in error.metadata["remaining"]


async def test_a_lost_answer_of_create_user_is_recognised_by_the_row_tag(world: World) -> None:
    """A second CreateUser that finds the first one's user goes on with it."""
    world.iam.inject(
        "iam:CreateUser",
        IamError(IamErrorKind.ALREADY_EXISTS, "iam:CreateUser", "EntityAlreadyExists", 409, "r"),
        after_effect=True,
    )
    outcome = await world.do(EVERYTHING)
    assert outcome.user == await world.iam.get_user("ana")


async def test_a_finished_request_is_answered_again_without_its_secrets(world: World) -> None:
    """The same request_id does nothing again, and answers the same without secrets."""
    request_id = str(uuid4())
    first = await world.do(EVERYTHING, request_id=request_id)
    calls = list(world.iam.mutations)
    again = await world.do(EVERYTHING, request_id=request_id)
    assert world.iam.mutations == calls
    assert again.replayed
    assert again.user == first.user
    assert again.credentials is not None
    assert again.credentials.secrets_withheld
    assert again.credentials.access_key is not None
    assert again.credentials.access_key.secret is None
    assert again.credentials.password is not None
    assert again.credentials.password.password is None


async def test_a_request_id_of_another_request_is_refused(world: World) -> None:
    """One request_id stands for one request."""
    request_id = str(uuid4())
    await world.do(EVERYTHING, request_id=request_id)
    error = await world.refused(UserChange("ana", new_user=NewUser()), request_id=request_id)
    assert error.reason is Reason.REQUEST_ID_REUSED


async def test_request_ids_are_scoped_by_caller(world: World) -> None:
    """Two callers may happen on the same id without hearing of each other."""
    request_id = str(uuid4())
    await world.do(EVERYTHING, request_id=request_id)
    other = UserChange("bo", new_user=NewUser())
    assert not (await world.do(other, caller=OTHER, request_id=request_id)).replayed


async def test_a_custom_password_is_no_part_of_the_fingerprint(world: World) -> None:
    """The same request with another custom password counts as the same: its digest must not tell the password."""
    request_id = str(uuid4())

    def with_password(value: str) -> UserChange:
        return replace(EVERYTHING, credentials=Credentials(console_password=ConsolePassword(Secret(value))))

    await world.do(with_password("Abcdefgh1!"), request_id=request_id)
    assert (await world.do(with_password("Zyxwvuts9?"), request_id=request_id)).replayed


async def test_a_permanent_failure_is_answered_again(world: World) -> None:
    """A refused request is not tried again under the same id."""
    request_id = str(uuid4())
    world.iam.inject("iam:AttachUserPolicy", replace_action(DENIED, "iam:AttachUserPolicy"))
    first = await world.refused(EVERYTHING, request_id=request_id)
    calls = list(world.iam.mutations)
    again = await world.refused(EVERYTHING, request_id=request_id)
    assert world.iam.mutations == calls
    assert (again.reason, again.metadata) == (first.reason, first.metadata)


async def test_a_passing_failure_may_be_tried_again(world: World) -> None:
    """After throttling everything is undone, and the same id works the next time."""
    request_id = str(uuid4())
    world.iam.inject("iam:AttachUserPolicy", replace_action(THROTTLED, "iam:AttachUserPolicy"))
    error = await world.refused(EVERYTHING, request_id=request_id)
    assert (error.reason, error.metadata["remaining"]) == (Reason.THROTTLED, "nothing")
    assert error.retry_after
    assert (await world.do(EVERYTHING, request_id=request_id)).user is not None


async def test_duplicates_at_once_have_one_effect(world: World) -> None:
    """Of fifty calls with one request_id at once, one does the work and the others are told so."""
    request_id = str(uuid4())
    results = await asyncio.gather(
        *(world.ask(EVERYTHING, request_id=request_id) for _ in range(50)), return_exceptions=True
    )
    assert world.iam.operations.count("CreateUser") == 1
    assert world.iam.operations.count("CreateAccessKey") == 1
    errors = [result for result in results if isinstance(result, IdentityError)]
    assert len(errors) == 49
    assert {error.reason for error in errors} == {Reason.IN_PROGRESS}


async def test_changes_of_one_user_come_one_after_the_other(world: World) -> None:
    """Four keys asked for at once: two are made, since each request sees what the one before it did."""
    world.iam.add_user("ana", tags=OWNED)
    change = UserChange("ANA", credentials=Credentials(access_key=True))
    results = await asyncio.gather(*(world.ask(change) for _ in range(4)), return_exceptions=True)
    assert [type(result) for result in results].count(Outcome) == 2
    assert len(await world.iam.list_access_keys("ana")) == 2
    assert world.iam.operations == ["CreateAccessKey", "CreateAccessKey"]


async def test_nothing_is_done_if_the_intent_cannot_be_written(world: World) -> None:
    """Not written, not done."""
    world.ledger.failing.add("begin")
    assert (await world.refused(EVERYTHING)).reason is Reason.STORE_UNAVAILABLE
    assert world.iam.mutations == []


async def test_what_was_minted_is_revoked_if_the_outcome_cannot_be_written(world: World) -> None:
    """A secret that no replay could account for does not stay."""
    world.ledger.failing.add("succeed")
    error = await world.refused(EVERYTHING)
    assert error.reason is Reason.STORE_UNAVAILABLE
    assert error.metadata["remaining"] == "nothing"
    assert await world.iam.get_user("ana") is None


async def test_the_stored_outcome_holds_no_secret(world: World) -> None:
    """What goes to the ledger has no secret in it."""
    await world.do(EVERYTHING)
    (row,) = world.ledger.rows.values()
    assert row.outcome is not None
    assert row.outcome == row.outcome.without_secrets()


async def test_a_retry_of_an_undone_request_is_the_same_row(world: World) -> None:
    """What was undone runs again under its row, so that its late calls are still known by their row tag."""
    request_id = str(uuid4())
    world.iam.inject("iam:AttachUserPolicy", replace_action(THROTTLED, "iam:AttachUserPolicy"))
    await world.refused(EVERYTHING, request_id=request_id)
    (before,) = world.ledger.intents
    await world.do(EVERYTHING, request_id=request_id)
    user = await world.iam.get_user("ana")
    assert user is not None
    assert list(world.ledger.intents) == [before]
    assert user.tags[tags.ROW] == before


async def test_mints_are_written_down_before_and_after(world: World) -> None:
    """Each credential is in the ledger before IAM is asked for it, and with its id afterwards."""
    calm = Calm()
    outcome = await world.do(EVERYTHING, process=world.start(calm), request_id=(request_id := str(uuid4())))
    writes = [moment.method for moment in calm.moments if moment.stage == "after"]
    for minting in ("create_access_key", "create_login_profile"):
        asked = writes.index(minting)
        assert "begin_mint" in writes[:asked]
        assert "record_mint" in writes[asked:]
    assert outcome.credentials is not None
    assert outcome.credentials.access_key is not None
    mints = {mint.kind: mint for mint in world.ledger.mints_of(key_of(request_id))}
    assert mints[MintKind.ACCESS_KEY].credential_id == outcome.credentials.access_key.access_key_id
    assert mints[MintKind.CONSOLE_PASSWORD].credential_id == "ana"
    assert {mint.state for mint in mints.values()} == {MintState.MADE}


async def test_a_deletion_takes_everything_off(world: World) -> None:
    """A user with one of everything is gone afterwards, groups and policies are not."""
    made = await world.do(EVERYTHING)
    world.iam.add_mfa_device("ana")
    world.iam.add_mfa_device("ana", virtual=False)
    world.iam.add_signing_certificate("ana")
    world.iam.add_ssh_public_key("ana")
    world.iam.add_service_specific_credential("ana")
    gone = await world.do(UserDeletion("ana"))
    assert await world.iam.get_user("ana") is None
    assert gone.user == made.user
    assert gone.steps[-1].iam_action == "iam:DeleteUser"
    assert await world.iam.get_group("Developers") is not None


async def test_a_cut_deletion_goes_on(world: World) -> None:
    """A deletion is never undone; the same request finishes it."""
    request_id = str(uuid4())
    await world.do(EVERYTHING)
    world.iam.inject("iam:RemoveUserFromGroup", replace_action(THROTTLED, "iam:RemoveUserFromGroup"))
    error = await world.refused(UserDeletion("ana"), request_id=request_id)
    assert "delete user ana" in error.metadata["remaining"]
    assert await world.iam.list_access_keys("ana") == ()
    await world.do(UserDeletion("ana"), request_id=request_id)
    assert await world.iam.get_user("ana") is None


async def test_what_is_gone_meanwhile_counts_as_deleted(world: World) -> None:
    """A key that somebody deletes between plan and call does not stop the deletion."""
    await world.do(EVERYTHING)
    world.iam.inject(
        "iam:DeleteAccessKey",
        IamError(IamErrorKind.NOT_FOUND, "iam:DeleteAccessKey", "NoSuchEntity", 404, "r"),
        after_effect=True,
    )
    outcome = await world.do(UserDeletion("ana"))
    assert [step.unchanged for step in outcome.steps if step.iam_action == "iam:DeleteAccessKey"] == [True]


async def test_an_absent_user_is_not_found(world: World) -> None:
    """Deleting or changing nobody is NOT_FOUND and leaves no row."""
    for body in (UserDeletion("nobody"), UserChange("nobody", credentials=Credentials(access_key=True))):
        error = await world.refused(body)
        assert error.reason is Reason.USER_NOT_FOUND
        assert error.field_violations[0].field == "user_name"
    assert world.ledger.rows == {}


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (IamErrorKind.THROTTLED, Reason.THROTTLED),
        (IamErrorKind.UNAVAILABLE, Reason.AWS_UNAVAILABLE),
        (IamErrorKind.ACCESS_DENIED, Reason.AWS_ACCESS_DENIED),
        (IamErrorKind.CREDENTIALS_REFUSED, Reason.AWS_CREDENTIALS_REFUSED),
    ],
)
async def test_an_account_that_cannot_be_read_is_said_to_be(world: World, kind: IamErrorKind, reason: Reason) -> None:
    """Unreachable AWS, refused credentials and throttling are typed errors, and nothing is done."""
    world.iam.inject("iam:GetAccountSummary", IamError(kind, "iam:GetAccountSummary"))
    assert (await world.refused(EVERYTHING)).reason is reason
    assert world.iam.mutations == []


async def test_assigning_again_changes_nothing(world: World) -> None:
    """Assignment converges: the second time there is nothing to do, and the answer says so."""
    world.iam.add_user("ana", tags=OWNED)
    change = UserChange("ana", permissions=replace(EVERYTHING.permissions, boundary="Boundary"))
    await world.do(change)
    calls = list(world.iam.mutations)
    again = await world.do(change)
    assert world.iam.mutations == calls
    assert len(again.steps) == 4
    assert all(step.unchanged for step in again.steps)
