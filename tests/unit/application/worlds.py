"""A world for the application: an account, a store, time that only the test moves, and processes that serve."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import uuid4

import pytest

from identity_service.application.attempt import Attempts
from identity_service.application.ledger import Ledger, RequestKey
from identity_service.application.mutation import MutationService
from identity_service.application.ports import Answer, IamAccount, MintedAccessKey, MintedMfaDevice, Receipt
from identity_service.application.settling import Settling
from identity_service.application.telemetry import UNWATCHED, Telemetry
from identity_service.application.work import OwnedWork
from identity_service.application.worker import Worker
from identity_service.domain import tags
from identity_service.domain.caller import Caller
from identity_service.domain.entities import GroupRecord, LoginProfileRecord, UserRecord
from identity_service.domain.errors import IamError, IamErrorKind, IdentityError
from identity_service.domain.outcome import Outcome
from identity_service.domain.plan import Plan
from identity_service.domain.request import (
    Body,
    ConsoleDisabling,
    MfaDeviceEnabling,
    Mutation,
    UserAdoption,
    UserDeletion,
    UserUpdate,
)
from identity_service.domain.secret import Secret
from tests.contract.fake_iam import FakeIam
from tests.contract.fake_rules import fold
from tests.unit.application.disturbances import IAM_READS, STORE_READS, Calm, Disturbance, Disturbed
from tests.unit.application.fake_ledger import LEASE_SECONDS, SECOND_LOOK_SECONDS
from tests.unit.application.fakes import BOT, FakeAccounts, FakeAuthorizer, FakeLedger, FakeSealer

OWNED = {tags.OWNER: BOT.team}
DENIED = IamError(IamErrorKind.ACCESS_DENIED, "iam:Any", "AccessDenied", 403, "request-1")
THROTTLED = IamError(IamErrorKind.THROTTLED, "iam:Any", "Throttling", 400, "request-2")
LOST = IamError(IamErrorKind.UNAVAILABLE, "iam:Any", outcome_unknown=True)
SETTLE_SECONDS = 15.0
RECIPIENT = "age1recipient"
ACTIONS: dict[type[Body], str] = {
    UserAdoption: "AdoptUser",
    UserDeletion: "DeleteUser",
    UserUpdate: "UpdateUser",
    ConsoleDisabling: "DisableConsoleAccess",
    MfaDeviceEnabling: "EnableMfaDevice",
}
"""The RPCs of bodies, where it matters which it is."""


class Clock:
    """Time that only a test moves, the same for database, account and process."""

    def __init__(self) -> None:
        self._now = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
        self._monotonic = 1000.0

    def now(self) -> datetime:
        """Tell the time of day."""
        return self._now

    def monotonic(self) -> float:
        """Tell the monotonic time."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds


