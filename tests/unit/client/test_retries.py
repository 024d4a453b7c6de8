"""Which calls are sent again, with what, and for how long."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity_client import (
    AsyncIdentityClient,
    DeadlineExceeded,
    IdentityClient,
    InProgress,
    PlanChanged,
    Unavailable,
)
from identity_client._account_calls import get_account
from identity_client._call import Attempts, Call, CallDefaults
from identity_client._retry import seconds_to_wait
from identity_client._user_calls import provision_user
from identity_provisioning.v1.account_service_pb2 import GetAccountResponse
from identity_provisioning.v1.user_service_pb2 import ProvisionUserResponse
from tests.unit.client.fake_service import Failure, FakeIdentityService

CUT = Failure(grpc.StatusCode.UNAVAILABLE)
BUSY = Failure(grpc.StatusCode.UNAVAILABLE, "OVERLOADED", retry_after=0.0)
IN_PROGRESS = Failure(grpc.StatusCode.ABORTED, "IN_PROGRESS", retry_after=0.01)


def request_ids(service: FakeIdentityService) -> list[str]:
    """Answer the ids that arrived."""
    return [each.request.request_id for each in service.received]


def test_a_read_survives_a_cut_connection(client: IdentityClient, service: FakeIdentityService) -> None:
    """UNAVAILABLE without a word from the service is asked again where nothing can be done twice."""
    service.fail("GetAccount", CUT, CUT)
    assert client.get_account().account.alias == "acme"
    assert len(service.received) == 3


def test_a_mutation_goes_out_again_under_its_id(client: IdentityClient, service: FakeIdentityService) -> None:
    """A mutation that mints nothing is retried with the same request_id and the same trace."""
    service.fail("DeleteGroup", CUT)
    client.delete_group("g")
    assert len(set(request_ids(service))) == 1
    traces = {each.metadata["traceparent"][:36] for each in service.received}
    assert len(service.received) == 2
    assert len(traces) == 1


def test_a_cut_mint_is_not_sent_again(client: IdentityClient, service: FakeIdentityService) -> None:
    """A minting call whose reply was lost is the caller's to repeat: the error names its request_id."""
    service.fail("ProvisionUser", CUT)
    with pytest.raises(Unavailable) as caught:
        client.provision_user("ana", access_key=True)
    assert request_ids(service) == [caught.value.request_id]


def test_a_mint_that_the_service_put_off_is_sent_again(client: IdentityClient, service: FakeIdentityService) -> None:
    """When the service itself says that it did nothing, even a minting call is retried."""
    service.fail("ProvisionUser", BUSY, BUSY)
    made = client.provision_user("ana", access_key=True)
    assert made.credentials.access_key.secret_access_key
    assert len(set(request_ids(service))) == 1


def test_the_plan_of_a_mint_is_a_read(client: IdentityClient, service: FakeIdentityService) -> None:
    """With validate_only nothing is minted, so a cut connection is no reason to give up."""
    service.fail("ProvisionUser", CUT)
    assert client.provision_user("ana", access_key=True, validate_only=True).plan.digest


def test_in_progress_is_asked_again_until_there_is_an_answer(
    client: IdentityClient, service: FakeIdentityService
) -> None:
    """ABORTED with reason IN_PROGRESS is followed up with the same id."""
    service.fail("ProvisionUser", IN_PROGRESS, IN_PROGRESS)
    assert client.provision_user("ana").user.user_name == "ana"
    assert len(set(request_ids(service))) == 1
    assert len(service.received) == 3


def test_a_retry_never_outlives_the_deadline(client: IdentityClient, service: FakeIdentityService) -> None:
    """Where the wait that is asked for passes the deadline, the caller hears so at once."""
    service.fail("ProvisionUser", Failure(grpc.StatusCode.ABORTED, "IN_PROGRESS", retry_after=3600.0))
    with pytest.raises(InProgress) as caught:
        client.provision_user("ana", timeout=1.0)
    assert caught.value.retry_after == 3600.0


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (Failure(grpc.StatusCode.ABORTED, "PLAN_CHANGED"), PlanChanged),
        (Failure(grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED"), DeadlineExceeded),
    ],
)
def test_other_failures_are_told_at_once(
    client: IdentityClient, service: FakeIdentityService, failure: Failure, kind: type[Exception]
) -> None:
    """What another attempt would not change is not attempted."""
    service.fail("GetAccount", failure)
    with pytest.raises(kind):
        client.get_account()
    assert len(service.received) == 1


def test_reissue_is_never_said_by_the_client_itself(client: IdentityClient, service: FakeIdentityService) -> None:
    """Retries repeat the request as it was: revoking secrets is the caller's decision."""
    service.fail("ProvisionUser", BUSY, IN_PROGRESS)
    client.provision_user("ana", access_key=True)
    assert not any(each.request.reissue_secrets for each in service.received)


