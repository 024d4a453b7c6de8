"""The sweep: what the account has and the store does not vouch for."""

from dataclasses import replace
from datetime import timedelta
from typing import cast

import pytest

from identity_service.application.ledger import Ledger, RequestState
from identity_service.application.ports import IamAccount
from identity_service.application.sweep import PAGE_SIZE, Sweep, unfinished_elsewhere
from identity_service.domain import tags
from identity_service.domain.entities import Page, UserRecord
from identity_service.domain.errors import IdentityError, Reason
from identity_service.domain.request import (
    Credentials,
    NewGroup,
    NewPolicy,
    NewUser,
    Permissions,
    UserChange,
    UserDeletion,
    VirtualMfaDevice,
)
from identity_service.domain.sweep import Finding, FindingKind
from tests.contract.fake_iam import ALLOW_NOTHING
from tests.unit.application.disturbances import Calm, Death, Killed
from tests.unit.application.fake_ledger import FakeLedger
from tests.unit.application.fakes import BOT
from tests.unit.application.worlds import DENIED, OWNED, World, key_of, replace_action

STRANGE = {**OWNED, tags.ROW: "no-such-row"}
EVERYTHING = UserChange(
    "ana",
    new_user=NewUser(),
    credentials=Credentials(access_key=True, mfa_device=VirtualMfaDevice()),
    permissions=Permissions(
        ("Developers",),
        new_groups=(NewGroup("Readers", "/", ("Deploy",)),),
        new_policies=(NewPolicy("Read", ALLOW_NOTHING),),
    ),
)
A_KEY = replace(EVERYTHING, permissions=Permissions(("Developers",)), credentials=Credentials(access_key=True))


@pytest.fixture
def world() -> World:
    """Have an account and a store."""
    return World()


class OtherAccount:
    """The same users in an account of another id."""

    account_id = "999999999999"

    def __init__(self, account: IamAccount) -> None:
        self._account = account

    def __getattr__(self, name: str) -> object:
        return getattr(self._account, name)


def sweep_of(world: World, ledger: FakeLedger | None = None) -> Sweep:
    """Build a sweep of the world's account."""
    return Sweep(world.iam, cast(Ledger, ledger or world.ledger), world.clock.now)


async def found(world: World, ledger: FakeLedger | None = None) -> list[Finding]:
    """Sweep."""
    return list(await sweep_of(world, ledger).run())


def named(findings: list[Finding]) -> list[tuple[str, str]]:
    """Return kinds and names."""
    return [(finding.kind.value, finding.name) for finding in findings]


def empty_store(world: World) -> FakeLedger:
    """Return a store that knows nothing, as after a loss."""
    return FakeLedger(world.clock.now, world.clock.monotonic)


async def test_what_the_store_knows_is_not_named(world: World) -> None:
    """A user with all that was made for it is vouched for, and what bears no tag of ours is nobody's business here."""
    await world.do(EVERYTHING)
    world.iam.add_user("somebody-else")
    world.iam.add_access_key("somebody-else")
    world.iam.add_virtual_mfa_device("somebody-else")
    assert await found(world) == []


async def test_an_empty_store_vouches_for_nothing(world: World) -> None:
    """Every kind of thing that bears a row's tag is named, and the keys of its users."""
    await world.do(EVERYTHING)
    assert sorted(named(await found(world, empty_store(world)))) == [
        ("access-key", "ana"),
        ("mfa-device", "ana"),
        ("policy", "Read"),
        ("user", "ana"),
    ]


async def test_signs_of_being_half_made_come_first(world: World) -> None:
    """A user with nothing precedes one without credentials, who precedes one that looks complete."""
    for name in ("complete", "granted", "bare"):
        world.iam.add_user(name, tags=STRANGE)
    for name in ("complete", "granted"):
        world.iam.add_membership(name, "Developers")
    world.iam.add_login_profile("complete")
    world.clock.advance(timedelta(hours=2).total_seconds())
    world.iam.add_user("late", tags=STRANGE)
    findings = await found(world)
    assert [(finding.name, finding.signs) for finding in findings] == [
        ("late", ("no group and no policy", "no credentials", "made within the last hour")),
        ("bare", ("no group and no policy", "no credentials")),
        ("granted", ("no credentials",)),
        ("complete", ()),
    ]
    assert [finding.command for finding in findings] == [
        "identityctl delete late",
        "identityctl delete bare",
        "identityctl delete granted",
        "identityctl get complete",
    ]
    assert findings[3].why.endswith("it has 1 x group, 1 x console password")
    assert {finding.owner_team for finding in findings} == {BOT.team}


async def test_a_key_that_nobody_recorded_is_named(world: World) -> None:
    """On a user that is known, too: the one that is in use is to be kept, the other one may be deleted."""
    await world.do(EVERYTHING)
    world.iam.add_user("owned", tags=OWNED)
    unused = world.iam.add_access_key("owned")
    used = world.iam.add_access_key("owned", last_used_at=world.clock.now())
    world.clock.advance(timedelta(hours=2).total_seconds())
    first, second = await found(world)
    assert (first.identifier, first.signs) == (unused, ("never used",))
    assert first.command == f"aws iam delete-access-key --user-name=owned --access-key-id={unused}"
    assert (second.identifier, second.signs) == (used, ())
    assert second.command == f"aws iam get-access-key-last-used --access-key-id={used}"


