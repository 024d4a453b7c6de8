"""The design's exceptions, provoked: what cannot be as it was asked, and has to be as the design says instead.

They are counted under names of their own, and are no part of the users that were asked for.
"""

import asyncio
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from identity_client import AsyncIdentityClient, ConsolePassword, IdentityServiceError
from tests.chaos.points import Armed
from tests.chaos.reports import read_reports
from tests.chaos.wishes import Kind, make
from tests.chaos.world import World, chance_of

CUSTOM_PASSWORD = "Battery-Staple-9"
LOOK_EVERY = 0.02


@dataclass
class Exceptions:
    """How often each was provoked, and was as the design says."""

    provoked: int = 0
    used_keys_kept: int = 0
    custom_passwords_expired: int = 0
    unattributable_reported: int = 0
    complaints: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether all were."""
        return not self.complaints

    def add(self, other: "Exceptions") -> None:
        """Count others in."""
        self.provoked += other.provoked
        self.used_keys_kept += other.used_keys_kept
        self.custom_passwords_expired += other.custom_passwords_expired
        self.unattributable_reported += other.unattributable_reported
        self.complaints += other.complaints


async def provoke(world: World, seed: int, number: int) -> Exceptions:
    """Provoke each once."""
    found = Exceptions(provoked=1)
    wishes = (make(Kind.DEVICE, chance_of(seed, "provoked", number), f"x{number}-foreign"),)
    await asyncio.to_thread(world.account.prepare, wishes)
    await _use_a_key(world, found, f"x{number}-used")
    await _leave_a_password(world, found, f"x{number}-custom")
    await _make_a_key_beside(world, found, wishes[0].user_name)
    return found


async def _use_a_key(world: World, found: Exceptions, name: str) -> None:
    """A key that was used is not issued again: somebody has it."""
    request_id = str(uuid.uuid4())
    async with _client(world) as client:
        key = (await client.provision_user(name, access_key=True, request_id=request_id)).credentials.access_key
        held = key.access_key_id, key.secret_access_key, name
        await asyncio.to_thread(world.account.key_works, *held)
        try:
            await client.provision_user(name, access_key=True, request_id=request_id, reissue_secrets=True)
            reason = "granted"
        except IdentityServiceError as error:
            reason = error.reason
    kept = await asyncio.to_thread(world.account.key_works, *held)
    _note(found, reason == "CREDENTIAL_USED" and kept, f"a used key: {reason}, kept: {kept}")
    found.used_keys_kept += reason == "CREDENTIAL_USED" and kept


async def _leave_a_password(world: World, found: Exceptions, name: str) -> None:
    """A request with the caller's own password waits for its caller, and is undone where that one never comes back."""
    begun = await _cut(
        world,
        Armed("iam:CreateLoginProfile:after", 1, "kill"),
        lambda client: client.provision_user(
            name, console_password=ConsolePassword(custom=CUSTOM_PASSWORD), timeout=world.timing.attempt
        ),
    )
    over = await world.wait_until_over()
    waited = time.monotonic() - begun
    gone = name not in world.account.users()
    in_time = waited >= world.timing.retry_window
    _note(found, over and gone and in_time, f"a custom password: over {over}, gone {gone}, after {waited:.1f} s")
    found.custom_passwords_expired += over and gone and in_time


async def _make_a_key_beside(world: World, found: Exceptions, name: str) -> None:
    """Of two new keys only one can be the request's: neither is deleted, and both are reported."""
    request_id = str(uuid.uuid4())
    async with _client(world) as client:
        await _cut(
            world,
            Armed("iam:CreateAccessKey:after", 1, "kill"),
            lambda cut: cut.create_credentials(
                name, access_key=True, request_id=request_id, timeout=world.timing.attempt
            ),
            then=lambda: world.account.make_key(name),
        )
        reason = "granted"
        try:
            await client.create_credentials(name, access_key=True, request_id=request_id, reissue_secrets=True)
        except IdentityServiceError as error:
            reason = error.reason
    over = await world.wait_until_over()
    keys = [key["id"] for key in world.account.users()[name]["access_keys"]]
    reports = await asyncio.to_thread(read_reports, world.engine)
    told = len(keys) == 2 and reports.unattributed.issuperset(keys)
    _note(found, over and told, f"a key beside: {reason}, keys {keys}, over {over}, reported {told}")
    found.unattributable_reported += over and told


async def _cut(
    world: World, armed: Armed, ask: Callable[[AsyncIdentityClient], object], then: Callable[[], object] | None = None
) -> float:
    """Ask a server that dies at a point, and do not come back; return when it had died."""
    server = world.fleet.servers[0]
    await server.arm(armed)
    deaths = server.deaths
    async with _client(world, f"ipv4:{server.address}") as client:
        asking = asyncio.ensure_future(ask(client))  # type: ignore[call-overload] # each client method is awaitable
        while server.deaths == deaths and not asking.done():  # noqa: ASYNC110 - a process tells nobody
            await asyncio.sleep(LOOK_EVERY)
        died_at = time.monotonic()
        if then is not None:
            await asyncio.to_thread(then)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
    await world.fleet.recover()
    return died_at


def _client(world: World, target: str = "") -> AsyncIdentityClient:
    return AsyncIdentityClient(
        target or world.fleet.target, insecure=True, attempt_timeout=world.timing.attempt, timeout=world.timing.patience
    )


def _note(found: Exceptions, as_designed: bool, what: str) -> None:
    if not as_designed:
        found.complaints.append(what)
