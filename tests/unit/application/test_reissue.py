"""Secrets whose answer was lost are issued again, to who says so and in time, unless somebody has them."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from identity_service.application.ports import Receipt
from identity_service.domain.entities import LoginProfileRecord
from identity_service.domain.errors import IdentityError, Reason
from identity_service.domain.outcome import IssuedCredentials, Outcome
from identity_service.domain.request import (
    ConsolePassword,
    Credentials,
    NewUser,
    PermissionRevocation,
    Permissions,
    UserChange,
    UserDeletion,
    UserUpdate,
    VirtualMfaDevice,
)
from identity_service.domain.secret import Secret
from tests.unit.application.disturbances import Death, Killed, Moment
from tests.unit.application.fake_ledger import LEASE_SECONDS, RETRY_WINDOW_SECONDS
from tests.unit.application.fakes import BOT, OTHER
from tests.unit.application.worlds import DENIED, LOST, RECIPIENT, THROTTLED, World, key_of, replace_action, unseen

BODY = UserChange(
    "ana",
    new_user=NewUser(),
    credentials=Credentials(access_key=True, console_password=ConsolePassword(), mfa_device=VirtualMfaDevice("phone")),
)


@pytest.fixture
def world() -> World:
    """Make a fresh world."""
    return World()


async def test_secrets_are_minted_anew(world: World) -> None:
    """Inside of the window the old key is gone, the new secrets work, and the user and its grants are the same."""
    request_id = str(uuid4())
    first = await world.do(BODY, request_id=request_id)
    (old,) = world.iam.key_ids("ana")
    before = world.iam.contents()
    again = await world.do(BODY, request_id=request_id, reissue_secrets=True)
    assert world.iam.contents() == before
    assert old not in world.iam.key_ids("ana")
    world.assert_secrets_work(again)
    assert not again.replayed
    assert first.user == again.user


async def test_it_may_be_said_more_than_once(world: World) -> None:
    """Each time one set of secrets is there, the last one's; the window counts from the first."""
    request_id = str(uuid4())
    await world.do(BODY, request_id=request_id)
    for _ in range(3):
        world.clock.advance(RETRY_WINDOW_SECONDS / 4)
        again = await world.do(BODY, request_id=request_id, reissue_secrets=True)
        world.assert_secrets_work(again)
        assert len(world.iam.key_ids("ana")) == 1
    world.clock.advance(RETRY_WINDOW_SECONDS / 3)
    late = await world.do(BODY, request_id=request_id, reissue_secrets=True)
    assert late.replayed
    assert late.credentials is not None
    assert late.credentials.secrets_withheld
    world.assert_secrets_work(again)


async def test_without_being_said_nothing_is_minted(world: World) -> None:
    """A queue's second delivery gets the outcome with its secrets withheld, and harms nobody."""
    request_id = str(uuid4())
    await world.do(BODY, request_id=request_id)
    calls = len(world.iam.mutations)
    again = await world.do(BODY, request_id=request_id)
    assert again.credentials is not None
    assert again.credentials.secrets_withheld
    assert len(world.iam.mutations) == calls


async def test_outside_of_the_window_they_stay_withheld(world: World) -> None:
    """Who comes too late gets the outcome without secrets."""
    request_id = str(uuid4())
    await world.do(BODY, request_id=request_id)
    calls = len(world.iam.mutations)
    world.clock.advance(RETRY_WINDOW_SECONDS + 1)
    again = await world.do(BODY, request_id=request_id, reissue_secrets=True)
    assert again.replayed
    assert again.credentials is not None
    assert again.credentials.secrets_withheld
    assert len(world.iam.mutations) == calls


async def test_sealed_secrets_are_never_minted_anew(world: World) -> None:
    """The stored text is the answer, whatever the caller says: nothing was lost."""
    request_id = str(uuid4())
    first = await world.do(BODY, request_id=request_id, recipients=(RECIPIENT,))
    again = await world.do(BODY, request_id=request_id, recipients=(RECIPIENT,), reissue_secrets=True)
    assert again.credentials == first.credentials
    assert again.replayed
    world.assert_secrets_work(again)


def use_key(world: World) -> None:
    """Use the access key."""
    world.iam.use_key(world.iam.key_ids("ana")[0])


def use_password(world: World) -> None:
    """Sign in."""
    world.iam.use_password("ana")


def use_device(world: World) -> None:
    """Enable the device."""
    (serial,) = world.iam._virtual_mfa_devices
    devices = world.iam._users["ana"].mfa_devices
    world.iam.add_mfa_device("ana", virtual=False)
    (enabled,) = devices
    devices[:] = [type(enabled)(serial, enabled.enabled_at)]


