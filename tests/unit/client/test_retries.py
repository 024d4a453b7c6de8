"""Which calls are sent again, with what, and for how long."""

from __future__ import annotations

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
from identity_client._retry import seconds_to_wait
from identity_provisioning.v1.permission_service_pb2 import DeleteGroupRequest
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
    client.delete_group(DeleteGroupRequest(group_name="g"))
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


@given(attempt=st.integers(1, 10_000), asked=st.none() | st.floats(0, 3600), draw=st.floats(0, 1))
def test_the_wait_keeps_its_bounds(attempt: int, asked: float | None, draw: float) -> None:
    """The wait is at least what the service asks for, and never more than five seconds without its asking."""
    wait = seconds_to_wait(attempt, asked, lambda: draw)
    if asked is None:
        assert 0 <= wait <= 5.0
    else:
        assert asked <= wait <= asked * 1.25 + 1e-9
