"""Which calls are sent again, with what, and for how long. Both clients are held to the same tables."""

from __future__ import annotations

import asyncio
import socket
import uuid
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity_client import (
    AsyncIdentityClient,
    ConsolePassword,
    DeadlineExceeded,
    FailedPrecondition,
    IdentityClient,
    IdentityServiceError,
    InProgress,
    Internal,
    InvalidRequest,
    NotBuiltYet,
    PermissionDenied,
    PlanChanged,
    QuotaExceeded,
    Retry,
    Unavailable,
)
from identity_client._account_calls import get_account
from identity_client._call import Attempts, Call, CallDefaults
from identity_client._retry import seconds_to_wait
from identity_client._user_calls import provision_user
from identity_provisioning.v1.account_service_pb2 import GetAccountResponse
from identity_provisioning.v1.user_service_pb2 import ProvisionUserRequest, ProvisionUserResponse
from tests.unit.client.fake_service import SECRET_KEY, Failure, FakeIdentityService
from tests.unit.client.slow_motion import KINDS, CuttableRoad, Kind, SlowMotion, ask

UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
REFUSED = Failure(UNAVAILABLE)
CUT = Failure(UNAVAILABLE, after_work=True)
RESET = Failure(grpc.StatusCode.INTERNAL, message="Received RST_STREAM", after_work=True)
GARBLED = Failure(grpc.StatusCode.UNKNOWN, message="Stream removed", after_work=True)
DROPPED = Failure(grpc.StatusCode.CANCELLED, message="CANCELLED")
LATE = Failure(grpc.StatusCode.DEADLINE_EXCEEDED, after_work=True)
SAID_LATE = Failure(grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED", after_work=True)
BUSY = Failure(UNAVAILABLE, "OVERLOADED", retry_after=0.5)
STOPPING = Failure(UNAVAILABLE, "SHUTTING_DOWN")
THROTTLED = Failure(UNAVAILABLE, "THROTTLED")
AWS_DOWN = Failure(UNAVAILABLE, "AWS_UNAVAILABLE")
STORE_DOWN = Failure(UNAVAILABLE, "STORE_UNAVAILABLE", "the store is down", retry_after=0.0)
IN_PROGRESS = Failure(grpc.StatusCode.ABORTED, "IN_PROGRESS", retry_after=1.0)
CONFLICT = Failure(grpc.StatusCode.ABORTED, "CONFLICT")
INTERRUPTED = Failure(grpc.StatusCode.ABORTED, "INTERRUPTED")
TAKEN_OVER = Failure(
    grpc.StatusCode.ABORTED, "IN_PROGRESS", metadata={"answer_lost": "true"}, retry_after=1.0, after_work=True
)

ANSWERED = {
    "overloaded": BUSY,
    "shutting down": STOPPING,
    "throttled": THROTTLED,
    "aws down": AWS_DOWN,
    "store down": STORE_DOWN,
    "in progress": IN_PROGRESS,
    "conflict": CONFLICT,
    "interrupted": INTERRUPTED,
}
UNANSWERED = {
    "refused": REFUSED,
    "cut": CUT,
    "reset": RESET,
    "garbled": GARBLED,
    "dropped by a server that begins to drain": DROPPED,
    "late": LATE,
    "said to be late": SAID_LATE,
    "taken over": TAKEN_OVER,
}
TRANSIENT = ANSWERED | UNANSWERED

PERMANENT = {
    "plan changed": (Failure(grpc.StatusCode.ABORTED, "PLAN_CHANGED"), PlanChanged),
    "invalid": (Failure(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD"), InvalidRequest),
    "id reused": (Failure(grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_ID_REUSED"), InvalidRequest),
    "denied": (Failure(grpc.StatusCode.PERMISSION_DENIED, "CALLER_NOT_ALLOWED"), PermissionDenied),
    "quota": (Failure(grpc.StatusCode.RESOURCE_EXHAUSTED, "QUOTA_EXCEEDED"), QuotaExceeded),
    "too large, or too many": (Failure(grpc.StatusCode.RESOURCE_EXHAUSTED), IdentityServiceError),
    "used": (Failure(grpc.StatusCode.FAILED_PRECONDITION, "CREDENTIAL_USED"), FailedPrecondition),
    "fault": (Failure(grpc.StatusCode.INTERNAL, "INTERNAL"), Internal),
    "not built": (Failure(grpc.StatusCode.UNIMPLEMENTED), NotBuiltYet),
}

MINTS: dict[str, tuple[str, dict[str, Any]]] = {
    "provision": ("provision_user", {"access_key": True}),
    "password": ("provision_user", {"console_password": True}),
    "mixed": ("provision_user", {"mfa_device": True, "console_password": ConsolePassword(custom="Own+Pass1")}),
    "credentials": ("create_credentials", {"access_key": True}),
    "device": ("create_mfa_device", {}),
}
NO_SECRETS: dict[str, tuple[str, dict[str, Any]]] = {
    "no credentials": ("provision_user", {}),
    "own password": ("provision_user", {"console_password": ConsolePassword(custom="Own+Pass1")}),
    "sealed": ("provision_user", {"access_key": True, "recipients": ["age1x"]}),
    "a plan": ("provision_user", {"access_key": True, "validate_only": True}),
    "forbidden": ("provision_user", {"access_key": True, "reissue_secrets": False}),
}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    """Take each of the two clients in turn."""
    found: Kind = request.param
    return found


@pytest.fixture
def time() -> SlowMotion:
    """Let time pass only in the waits."""
    return SlowMotion()


@pytest.fixture
def road(service: FakeIdentityService) -> Iterator[CuttableRoad]:
    """Lead to the service over connections that can be cut."""
    carrying = CuttableRoad(service.port)
    yield carrying
    carrying.close()


def request_ids(service: FakeIdentityService) -> set[str]:
    """Answer the ids that arrived."""
    return {each.request.request_id for each in service.received}


def reissues(service: FakeIdentityService) -> list[bool]:
    """Answer which attempts asked for new secrets."""
    return [each.request.reissue_secrets for each in service.received]


def secret_of(answer: Any) -> str:
    """Answer the secret key that the caller has."""
    found: str = answer.credentials.access_key.secret_access_key
    return found


@pytest.mark.parametrize("failure", TRANSIENT.values(), ids=TRANSIENT)
async def test_what_may_pass_is_tried_again(
    kind: Kind, service: FakeIdentityService, time: SlowMotion, failure: Failure
) -> None:
    """A mutation goes out again under one request_id and one trace, until it is answered."""
    service.fail("DeleteGroup", failure, failure)
    await ask(kind, service, "delete_group", "g", time=time)
    assert len(service.received) == 3
    assert len(request_ids(service)) == 1
    assert len({each.metadata["traceparent"] for each in service.received}) == 1


@pytest.mark.parametrize("failure", TRANSIENT.values(), ids=TRANSIENT)
async def test_a_read_is_tried_again_as_well(
    kind: Kind, service: FakeIdentityService, time: SlowMotion, failure: Failure
) -> None:
    """Reads are held to the same table."""
    service.fail("GetAccount", failure)
    assert (await ask(kind, service, "get_account", time=time)).account.alias == "acme"


@pytest.mark.parametrize(("failure", "error"), PERMANENT.values(), ids=PERMANENT)
async def test_what_does_not_pass_is_told_at_once(
    kind: Kind, service: FakeIdentityService, time: SlowMotion, failure: Failure, error: type[IdentityServiceError]
) -> None:
    """What another attempt would not change is not attempted, and nobody waits for it."""
    service.fail("ProvisionUser", failure)
    with pytest.raises(error):
        await ask(kind, service, "provision_user", "ana", access_key=True, time=time)
    assert (len(service.received), time.slept) == (1, [])


@pytest.mark.parametrize("failure", UNANSWERED.values(), ids=UNANSWERED)
async def test_secrets_that_went_lost_are_made_anew(
    kind: Kind, service: FakeIdentityService, time: SlowMotion, failure: Failure
) -> None:
    """After an attempt without an answer all later ones ask for new secrets, and the caller has those that work."""
    service.fail("ProvisionUser", failure, IN_PROGRESS)
    made = await ask(kind, service, "provision_user", "ana", access_key=True, time=time)
    assert reissues(service) == [False, True, True]
    assert len(request_ids(service)) == 1
    (issued,) = service.issued.values()
    assert secret_of(made) == issued[-1]


@pytest.mark.parametrize("failure", ANSWERED.values(), ids=ANSWERED)
async def test_an_answered_attempt_has_lost_nothing(
    kind: Kind, service: FakeIdentityService, time: SlowMotion, failure: Failure
) -> None:
    """What the service itself said, the end of a duplicate included, is no reason to revoke anything."""
    service.fail("ProvisionUser", failure, failure)
    made = await ask(kind, service, "provision_user", "ana", access_key=True, time=time)
    assert reissues(service) == [False, False, False]
    assert secret_of(made) == SECRET_KEY


@pytest.mark.parametrize(("method", "kwargs"), MINTS.values(), ids=MINTS)
async def test_every_call_that_mints_asks_for_new_secrets(
    kind: Kind, service: FakeIdentityService, time: SlowMotion, method: str, kwargs: dict[str, Any]
) -> None:
    """Whoever makes a secret that one answer shows says after a cut that it went lost."""
    rpc = "".join(part.capitalize() for part in method.split("_"))
    service.fail(rpc, CUT)
    await ask(kind, service, method, "ana", time=time, **kwargs)
    assert reissues(service) == [False, True]


@pytest.mark.parametrize(("method", "kwargs"), NO_SECRETS.values(), ids=NO_SECRETS)
async def test_nothing_is_revoked_without_need(
    kind: Kind, service: FakeIdentityService, time: SlowMotion, method: str, kwargs: dict[str, Any]
) -> None:
    """Where no secret is made, all are sealed, or the caller forbids it, a cut call is repeated as it was."""
    service.fail("ProvisionUser", CUT, CUT)
    await ask(kind, service, method, "ana", time=time, **kwargs)
    assert reissues(service) == [False, False, False]


async def test_the_caller_can_ask_for_new_secrets(kind: Kind, service: FakeIdentityService, time: SlowMotion) -> None:
    """With `reissue_secrets=True` the first attempt says so: the answer to an earlier call went lost."""
    given = str(uuid.uuid4())
    await ask(kind, service, "provision_user", "ana", access_key=True, request_id=given, time=time)
    again = await ask(
        kind, service, "provision_user", "ana", access_key=True, request_id=given, reissue_secrets=True, time=time
    )
    assert reissues(service) == [False, True]
    assert secret_of(again) == service.issued[given][-1] != SECRET_KEY


async def test_a_connection_that_is_cut_for_real(
    kind: Kind, service: FakeIdentityService, road: CuttableRoad, time: SlowMotion
) -> None:
    """A connection that breaks while the service works is made again, and the caller ends with secrets that work."""
    cuts = iter([road.cut])
    service.before_provision = lambda name: next(cuts, lambda: None)()
    made = await ask(kind, service, "provision_user", "ana", access_key=True, target=road.target, time=time)
    (issued,) = service.issued.values()
    assert reissues(service) == [False, True]
    assert secret_of(made) in issued


async def test_an_attempt_without_an_answer_is_cut(kind: Kind, service: FakeIdentityService, time: SlowMotion) -> None:
    """A service that falls silent has one attempt's time, not the whole call's."""
    service.fail("ProvisionUser", Failure(UNAVAILABLE, silent=True))
    made = await ask(kind, service, "provision_user", "ana", access_key=True, attempt_timeout=0.2, time=time)
    assert reissues(service) == [False, True]
    assert secret_of(made)


async def test_the_wait_that_is_asked_for_is_kept(kind: Kind, service: FakeIdentityService, time: SlowMotion) -> None:
    """RetryInfo is a minimum, up to a quarter longer; without it the longest wait doubles."""
    service.fail("DeleteGroup", IN_PROGRESS, CONFLICT, REFUSED, THROTTLED)
    await ask(kind, service, "delete_group", "g", time=time)
    assert time.slept == [1.25, 0.2, 0.4, 0.8]


async def test_retries_end_with_the_deadline(kind: Kind, service: FakeIdentityService, time: SlowMotion) -> None:
    """A request that stays in progress ends in InProgress when the time is over, with the id to go on with."""
    service.fail("ProvisionUser", *[IN_PROGRESS] * 50)
    with pytest.raises(InProgress) as caught:
        await ask(kind, service, "provision_user", "ana", access_key=True, timeout=10.0, time=time)
    assert time.now <= 10.0
    assert len(service.received) == 8
    assert request_ids(service) == {caught.value.request_id}
    assert not caught.value.secrets_may_be_lost


async def test_a_retry_never_outlives_the_deadline(kind: Kind, service: FakeIdentityService, time: SlowMotion) -> None:
    """Where the wait that is asked for passes the deadline, the caller hears so at once."""
    service.fail("ProvisionUser", Failure(grpc.StatusCode.ABORTED, "IN_PROGRESS", retry_after=3600.0))
    with pytest.raises(InProgress) as caught:
        await ask(kind, service, "provision_user", "ana", timeout=60.0, time=time)
    assert (caught.value.retry_after, time.slept) == (3600.0, [])


async def test_who_gives_up_is_told_that_secrets_may_be_lost(
    kind: Kind, service: FakeIdentityService, time: SlowMotion
) -> None:
    """After a cut the last failure, whatever it is, says that the outcome is open; not so of a sealed answer."""
    for name, recipients, open_ended in (("ana", [], True), ("bo", ["age1x"], False)):
        service.fail("ProvisionUser", CUT, *[STORE_DOWN] * 50)
        with pytest.raises(Unavailable) as caught:
            await ask(
                kind, service, "provision_user", name, access_key=True, recipients=recipients, timeout=5.0, time=time
            )
        assert caught.value.reason == "STORE_UNAVAILABLE"
        assert caught.value.secrets_may_be_lost is open_ended
        service.heal("ProvisionUser")


async def test_the_one_who_looks_on_is_told(kind: Kind, service: FakeIdentityService, time: SlowMotion) -> None:
    """Before each wait `on_retry` hears what failed, how long the wait is, and whether secrets are made anew."""
    heard: list[Retry] = []
    service.fail("ProvisionUser", IN_PROGRESS, CUT)
    await ask(kind, service, "provision_user", "ana", access_key=True, on_retry=heard.append, time=time)
    assert [(type(each.error), each.attempt, each.wait, each.reissue_secrets) for each in heard] == [
        (InProgress, 1, 1.25, False),
        (Unavailable, 2, 0.2, True),
    ]
    assert {each.request_id for each in heard} == request_ids(service)


async def test_fifty_callers_all_end_with_secrets_that_work(service: FakeIdentityService) -> None:
    """Side by side on one client, through failures of every kind, each caller has the last secrets made for it."""
    service.fail("ProvisionUser", *[failure for failure in TRANSIENT.values() for _ in range(10)])

    async def go_on(seconds: float) -> None:
        await asyncio.sleep(0)

    async with AsyncIdentityClient(service.target, insecure=True) as client:
        client._pace, client._sleep = SlowMotion().pace, go_on
        made = await asyncio.gather(*(client.provision_user(f"user{n}", access_key=True) for n in range(50)))
    assert len(service.users) == len(service.issued) == 50
    for answer in made:
        (request_id,) = {
            each.request.request_id for each in service.received if each.request.user.user_name == answer.user.user_name
        }
        assert secret_of(answer) == service.issued[request_id][-1]


def begun(
    call: Call[GetAccountResponse] | Call[ProvisionUserResponse], time: SlowMotion, attempt_timeout: float | None = None
) -> Attempts[Any]:
    """Begin a call that has ten seconds, if it does not say otherwise."""
    attempts: Attempts[Any] = Attempts(call, CallDefaults("", 10.0, attempt_timeout), time.pace)
    attempts.begin()
    return attempts


def rpc_error(failure: Failure) -> grpc.RpcError:
    """Answer an error as gRPC raises it."""

    class Raised(grpc.RpcError):
        def code(self) -> grpc.StatusCode:
            return failure.code

        def details(self) -> str:
            return failure.message

        def trailing_metadata(self) -> Any:
            return failure.trailing_metadata()

    return Raised()


@pytest.mark.parametrize(
    ("timeout", "given", "first"),
    [(2.0, None, 2.0), (9.0, None, 5.0), (30.0, None, 10.0), (600.0, None, 20.0), (9.0, 1.0, 1.0)],
)
def test_an_attempt_has_a_share_of_the_time(
    time: SlowMotion, timeout: float, given: float | None, first: float
) -> None:
    """A third of the call's seconds, but between five and twenty, or as many as the client was told."""
    attempts = Attempts(get_account(timeout=timeout), CallDefaults("", 1.0, given), time.pace)
    assert attempts.begin() == first


def test_a_slow_answer_is_given_more_time(time: SlowMotion) -> None:
    """Each attempt that was cut for its time is followed by one with twice as much, as far as the call has it."""
    attempts = Attempts(get_account(timeout=30.0), CallDefaults("", 1.0), time.pace)
    given = []
    for _ in range(2):
        given.append(attempts.begin())
        time.now += given[-1]
        time.now += attempts.wait_after(rpc_error(LATE)) if len(given) < 2 else 0.0
    assert given == [10.0, 19.9]


def test_a_deadline_does_not_hide_what_the_service_said(time: SlowMotion) -> None:
    """A read that is cut after the service gave a reason fails with that reason."""
    attempts = begun(get_account(), time)
    attempts.wait_after(rpc_error(STORE_DOWN))
    error = attempts.final(rpc_error(LATE))
    assert isinstance(error, Unavailable)
    assert (error.reason, error.message) == ("STORE_UNAVAILABLE", "the store is down")


def test_a_cut_mint_stays_open_and_says_what_the_service_said(time: SlowMotion) -> None:
    """A minting attempt that is cut may have made secrets: it is DeadlineExceeded, with the last reason in its text."""
    attempts = begun(provision_user("ana", access_key=True), time)
    attempts.wait_after(rpc_error(STORE_DOWN))
    error = attempts.final(rpc_error(LATE))
    assert isinstance(error, DeadlineExceeded)
    assert (error.reason, error.secrets_may_be_lost) == ("", True)
    assert "STORE_UNAVAILABLE: the store is down" in str(error)


def test_a_cut_plan_of_a_mint_tells_the_reason(time: SlowMotion) -> None:
    """With validate_only nothing is open, so the reason is told."""
    attempts = begun(provision_user("ana", access_key=True, validate_only=True), time)
    attempts.wait_after(rpc_error(STORE_DOWN))
    assert isinstance(attempts.final(rpc_error(LATE)), Unavailable)


def test_a_deadline_without_a_reason_before_it_is_one(time: SlowMotion) -> None:
    """Where the service said nothing, the deadline is all there is to tell."""
    assert isinstance(begun(get_account(), time).final(rpc_error(LATE)), DeadlineExceeded)


def test_no_attempt_is_begun_that_has_less_time_than_the_last_answer_took(time: SlowMotion) -> None:
    """After six of ten seconds until an answer, the reason is told at once instead of a deadline."""
    attempts = begun(get_account(), time)
    time.now = 6.0
    with pytest.raises(Unavailable) as caught:
        attempts.wait_after(rpc_error(STORE_DOWN))
    assert caught.value.reason == "STORE_UNAVAILABLE"


def test_no_attempt_is_begun_that_has_no_time(time: SlowMotion) -> None:
    """With next to nothing left a mint is not sent: it would be cut, and leave open what it did."""
    attempts = begun(provision_user("ana", access_key=True), time)
    time.now = 9.95
    with pytest.raises(Unavailable):
        attempts.wait_after(rpc_error(CUT))


def test_the_callers_message_is_left_as_it_is(time: SlowMotion) -> None:
    """What a retry adds to the request it adds to the client's own copy."""
    call = provision_user("ana", access_key=True)
    before = call.request.SerializeToString()
    attempts = begun(call, time)
    attempts.wait_after(rpc_error(CUT))
    assert ProvisionUserRequest.FromString(attempts.request.SerializeToString()).reissue_secrets
    assert call.request.SerializeToString() == before


@given(attempt=st.integers(1, 10_000), asked=st.none() | st.floats(0, 3600), draw=st.floats(0, 1))
def test_the_wait_keeps_its_bounds(attempt: int, asked: float | None, draw: float) -> None:
    """The wait is at least what the service asks for, and never more than five seconds without its asking."""
    wait = seconds_to_wait(attempt, asked, lambda: draw)
    if not asked:
        assert 0 <= wait <= 5.0
    else:
        assert asked <= wait <= asked * 1.25 + 1e-9


async def test_a_client_that_is_closed_tries_no_more() -> None:
    """A call that is cut because its own client is closed fails at once, and is not sent again."""
    retries: list[Retry] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        target = f"127.0.0.1:{listener.getsockname()[1]}"
        client = IdentityClient(target, insecure=True, on_retry=retries.append)
        call = asyncio.create_task(asyncio.to_thread(client.get_account))
        # It is connected to by the call, and never answers.
        connection, _ = await asyncio.to_thread(listener.accept)
        client.close()
        with connection, pytest.raises(IdentityServiceError) as caught:
            await call
    assert (caught.value.code, retries) == (grpc.StatusCode.CANCELLED, [])