@pytest.mark.parametrize("use", [use_key, use_password, use_device])
async def test_what_was_used_is_left(world: World, use: Callable[[World], None]) -> None:
    """A sign of use means that somebody has the secrets: all stays as it is, and the caller is told, each time."""
    request_id = str(uuid4())
    await world.do(BODY, request_id=request_id)
    use(world)
    calls = len(world.iam.mutations)
    for _ in range(2):
        error = await world.refused(BODY, request_id=request_id, reissue_secrets=True)
        assert error.reason is Reason.CREDENTIAL_USED
    assert len(world.iam.mutations) == calls
    again = await world.do(BODY, request_id=request_id)
    assert again.replayed
    assert world.ledger.locked == set()
    await world.look_again()
    assert len(world.iam.key_ids("ana")) == 1


async def test_a_use_of_an_earlier_password_is_no_use_of_this_one(world: World) -> None:
    """Only a sign-in since the password was made tells that somebody has it."""
    world.iam.add_user("bo", tags={"identity-provisioning:owner": BOT.team})
    world.iam.use_password("bo")
    world.clock.advance(1)
    body = UserChange("bo", credentials=Credentials(console_password=ConsolePassword()))
    request_id = str(uuid4())
    await world.do(body, request_id=request_id)
    world.assert_secrets_work(await world.do(body, request_id=request_id, reissue_secrets=True), "bo")


async def test_another_request_under_the_id_is_refused(world: World) -> None:
    """Saying that secrets were lost does not let an id stand for another request."""
    request_id = str(uuid4())
    await world.do(BODY, request_id=request_id)
    other = UserChange("ana", new_user=NewUser("/other/"), credentials=BODY.credentials)
    error = await world.refused(other, request_id=request_id, reissue_secrets=True)
    assert error.reason is Reason.REQUEST_ID_REUSED


async def test_the_same_id_of_another_caller_is_another_request(world: World) -> None:
    """Nobody gets another caller's secrets by its request id."""
    request_id = str(uuid4())
    await world.do(BODY, request_id=request_id)
    error = await world.refused(BODY, caller=OTHER, request_id=request_id, reissue_secrets=True)
    assert error.reason is Reason.USER_ALREADY_EXISTS
    bo = UserChange("bo", new_user=NewUser(), credentials=Credentials(access_key=True))
    world.assert_secrets_work(await world.do(bo, caller=OTHER, request_id=request_id, reissue_secrets=True), "bo")
    assert {key_of(request_id), key_of(request_id, OTHER)} <= set(world.ledger.rows)


async def test_who_may_not_have_it_any_more_gets_nothing(world: World) -> None:
    """The right is asked for again: a caller who lost it gets no new secrets."""
    request_id = str(uuid4())
    await world.do(BODY, request_id=request_id)
    calls = len(world.iam.mutations)
    world.authorizer.forbidden_steps.add("iam:CreateAccessKey")
    error = await world.refused(BODY, request_id=request_id, reissue_secrets=True)
    assert error.reason is Reason.CALLER_NOT_ALLOWED
    assert len(world.iam.mutations) == calls


async def test_it_waits_for_another_request_on_the_user(world: World) -> None:
    """While another change of the user runs, secrets are not issued again."""
    request_id = str(uuid4())
    await world.do(BODY, request_id=request_id)
    lease_holder = UserChange("ana", credentials=Credentials(access_key=True))
    real = world.iam.create_access_key
    told: list[Reason] = []

    async def meanwhile(user_name: str) -> object:
        error = await world.refused(BODY, process=world.start(), request_id=request_id, reissue_secrets=True)
        told.append(error.reason)
        return await real(user_name)

    world.iam.create_access_key = meanwhile  # type: ignore[method-assign,assignment]  # the rival comes at this moment
    await world.do(lease_holder)
    assert told == [Reason.IN_PROGRESS]


@pytest.mark.parametrize("processes", [1, 5])
async def test_fifty_callers_have_one_effect(world: World, processes: int) -> None:
    """Of fifty calls at once one gets the secrets; the others are sent away or get the outcome without them."""
    request_id = str(uuid4())
    servers = [world.start() for _ in range(processes)]
    answers = await asyncio.gather(
        *(world.ask(BODY, process=servers[n % processes], request_id=request_id) for n in range(50)),
        return_exceptions=True,
    )
    outcomes = [answer for answer in answers if isinstance(answer, Outcome)]
    told = [outcome for outcome in outcomes if outcome.credentials and outcome.credentials.has_secrets]
    assert len(told) == 1
    world.assert_secrets_work(told[0])
    errors = [answer for answer in answers if isinstance(answer, IdentityError)]
    assert {error.reason for error in errors} == {Reason.IN_PROGRESS}
    assert len(errors) + len(outcomes) == 50
    assert world.iam.operations.count("CreateUser") == 1
    assert world.iam.operations.count("CreateAccessKey") == 1


