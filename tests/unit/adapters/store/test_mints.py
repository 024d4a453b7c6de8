"""What the ledger knows of credentials that were asked of IAM."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from identity_service.adapters.store import SqlLedger
from identity_service.application.ledger import Claim, Intent, RequestKey
from identity_service.domain.entities import UserRecord
from identity_service.domain.minting import Mint, MintKind, MintState
from identity_service.domain.outcome import Outcome
from identity_service.domain.steps import DeleteLoginProfile
from tests.unit.adapters.store.expected import PERMANENT, RETRYABLE, assert_lost
from tests.unit.adapters.store.worlds import LEASE_SECONDS, SECOND_LOOK_SECONDS, World

MakeIntent = Callable[..., Intent]
BEGAN = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)


async def take_over(ledger: SqlLedger, world: World, key: RequestKey) -> Claim:
    """Let the lease of a request run out and take it over."""
    world.advance(LEASE_SECONDS)
    claim = await ledger.take_over(key)
    assert claim is not None
    return claim


def known(mints: tuple[Mint, ...]) -> list[tuple[MintKind, int, MintState, str]]:
    """Return what is known of mints, but for their ids and times."""
    return [(mint.kind, mint.epoch, mint.state, mint.credential_id) for mint in mints]


async def test_a_mint_is_written_down_before_it_is_asked_for(
    ledger: SqlLedger, world: World, make_intent: MakeIntent
) -> None:
    """Whoever takes over knows of a call that nobody has an answer to, and when it was begun."""
    intent = make_intent()
    first = await ledger.begin(intent)
    mint = await ledger.begin_mint(first.lease, MintKind.ACCESS_KEY)
    assert (mint.epoch, mint.state, mint.credential_id) == (1, MintState.UNANSWERED, "")
    assert mint.begun_at.tzinfo is not None
    assert (await take_over(ledger, world, intent.key)).mints == (mint,)


async def test_mints_of_all_attempts_are_kept_in_order(
    ledger: SqlLedger, world: World, make_intent: MakeIntent
) -> None:
    """A claim has the mints of every attempt, oldest first, each with what became of it."""
    intent = make_intent()
    first = await ledger.begin(intent)
    password = await ledger.begin_mint(first.lease, MintKind.CONSOLE_PASSWORD)
    key = await ledger.begin_mint(first.lease, MintKind.ACCESS_KEY)
    await ledger.record_mint(first.lease, key, "AKIAONE")
    second = await take_over(ledger, world, intent.key)
    await ledger.void_mints(second.lease, second.mints)
    made = await ledger.begin_mint(second.lease, MintKind.MFA_DEVICE)
    await ledger.record_mint(second.lease, made, "arn:aws:iam::123456789012:mfa/ann")
    third = await take_over(ledger, world, intent.key)
    assert known(third.mints) == [
        (MintKind.CONSOLE_PASSWORD, 1, MintState.VOID, ""),
        (MintKind.ACCESS_KEY, 1, MintState.VOID, "AKIAONE"),
        (MintKind.MFA_DEVICE, 2, MintState.MADE, "arn:aws:iam::123456789012:mfa/ann"),
    ]
    assert [mint.mint_id for mint in third.mints][:2] == [password.mint_id, key.mint_id]


async def test_an_undone_request_keeps_its_mints(ledger: SqlLedger, make_intent: MakeIntent) -> None:
    """The next attempt knows of a key that may still appear."""
    first = await ledger.begin(make_intent())
    mint = await ledger.begin_mint(first.lease, MintKind.ACCESS_KEY)
    await ledger.fail(first.lease, RETRYABLE)
    assert (await ledger.begin(make_intent())).mints == (mint,)


async def test_credentials_of_other_requests_are_known(ledger: SqlLedger, make_intent: MakeIntent) -> None:
    """Told are the keys and the answered passwords that others made for the user in any letter case, no one else's."""
    others = {"row-2": ("Ann", "123456789012"), "row-3": ("Bob", "123456789012"), "row-4": ("Ann", "210987654321")}
    for row_id, (user_name, account_id) in others.items():
        claim = await ledger.begin(make_intent(row_id, request_id=row_id, user_name=user_name, account_id=account_id))
        await ledger.record_mint(
            claim.lease, await ledger.begin_mint(claim.lease, MintKind.ACCESS_KEY), f"AKIA-{row_id}"
        )
        password = await ledger.begin_mint(claim.lease, MintKind.CONSOLE_PASSWORD)
        await ledger.record_mint(claim.lease, password, user_name)
        await ledger.begin_mint(claim.lease, MintKind.ACCESS_KEY)
        await ledger.begin_mint(claim.lease, MintKind.CONSOLE_PASSWORD)
        user = UserRecord(user_name, f"AIDA-{row_id}", f"arn:aws:iam::{account_id}:user/{user_name}", "/", BEGAN)
        await ledger.succeed(claim.lease, Outcome(user=user))
    claim = await ledger.begin(make_intent(user_name="ANN"))
    assert claim.other_key_ids == {"AKIA-row-2"}
    (other,) = claim.other_passwords
    assert (other.mint.kind, other.mint.state) == (MintKind.CONSOLE_PASSWORD, MintState.MADE)
    assert (other.mint.credential_id, other.user_id) == ("Ann", "AIDA-row-2")