class ClockedIam(FakeIam):
    """The fake account by the test's clock; it remembers the secrets that it has answered."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self.secret_keys: dict[str, str] = {}
        self.seeds: dict[str, str] = {}

    def add_user(self, user_name: str, **parts: Any) -> UserRecord:
        """Put a user there."""
        record = replace(super().add_user(user_name, **parts), created_at=self._clock.now())
        self._users[fold(user_name)].record = record
        return record

    def add_group(self, group_name: str, *, path: str = "/", grants_nothing: bool = False) -> GroupRecord:
        """Put a group there."""
        record = super().add_group(group_name, path=path, grants_nothing=grants_nothing)
        self._groups[fold(group_name)].created_at = self._clock.now()
        return record

    def add_access_key(self, user_name: str, **parts: Any) -> str:
        """Give a user a key."""
        key_id = super().add_access_key(user_name, **parts)
        keys = self._users[fold(user_name)].access_keys
        keys[-1] = replace(keys[-1], created_at=self._clock.now())
        return key_id

    def add_login_profile(self, user_name: str, *, reset_required: bool = False) -> None:
        """Give a user a password."""
        self._users[fold(user_name)].login_profile = LoginProfileRecord(self._clock.now(), reset_required)

    async def create_access_key(self, user_name: str) -> Answer[MintedAccessKey]:
        """CreateAccessKey."""
        answer = await super().create_access_key(user_name)
        self.secret_keys[answer.value.access_key_id] = answer.value.secret.reveal()
        return answer

    async def create_login_profile(self, user_name: str, password: Secret, reset_required: bool) -> Receipt:
        """CreateLoginProfile."""
        user = self._users.get(fold(user_name))
        before = user.login_profile if user else None
        try:
            return await super().create_login_profile(user_name, password, reset_required)
        finally:
            if user and user.login_profile and user.login_profile is not before:
                user.login_profile = replace(user.login_profile, created_at=self._clock.now())

    async def create_virtual_mfa_device(self, device_name: str, tags: Mapping[str, str]) -> Answer[MintedMfaDevice]:
        """CreateVirtualMFADevice."""
        answer = await super().create_virtual_mfa_device(device_name, tags)
        self.seeds[answer.value.serial_number] = answer.value.seed.reveal()
        return answer

    def use_key(self, key_id: str) -> None:
        """Let somebody use a key."""
        self._last_used[key_id] = self._clock.now()

    def use_password(self, user_name: str) -> None:
        """Let somebody sign in."""
        user = self._users[fold(user_name)]
        user.record = replace(user.record, password_last_used_at=self._clock.now())

    def key_ids(self, user_name: str) -> list[str]:
        """List a user's keys."""
        return [key.access_key_id for key in self._users[fold(user_name)].access_keys]

    def contents(self) -> dict[str, object]:
        """Describe all that is in the account, without what is random: ids, times, row tags."""
        return {
            "users": {name: self._content_of(name) for name in self._users},
            "groups": {name: (sorted(group.attached), group.inline) for name, group in self._groups.items()},
            "policies": {arn: _without_row(policy.tags) for arn, policy in self._policies.items()},
            "devices": {serial: _without_row(held) for serial, held in self._virtual_mfa_devices.items()},
        }

    def _content_of(self, name: str) -> dict[str, object]:
        user = self._users[name]
        return {
            "name": user.record.user_name,
            "path": user.record.path,
            "boundary": user.record.boundary_arn,
            "tags": _without_row(user.record.tags),
            "password": user.login_profile and user.login_profile.reset_required,
            "keys": len(user.access_keys),
            "groups": sorted(user.group_keys),
            "attached": sorted(user.attached),
            "inline": user.inline,
            "enabled devices": sorted(device.serial_number for device in user.mfa_devices if device.is_virtual),
            "hardware devices": sum(not device.is_virtual for device in user.mfa_devices),
        }


def _without_row(held: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in held.items() if key != tags.ROW}


@dataclass
class Process:
    """A server with its worker."""

    service: MutationService
    worker: Worker
    work: OwnedWork

    async def do_work(self) -> None:
        """Let the worker do what there is to do by now."""
        await self.worker.step()
        await self.worker.finish()