@pytest.mark.parametrize("processes", [1, 5])
async def test_fifty_callers_who_lost_the_answer_have_one_set(world: World, processes: int) -> None:
    """However many say at once that secrets were lost, one set of them is there in the end, and it was told."""
    request_id = str(uuid4())
    await world.do(BODY, request_id=request_id)
    servers = [world.start() for _ in range(processes)]
    answers = await asyncio.gather(
        *(
            world.ask(BODY, process=servers[n % processes], request_id=request_id, reissue_secrets=True)
            for n in range(50)
        ),
        return_exceptions=True,
    )
    errors = {answer.reason for answer in answers if isinstance(answer, IdentityError)}
    assert errors == {Reason.IN_PROGRESS}
    outcomes = [answer for answer in answers if isinstance(answer, Outcome)]
    assert len(world.iam.key_ids("ana")) == 1
    held = [
        outcome
        for outcome in outcomes
        if outcome.credentials
        and outcome.credentials.access_key
        and outcome.credentials.access_key.access_key_id in world.iam.key_ids("ana")
    ]
    assert len(held) == 1
    world.assert_secrets_work(held[0])


WITH_KEY = UserChange("ana", new_user=NewUser(), credentials=Credentials(access_key=True))


@pytest.mark.parametrize("body", [BODY, WITH_KEY], ids=["all", "key"])
async def test_a_deleted_user_is_not_made_again(world: World, body: UserChange) -> None:
    """Who lost the secrets of a user that was deleted meanwhile is told so, and the user stays deleted."""
    request_id = str(uuid4())
    await world.do(body, request_id=request_id)
    await world.do(UserDeletion("ana"))
    error = await world.refused(body, request_id=request_id, reissue_secrets=True)
    assert error.reason is Reason.USER_NOT_FOUND
    assert await world.iam.get_user("ana") is None
    assert (await world.do(body, request_id=request_id)).replayed


@pytest.mark.parametrize("body", [BODY, WITH_KEY], ids=["all", "key"])
async def test_a_renamed_user_is_not_made_twice(world: World, body: UserChange) -> None:
    """The user has another name by now: nobody is made under the old one."""
    request_id = str(uuid4())
    await world.do(body, request_id=request_id)
    await world.do(UserUpdate("ana", "ana.lima"))
    calls = len(world.iam.mutations)
    error = await world.refused(body, request_id=request_id, reissue_secrets=True)
    assert error.reason is Reason.USER_NOT_FOUND
    assert len(world.iam.mutations) == calls


async def test_a_user_that_is_not_seen_yet_is_not_taken_for_gone(world: World) -> None:
    """Where IAM lags, a first look may find nobody: the user is looked for again, and its secrets are made anew."""
    request_id = str(uuid4())
    await world.do(BODY, request_id=request_id)
    unseen(world, "get_user", 1)
    again = await world.do(BODY, request_id=request_id, reissue_secrets=True)
    world.assert_secrets_work(again)
    assert len(world.iam.key_ids("ana")) == 1


async def test_an_iam_that_cannot_tell_of_use_is_asked_later(world: World) -> None:
    """Nothing is touched as long as nobody can say whether the secrets were used; who goes on asks again."""
    request_id = str(uuid4())
    await world.do(BODY, request_id=request_id)
    world.iam.inject("iam:GetAccessKeyLastUsed", replace_action(THROTTLED, "iam:GetAccessKeyLastUsed"))
    calls = len(world.iam.mutations)
    error = await world.refused(BODY, request_id=request_id, reissue_secrets=True)
    assert error.reason is Reason.THROTTLED
    assert len(world.iam.mutations) == calls
    use_key(world)
    await world.take_over()
    assert len(world.iam.mutations) == calls
    assert (await world.do(BODY, request_id=request_id)).replayed