def pass_a_second(world: World) -> None:
    """Let what comes next be later; where the database tells the time, it is anyhow."""
    world.clock.now += timedelta(seconds=1)


@pytest.mark.parametrize(("state", "known_still"), [("done", 0), ("failed", 1)])
async def test_a_password_that_was_taken_since_counts_no_more(
    ledger: SqlLedger, world: World, make_intent: MakeIntent, state: str, known_still: int
) -> None:
    """Not once another request has ended console access; one that has failed at it proves nothing."""
    first = await ledger.begin(make_intent("first", request_id="first"))
    await ledger.record_mint(first.lease, await ledger.begin_mint(first.lease, MintKind.CONSOLE_PASSWORD), "Ann")
    await ledger.succeed(first.lease, Outcome())
    pass_a_second(world)
    taking = make_intent("taking", request_id="taking")
    step = DeleteLoginProfile(user_name="Ann", user_arn="arn:aws:iam::123456789012:user/Ann", round=1)
    taker = await ledger.begin(replace(taking, plan=replace(taking.plan, steps=(step,))))
    await (ledger.succeed(taker.lease, Outcome()) if state == "done" else ledger.fail(taker.lease, PERMANENT))
    pass_a_second(world)
    assert len((await ledger.begin(make_intent())).other_passwords) == known_still


async def test_a_password_that_was_set_after_one_was_taken_counts(
    ledger: SqlLedger, world: World, make_intent: MakeIntent
) -> None:
    """The end of console access says nothing of a password that another request has set since."""
    taking = make_intent("taking", request_id="taking")
    step = DeleteLoginProfile(user_name="Ann", user_arn="arn:aws:iam::123456789012:user/Ann", round=1)
    taker = await ledger.begin(replace(taking, plan=replace(taking.plan, steps=(step,))))
    await ledger.succeed(taker.lease, Outcome())
    pass_a_second(world)
    later = await ledger.begin(make_intent("later", request_id="later"))
    await ledger.record_mint(later.lease, await ledger.begin_mint(later.lease, MintKind.CONSOLE_PASSWORD), "Ann")
    await ledger.succeed(later.lease, Outcome())
    assert len((await ledger.begin(make_intent())).other_passwords) == 1


async def test_a_second_look_settles_mints(ledger: SqlLedger, world: World, make_intent: MakeIntent) -> None:
    """It may write down what became of them, and begins none."""
    claim = await ledger.begin(make_intent())
    await ledger.begin_mint(claim.lease, MintKind.ACCESS_KEY)
    await ledger.fail(claim.lease, PERMANENT, look_again=True)
    world.advance(SECOND_LOOK_SECONDS)
    look = await ledger.claim_second_look()
    assert look is not None
    await ledger.record_mint(look.lease, look.mints[0], "AKIAFOUND")
    await ledger.void_mints(look.lease, look.mints)
    assert world.execute("SELECT state, credential_id FROM mints") == [{"state": "void", "credential_id": "AKIAFOUND"}]
    await assert_lost(ledger.begin_mint(look.lease, MintKind.ACCESS_KEY), look.lease)


async def test_another_requests_mint_is_not_touched(ledger: SqlLedger, make_intent: MakeIntent) -> None:
    """A mint that is not the request's is a mistake of the program, and nothing is written."""
    mine = await ledger.begin(make_intent())
    other = await ledger.begin(make_intent("row-2", request_id="request-2", user_name="Bob"))
    mint = await ledger.begin_mint(other.lease, MintKind.ACCESS_KEY)
    with pytest.raises(LookupError):
        await ledger.record_mint(mine.lease, mint, "AKIAONE")
    with pytest.raises(LookupError):
        await ledger.void_mints(mine.lease, (replace(mint, mint_id="no-such-mint"),))


async def test_mints_go_with_their_request(ledger: SqlLedger, world: World, make_intent: MakeIntent) -> None:
    """A request that is removed leaves none behind."""
    claim = await ledger.begin(make_intent())
    await ledger.begin_mint(claim.lease, MintKind.ACCESS_KEY)
    await ledger.succeed(claim.lease, Outcome())
    world.advance(1e6)
    assert await ledger.remove_old() == 1
    assert world.execute("SELECT mint_id FROM mints") == []


async def test_a_password_is_known_by_its_user(ledger: SqlLedger, make_intent: MakeIntent) -> None:
    """The user's id is the plan's or the outcome's; of a request that made its user and failed, none is known."""
    intent = make_intent("there", request_id="there")
    ends = {
        "there": (replace(intent, plan=replace(intent.plan, user_id="AIDATHERE")), Outcome()),
        "userless": (make_intent("userless", request_id="userless"), Outcome()),
        "failed": (make_intent("failed", request_id="failed"), None),
    }
    for begun, outcome in ends.values():
        claim = await ledger.begin(begun)
        password = await ledger.begin_mint(claim.lease, MintKind.CONSOLE_PASSWORD)
        await ledger.record_mint(claim.lease, password, "Ann")
        await (ledger.succeed(claim.lease, outcome) if outcome else ledger.fail(claim.lease, PERMANENT))
    found = (await ledger.begin(make_intent())).other_passwords
    assert sorted(password.user_id for password in found) == ["", "", "AIDATHERE"]
