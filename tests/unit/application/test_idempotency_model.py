"""Requests, retries, deaths and takeovers in any order: the account is what the requests that are done come to."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace
from uuid import uuid4

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from identity_service.application.ledger import UNFINISHED, LedgerRow, RequestState
from identity_service.domain.errors import IdentityError, Reason
from identity_service.domain.outcome import Outcome
from identity_service.domain.request import (
    ConsolePassword,
    Credentials,
    NewUser,
    Permissions,
    UserChange,
    UserDeletion,
    VirtualMfaDevice,
)
from tests.unit.application.disturbances import Death, Killed
from tests.unit.application.worlds import LOST, World, key_of, replace_action

NAMES = ("ana", "bo")
EXPECTED_REFUSALS = {
    Reason.IN_PROGRESS,
    Reason.USER_ALREADY_EXISTS,
    Reason.USER_NOT_FOUND,
    Reason.QUOTA_EXCEEDED,
    Reason.AWS_UNAVAILABLE,
}
MOMENTS = st.one_of(st.none(), st.integers(0, 70))
LOSABLE = ("iam:CreateUser", "iam:CreateAccessKey", "iam:CreateLoginProfile", "iam:AddUserToGroup")
"""Calls of requests that are undone; a deletion is not, and stays half done until it is sent again."""


@dataclass(frozen=True)
class ModelUser:
    """What a user has, by the requests that are done."""

    keys: int = 0
    password: bool = False
    devices: int = 0
    groups: tuple[str, ...] = ()


@dataclass
class Asked:
    """A request that was sent, perhaps often; `counted` once the model has it."""

    body: UserChange | UserDeletion
    request_id: str
    counted: bool = False


class Idempotency(RuleBasedStateMachine):
    """The service against a model that knows nothing of rounds, leases and mints."""

    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        self._world = World()
        self._model: dict[str, ModelUser] = {}
        self._asked: list[Asked] = []

    def teardown(self) -> None:
        """End the loop."""
        self._runner.close()

    @rule(name=st.sampled_from(NAMES), password=st.booleans(), device=st.booleans(), dies_at=MOMENTS)
    def provision(self, name: str, password: bool, device: bool, dies_at: int | None) -> None:
        """Ask for a new user with a key and more."""
        credentials = Credentials(
            access_key=True,
            console_password=ConsolePassword() if password else None,
            mfa_device=VirtualMfaDevice() if device else None,
        )
        body = UserChange(name, NewUser(), credentials, Permissions(("Developers",)))
        self._send(Asked(body, str(uuid4())), dies_at)

    @rule(name=st.sampled_from(NAMES), dies_at=MOMENTS)
    def another_key(self, name: str, dies_at: int | None) -> None:
        """Ask for a key of a user who is there."""
        self._send(Asked(UserChange(name, credentials=Credentials(access_key=True)), str(uuid4())), dies_at)

    @rule(name=st.sampled_from(NAMES), dies_at=MOMENTS)
    def delete(self, name: str, dies_at: int | None) -> None:
        """Ask for a deletion."""
        self._send(Asked(UserDeletion(name), str(uuid4())), dies_at)

    @precondition(lambda self: self._asked)
    @rule(number=st.integers(0, 50), reissue=st.booleans(), dies_at=MOMENTS)
    def retry(self, number: int, reissue: bool, dies_at: int | None) -> None:
        """Send an earlier request again; a reissue that fails leaves no credentials, which is not modelled."""
        if reissue:
            self._world.iam._faults.clear()
        self._send(self._asked[number % len(self._asked)], dies_at, reissue=reissue)

    @rule(action=st.sampled_from(LOSABLE), after_effect=st.booleans())
    def lose_an_answer(self, action: str, after_effect: bool) -> None:
        """Let the next call of an action go without an answer."""
        self._world.iam._faults.clear()
        self._world.iam.inject(action, replace_action(LOST, action), after_effect=after_effect)

    @rule()
    def take_over(self) -> None:
        """Let leases end, and the worker work."""
        self._runner.run(self._world.take_over())
        self._count()

    @rule()
    def look_again(self) -> None:
        """Let the time of the second looks come."""
        self._runner.run(self._world.look_again())
        self._count()

    @invariant()
    def account_is_as_modelled(self) -> None:
        """Whoever has no unfinished request is just what the done ones come to."""
        contents = self._world.iam.contents()
        users = contents["users"]
        devices = contents["devices"]
        assert isinstance(users, dict)
        assert isinstance(devices, dict)
        for name in set(NAMES) - self._unsettled():
            found = users.get(name)
            seen = found and ModelUser(
                keys=found["keys"],
                password=found["password"] is not None,
                devices=sum(serial.endswith(f":mfa/{name}") for serial in devices),
                groups=tuple(found["groups"]),
            )
            assert seen == self._model.get(name)

    def _send(self, asked: Asked, dies_at: int | None, *, reissue: bool = False) -> None:
        if asked not in self._asked:
            self._asked.append(asked)
        self._runner.run(self._ask(asked, dies_at, reissue))
        self._count()

    async def _ask(self, asked: Asked, dies_at: int | None, reissue: bool) -> None:
        process = self._world.start(None if dies_at is None else Death(dies_at))
        with suppress(Killed):
            try:
                outcome = await self._world.do(
                    asked.body, process=process, request_id=asked.request_id, reissue_secrets=reissue
                )
            except IdentityError as error:
                if error.reason not in EXPECTED_REFUSALS:
                    raise
            else:
                self._check_secrets(outcome, asked)

    def _check_secrets(self, outcome: Outcome, asked: Asked) -> None:
        issued = outcome.credentials
        if issued is not None and not issued.secrets_withheld:
            self._world.assert_secrets_work(outcome, asked.body.user_name)

    def _row(self, asked: Asked) -> LedgerRow | None:
        return self._world.ledger.rows.get(key_of(asked.request_id))

    def _unsettled(self) -> set[str]:
        rows = self._world.ledger.rows.values()
        return {row.intent.plan.target.name for row in rows if row.state in UNFINISHED}

    def _count(self) -> None:
        """Take what is done into the model, each request once; of one user there is at most one at a time."""
        for asked in self._asked:
            row = self._row(asked)
            if row is not None and row.state is RequestState.DONE and not asked.counted:
                asked.counted = True
                self._apply(asked.body)

    def _apply(self, body: UserChange | UserDeletion) -> None:
        if isinstance(body, UserDeletion):
            del self._model[body.user_name]
            return
        had = self._model.get(body.user_name)
        assert (had is None) is (body.new_user is not None)
        made = body.credentials
        self._model[body.user_name] = replace(
            had or ModelUser(groups=("developers",)),
            keys=(had.keys if had else 0) + made.access_key,
            password=bool((had and had.password) or made.console_password),
            devices=(had.devices if had else 0) + bool(made.mfa_device),
        )


def test_the_account_is_what_the_requests_come_to() -> None:
    """No order of requests, retries, lost answers, deaths, takeovers and second looks makes the account another one."""
    bounded = settings(max_examples=150, stateful_step_count=30, derandomize=True, deadline=None, database=None)
    run_state_machine_as_test(Idempotency, settings=bounded)