@pytest.mark.parametrize("used", [False, True])
async def test_a_reissue_is_ended_whenever_its_process_dies(used: bool) -> None:
    """A death in the middle leaves one set of credentials for the caller's next retry, and never a used one less."""
    at, died = 0, True
    while died:
        world, request_id, death = World(), str(uuid4()), Death(at)
        await world.do(BODY, request_id=request_id)
        expected, keys, calls = world.iam.contents(), world.iam.key_ids("ana"), len(world.iam.mutations)
        with suppress(Killed):
            await world.do(BODY, process=world.start(death), request_id=request_id, reissue_secrets=True)
        died = death.dead
        if used and len(world.iam.mutations) == calls:
            use_key(world)
            await world.take_over()
            assert world.iam.key_ids("ana") == keys, at
        else:
            await world.take_over()
            again = await world.do(BODY, process=world.start(), request_id=request_id, reissue_secrets=True)
            world.assert_secrets_work(again)
        await world.look_again()
        assert world.iam.contents() == expected, at
        at += 1
    assert at > 20


async def test_what_was_revoked_meanwhile_stays_revoked(world: World) -> None:
    """Only secrets are made again: a grant that was taken away after the request was done does not come back."""
    body = replace(BODY, permissions=Permissions(("Developers",), ("Deploy",)))
    request_id = str(uuid4())
    await world.do(body, request_id=request_id)
    await world.do(PermissionRevocation("ana", ("Developers",), ("Deploy",)))
    again = await world.do(body, request_id=request_id, reissue_secrets=True)
    world.assert_secrets_work(again)
    assert await world.iam.list_groups("ana") == ()
    assert await world.iam.list_attached_policies("ana") == ()
    assert again.user == await world.iam.get_user("ana")


@pytest.mark.parametrize("after_effect", [False, True])
@pytest.mark.parametrize("action", ["iam:CreateAccessKey", "iam:CreateLoginProfile", "iam:CreateVirtualMFADevice"])
async def test_a_reissue_that_fails_can_be_asked_for_again(world: World, action: str, after_effect: bool) -> None:
    """The request stays done and its user as it is; the next reissue leaves one set of credentials that work."""
    request_id = str(uuid4())
    await world.do(BODY, request_id=request_id)
    expected = world.iam.contents()
    world.iam.inject(action, replace_action(LOST, action), after_effect=after_effect)
    error = await world.refused(BODY, request_id=request_id, reissue_secrets=True)
    assert error.reason is Reason.AWS_UNAVAILABLE
    assert (await world.do(BODY, request_id=request_id)).replayed
    again = await world.do(BODY, request_id=request_id, reissue_secrets=True)
    world.assert_secrets_work(again)
    assert world.iam.contents() == expected
    await world.look_again()
    assert world.iam.contents() == expected


def refuse_password(world: World) -> None:
    """Let IAM refuse the next reissue's last credential for good."""
    world.iam.inject("iam:CreateLoginProfile", replace_action(DENIED, "iam:CreateLoginProfile"))


def assert_revoked(outcome: Outcome) -> None:
    """Expect that an outcome names no credential, and says that there were secrets."""
    assert outcome.credentials == IssuedCredentials(secrets_withheld=True)


async def test_a_reissue_that_fails_leaves_no_key_that_nobody_holds(world: World) -> None:
    """The key that it has made goes again, and the outcome names no credential until another reissue makes them."""
    request_id = str(uuid4())
    await world.do(BODY, request_id=request_id)
    refuse_password(world)
    error = await world.refused(BODY, request_id=request_id, reissue_secrets=True)
    assert (error.reason, error.metadata["remaining"]) == (Reason.AWS_ACCESS_DENIED, "nothing")
    assert world.iam.key_ids("ana") == []
    assert_revoked(await world.do(BODY, request_id=request_id))
    again = await world.do(BODY, request_id=request_id, reissue_secrets=True)
    world.assert_secrets_work(again)
    await world.look_again()
    world.assert_secrets_work(again)


async def test_a_reissue_that_cannot_revoke_what_it_made_is_not_ended(world: World) -> None:
    """IAM is busy at that moment: the request rests, and the worker leaves nothing that nobody is told of."""
    request_id = str(uuid4())
    await world.do(BODY, request_id=request_id)
    delete, made_then = world.iam.delete_access_key, set(world.iam.key_ids("ana"))

    async def deleting(user_name: str, key_id: str) -> Receipt:
        if key_id not in made_then:
            world.iam.delete_access_key = delete  # type: ignore[method-assign]  # IAM is busy only once
            raise replace_action(THROTTLED, "iam:DeleteAccessKey")
        return await delete(user_name, key_id)

    world.iam.delete_access_key = deleting  # type: ignore[method-assign,assignment]  # of the new key alone
    refuse_password(world)
    error = await world.refused(BODY, request_id=request_id, reissue_secrets=True)
    assert "not revoked" in error.metadata["remaining"]
    await world.take_over()
    again = await world.do(BODY, request_id=request_id)
    assert again.credentials is not None
    assert again.credentials.access_key is not None
    assert world.iam.key_ids("ana") == [again.credentials.access_key.access_key_id]