async def test_the_asyncio_twin_retries_alike(service: FakeIdentityService) -> None:
    """The decision is shared, so the awaited call survives the same failures."""
    service.fail("ProvisionUser", IN_PROGRESS, BUSY)
    async with AsyncIdentityClient(service.target, insecure=True) as client:
        made = await client.provision_user("ana", access_key=True)
    assert made.credentials.access_key.access_key_id
    assert len(set(request_ids(service))) == 1


async def test_the_asyncio_twin_leaves_a_cut_mint_alone(service: FakeIdentityService) -> None:
    """The awaited call does not repeat a mint either."""
    service.fail("ProvisionUser", CUT)
    async with AsyncIdentityClient(service.target, insecure=True) as client:
        with pytest.raises(Unavailable):
            await client.provision_user("ana", access_key=True)
    assert len(service.received) == 1


class Clock:
    """A clock that stands still until a test moves it."""

    now = 0.0

    def __call__(self) -> float:
        """Answer the time."""
        return self.now


def begun(call: Call[GetAccountResponse] | Call[ProvisionUserResponse], clock: Clock) -> Attempts[Any]:
    """Begin a call that has ten seconds."""
    attempts: Attempts[Any] = Attempts(call, CallDefaults("", 10.0), clock)
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


CUT_BY_DEADLINE = Failure(grpc.StatusCode.DEADLINE_EXCEEDED, message="Deadline Exceeded")
STORE_DOWN = Failure(grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE", "the store is down", retry_after=0.0)


def test_a_deadline_does_not_hide_what_the_service_said() -> None:
    """A read that is cut after the service gave a reason fails with that reason."""
    attempts = begun(get_account(), Clock())
    attempts.wait_after(rpc_error(STORE_DOWN))
    error = attempts.final(rpc_error(CUT_BY_DEADLINE))
    assert isinstance(error, Unavailable)
    assert (error.reason, error.message) == ("STORE_UNAVAILABLE", "the store is down")


def test_a_cut_mint_stays_open_and_says_what_the_service_said() -> None:
    """A minting attempt that is cut may have made secrets: it is DeadlineExceeded, with the last reason in its text."""
    attempts = begun(provision_user("ana", access_key=True), Clock())
    attempts.wait_after(rpc_error(STORE_DOWN))
    error = attempts.final(rpc_error(CUT_BY_DEADLINE))
    assert isinstance(error, DeadlineExceeded)
    assert error.reason == ""
    assert "STORE_UNAVAILABLE: the store is down" in str(error)


def test_a_cut_plan_of_a_mint_tells_the_reason() -> None:
    """With validate_only nothing is open, so the reason is told."""
    attempts = begun(provision_user("ana", access_key=True, validate_only=True), Clock())
    attempts.wait_after(rpc_error(STORE_DOWN))
    assert isinstance(attempts.final(rpc_error(CUT_BY_DEADLINE)), Unavailable)


def test_a_deadline_without_a_reason_before_it_is_one() -> None:
    """Where the service said nothing, the deadline is all there is to tell."""
    attempts = begun(get_account(), Clock())
    assert isinstance(attempts.final(rpc_error(CUT_BY_DEADLINE)), DeadlineExceeded)


def test_no_attempt_is_begun_that_has_less_time_than_the_last_one_took() -> None:
    """After six of ten seconds in one attempt, the reason is told at once instead of a second cut."""
    clock = Clock()
    attempts = begun(get_account(), clock)
    clock.now = 6.0
    with pytest.raises(Unavailable) as caught:
        attempts.wait_after(rpc_error(STORE_DOWN))
    assert caught.value.reason == "STORE_UNAVAILABLE"


def test_a_service_that_is_down_for_long_is_told_by_its_reason(
    client: IdentityClient, service: FakeIdentityService
) -> None:
    """Through a real channel: many refusals with a reason end in that reason, not in a silent deadline."""
    service.fail("GetAccount", *[Failure(grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE", retry_after=0.05)] * 50)
    with pytest.raises(Unavailable) as caught:
        client.get_account(timeout=0.5)
    assert caught.value.reason == "STORE_UNAVAILABLE"
    assert len(service.received) > 1


@given(attempt=st.integers(1, 10_000), asked=st.none() | st.floats(0, 3600), draw=st.floats(0, 1))
def test_the_wait_keeps_its_bounds(attempt: int, asked: float | None, draw: float) -> None:
    """The wait is at least what the service asks for, and never more than five seconds without its asking."""
    wait = seconds_to_wait(attempt, asked, lambda: draw)
    if asked is None:
        assert 0 <= wait <= 5.0
    else:
        assert asked <= wait <= asked * 1.25 + 1e-9