class World:
    """A service with its fakes, and an account with a group and three policies."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.iam = ClockedIam(self.clock)
        self.iam.add_group("Developers")
        for name in ("Deploy", "Boundary"):
            self.iam.add_policy(name)
        self.iam.add_aws_policy("IAMUserChangePassword")
        self.ledger = FakeLedger(self.clock.now, self.clock.monotonic)
        self.authorizer = FakeAuthorizer()
        self.sealer = FakeSealer()
        self.waits: list[float] = []
        self.stopping = False
        self.telemetry: Telemetry = UNWATCHED
        self.process = self.start()

    def start(self, disturbance: Disturbance | None = None) -> Process:
        """Start another process on the same account and store; it is undisturbed unless told otherwise."""
        disturbance = disturbance or Calm()
        ledger = cast(Ledger, Disturbed(self.ledger, "store", STORE_READS, disturbance))
        account = cast(IamAccount, Disturbed(self.iam, "iam", IAM_READS, disturbance))
        settling = Settling(SETTLE_SECONDS, sleep=self._wait)
        work = OwnedWork(maximum=100)
        attempts = Attempts(ledger, self.sealer, settling, lambda: self.stopping, self.telemetry)
        accounts = FakeAccounts(account)
        service = MutationService(
            accounts=accounts, authorizer=self.authorizer, attempts=attempts, monotonic=self.clock.monotonic
        )
        worker = Worker(
            accounts=accounts,
            ledger=ledger,
            attempts=attempts,
            settling=settling,
            work=work,
            monotonic=self.clock.monotonic,
        )
        return Process(service, worker, work)

    async def _wait(self, seconds: float) -> None:
        self.waits.append(seconds)

    # Time.

    def let_leases_end(self) -> None:
        """Let so much time pass that whatever nobody renews has run out."""
        self.clock.advance(LEASE_SECONDS + 1)

    async def take_over(self) -> Process:
        """Let the leases end and another process's worker go on."""
        self.let_leases_end()
        process = self.start()
        await process.do_work()
        return process

    async def look_again(self) -> None:
        """Let the time of second looks come, and take them."""
        self.clock.advance(SECOND_LOOK_SECONDS + 1)
        await self.start().do_work()

    # Asking.

    async def ask(
        self, body: Body, *, caller: Caller = BOT, process: Process | None = None, **parts: Any
    ) -> Outcome | Plan:
        """Run a mutation; a new request id unless one is given."""
        service = (process or self.process).service
        return await service.run(caller, mutation_of(body, **parts))

    async def do(self, body: Body, **parts: Any) -> Outcome:
        """Run a mutation that answers an outcome."""
        outcome = await self.ask(body, **parts)
        assert isinstance(outcome, Outcome)
        return outcome

    async def refused(self, body: Body, **parts: Any) -> IdentityError:
        """Run a mutation that is refused, and return the error."""
        with pytest.raises(IdentityError) as caught:
            await self.ask(body, **parts)
        return caught.value

    # Comparing.

    def assert_secrets_work(self, outcome: Outcome, user_name: str = "ana") -> None:
        """Expect that the secrets of an answer are those that the account holds, sealed or not."""
        issued = outcome.credentials
        assert issued is not None
        if issued.sealed_secrets:
            opened = FakeSealer.opened(issued.sealed_secrets)["credentials"]
            key, password, device = (opened.get(name) for name in ("access_key", "console_password", "mfa_device"))
            told = (
                key and (key["access_key_id"], key["secret_access_key"]),
                password and password["password"],
                device and (device["serial_number"], device["base32_seed"]),
            )
        else:
            told = (
                issued.access_key and (issued.access_key.access_key_id, _text(issued.access_key.secret)),
                issued.password and _text(issued.password.password),
                issued.mfa_device and (issued.mfa_device.serial_number, _text(issued.mfa_device.seed)),
            )
        if told[0]:
            assert told[0][0] in self.iam.key_ids(user_name)
            assert told[0][1] == self.iam.secret_keys[told[0][0]]
        if told[1]:
            assert told[1] == self.iam.passwords[user_name].reveal()
        if told[2]:
            assert told[2][1] == self.iam.seeds[told[2][0]]


def world_with_ana() -> World:
    """Make a world with ana, whom the caller's team owns, and room for many keys of hers."""
    world = World()
    world.iam.add_user("ana", tags=OWNED)
    world.iam.quotas["AccessKeysPerUserQuota"] = 9
    return world


def _text(secret: Secret | None) -> str:
    assert secret is not None
    return secret.reveal()


def mutation_of(body: Body, **parts: Any) -> Mutation:
    """Make a mutation of the account; a new request id unless one is given."""
    action = ACTIONS.get(type(body), "ProvisionUser")
    mutation = Mutation(action, "", str(uuid4()), validate_only=False, expected_plan_digest="", body=body)
    return replace(mutation, **parts)


def key_of(request_id: str, caller: Caller = BOT) -> RequestKey:
    """Name a request as the ledger does."""
    return RequestKey(caller.id, request_id)


def replace_action(error: IamError, action: str) -> IamError:
    """Make an error of one action."""
    return replace(error, action=action)


def unseen(world: World, method: str, times: int, answer: object = None) -> None:
    """Let a read of the account see nothing for its next calls, as a lagging replica of IAM does."""
    real: Callable[..., Awaitable[Any]] = getattr(world.iam, method)
    left = times

    async def lagging(*args: Any, **kwargs: Any) -> Any:
        nonlocal left
        if left:
            left -= 1
            return answer
        return await real(*args, **kwargs)

    setattr(world.iam, method, lagging)