async def test_a_key_that_could_not_be_revoked_is_looked_for_again(world: World) -> None:
    """AWS refuses for good: the request ends as done and says what remains, and the second look deletes the key."""
    request_id = str(uuid4())
    await world.do(BODY, request_id=request_id)
    denied = replace_action(DENIED, "iam:DeleteAccessKey")
    create = world.iam.create_login_profile

    async def creating(*args: Any) -> Receipt:
        world.iam.create_login_profile = create  # type: ignore[method-assign]  # only once
        world.iam.inject("iam:DeleteAccessKey", denied)
        raise replace_action(DENIED, "iam:CreateLoginProfile")

    world.iam.create_login_profile = creating  # type: ignore[method-assign,assignment]  # the role loses both rights
    error = await world.refused(BODY, request_id=request_id, reissue_secrets=True)
    assert "not revoked" in error.metadata["remaining"]
    assert len(world.iam.key_ids("ana")) == 1
    await world.look_again()
    assert world.iam.key_ids("ana") == []


async def test_a_reissue_whose_caller_stays_away_leaves_no_key(world: World) -> None:
    """It dies with a custom password on the way, and the window passes: what it minted is revoked by the worker."""
    request_id, custom = str(uuid4()), ConsolePassword(custom=Secret("Correct-Horse-7"))
    body = replace(BODY, credentials=Credentials(access_key=True, console_password=custom))
    await world.do(body, request_id=request_id)
    with suppress(Killed):
        await world.do(body, request_id=request_id, reissue_secrets=True, process=world.start(DeathAfterMint()))
    assert len(world.iam.key_ids("ana")) == 1
    world.clock.advance(RETRY_WINDOW_SECONDS + LEASE_SECONDS + 1)
    await world.start().do_work()
    assert world.iam.key_ids("ana") == []
    assert_revoked(await world.do(body, request_id=request_id))


class DeathAfterMint:
    """The process dies when its first mint is written down."""

    def __init__(self) -> None:
        self._dead = False

    async def reach(self, moment: Moment) -> None:
        """Die, and stay dead."""
        self._dead = self._dead or moment == Moment("store", "record_mint", "after")
        if self._dead:
            raise Killed


@pytest.mark.parametrize("times", [1, 2])
async def test_a_password_that_a_late_deletion_has_taken_is_not_handed_out(world: World, times: int) -> None:
    """A deletion of an attempt before lands right after the new password was set: the caller is told to ask again."""
    request_id = str(uuid4())
    await world.do(BODY, request_id=request_id)
    create = world.iam.create_login_profile

    async def creating(*args: Any) -> Receipt:
        receipt = await create(*args)
        await world.iam.delete_login_profile("ana")
        return receipt

    world.iam.create_login_profile = creating  # type: ignore[method-assign,assignment]  # a late deletion follows it
    for _ in range(times):
        error = await world.refused(BODY, request_id=request_id, reissue_secrets=True)
        assert (error.reason, error.metadata["failed_step"]) == (Reason.CONFLICT, "iam:CreateLoginProfile")
    world.iam.create_login_profile = create  # type: ignore[method-assign]  # nothing is on its way any more
    world.assert_secrets_work(await world.do(BODY, request_id=request_id, reissue_secrets=True))


async def test_a_password_that_is_not_seen_yet_is_not_taken_for_deleted(world: World) -> None:
    """IAM's replica lags behind the call that has just set it: absence is believed at the second sight only."""
    request_id = str(uuid4())
    await world.do(BODY, request_id=request_id)
    real = world.iam.get_login_profile

    async def lagging(user_name: str) -> LoginProfileRecord | None:
        return await real(user_name) if world.waits else None

    create = world.iam.create_login_profile

    async def creating(*args: Any) -> Receipt:
        receipt = await create(*args)
        world.waits.clear()
        world.iam.get_login_profile = lagging  # type: ignore[method-assign]  # it has not arrived there
        return receipt

    world.iam.create_login_profile = creating  # type: ignore[method-assign,assignment]  # from then on reads lag
    world.assert_secrets_work(await world.do(BODY, request_id=request_id, reissue_secrets=True))