async def test_a_key_that_a_request_found_there_is_known(world: World) -> None:
    """What was there before a change of the user is no lost mint."""
    world.iam.add_user("ana", tags=OWNED)
    world.iam.add_access_key("ana")
    assert named(await found(world)) == [("access-key", "ana")]
    await world.do(UserChange("ana", permissions=Permissions(("Developers",))))
    assert await found(world) == []


async def test_what_an_unfinished_request_makes_is_its_own_matter(world: World) -> None:
    """The request is named, with whether anybody works on it; its user and key are not."""
    await die_while_minting(world)
    (running,) = await found(world)
    assert (running.kind, running.name, running.owner_team) == (FindingKind.REQUEST, "user/ana", BOT.team)
    assert running.why.endswith("is running; a server works on it")
    world.let_leases_end()
    (abandoned,) = await found(world)
    assert abandoned.why.endswith("is running; nobody works on it")
    assert abandoned.command == "identity-service sweep --end-abandoned"


async def test_requests_stand_in_the_sweep_of_their_own_account(world: World) -> None:
    """Another account's sweep has none of them; those of an account that is not configured any more stand apart."""
    await die_while_minting(world)
    elsewhere = cast(IamAccount, OtherAccount(world.iam))
    findings = await Sweep(elsewhere, cast(Ledger, world.ledger), world.clock.now).run()
    assert FindingKind.REQUEST not in {found.kind for found in findings}
    ledger, own = cast(Ledger, world.ledger), world.iam.account_id
    assert await unfinished_elsewhere(ledger, [own]) == ()
    (orphan,) = await unfinished_elsewhere(ledger, [elsewhere.account_id])
    assert (orphan.kind, orphan.account_id, orphan.name) == (FindingKind.REQUEST, own, "user/ana")


async def test_abandoned_requests_are_ended_without_a_call_to_iam(world: World) -> None:
    """What a restored store takes for running is left as it is in the account, and named then."""
    await die_while_minting(world)
    world.let_leases_end()
    calls = len(world.iam.mutations)
    assert await sweep_of(world).end_abandoned() == 1
    await world.look_again()
    assert len(world.iam.mutations) == calls
    findings = await found(world)
    assert sorted(named(findings)) == [("access-key", "ana"), ("user", "ana")]
    (user,) = [finding for finding in findings if finding.kind is FindingKind.USER]
    assert user.why.startswith("the request that made it failed")
    (row,) = world.ledger.rows.values()
    assert row.state is RequestState.FAILED
    error = await world.refused(A_KEY, request_id=row.intent.key.request_id)
    assert (error.reason, error.metadata["remaining"]) == (Reason.UNDO_INCOMPLETE, "unknown")
    await world.do(UserDeletion("ana"))


A_KEY = replace(EVERYTHING, permissions=Permissions(("Developers",)), credentials=Credentials(access_key=True))


async def die_while_minting(world: World) -> None:
    """Let a server die after it has made a key, and before it has written that down."""
    after = await number_of(world, "create_access_key", "after")
    with pytest.raises((Killed, IdentityError)):
        await world.ask(A_KEY, process=world.start(Death(after)))
    assert world.iam.key_ids("ana")


async def number_of(world: World, method: str, stage: str) -> int:
    """Count the moments before the one that is looked for, in a world of its own."""
    calm, other = Calm(), World()
    await other.ask(A_KEY, process=other.start(calm))
    moments = [moment for moment in calm.moments if moment.stage != "sent"]
    return next(n for n, moment in enumerate(moments) if (moment.method, moment.stage) == (method, stage))


async def test_every_page_is_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user on a later page is named as well."""
    for number in range(3):
        world.iam.add_user(f"user-{number}", tags=STRANGE)
    read = world.iam.page_of_users
    sizes = []

    async def page_of_one(size: int, token: str | None) -> Page[UserRecord]:
        sizes.append(size)
        return await read(1, token)

    monkeypatch.setattr(world.iam, "page_of_users", page_of_one)
    assert len(await found(world)) == 3
    assert sizes == [PAGE_SIZE] * 3


async def test_names_cannot_be_taken_for_options(world: World) -> None:
    """IAM allows a hyphen at the beginning of a name."""
    world.iam.add_user("-rf", tags=STRANGE)
    world.iam.add_virtual_mfa_device("-rf", tags={**STRANGE, tags.USER: "-rf"})
    world.iam.add_access_key("-rf")
    commands = {finding.kind: finding.command for finding in await found(world)}
    assert commands[FindingKind.USER] == "identityctl delete -- -rf"
    assert commands[FindingKind.MFA_DEVICE] == "identityctl mfa delete -- -rf arn:aws:iam::123456789012:mfa/-rf"
    assert "--user-name=-rf" in commands[FindingKind.ACCESS_KEY]


async def test_a_refusal_of_iam_is_told_in_words(world: World) -> None:
    """A sweep that cannot read everything tells nothing but why."""
    world.iam.inject("iam:ListVirtualMFADevices", replace_action(DENIED, "iam:ListVirtualMFADevices"))
    with pytest.raises(IdentityError) as caught:
        await found(world)
    assert caught.value.reason is Reason.AWS_ACCESS_DENIED


async def test_a_sweep_changes_nothing(world: World) -> None:
    """It only reads."""
    await world.do(EVERYTHING)
    before = list(world.iam.mutations)
    await found(world, empty_store(world))
    assert world.iam.mutations == before
    assert world.ledger.rows.keys() == {key_of(key.request_id) for key in world.ledger.rows}
