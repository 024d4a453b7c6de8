"""AdoptUser through a real channel, in the embedded account, and by the shipped client."""

import grpc
import pytest

from embedded_aws import Fault
from embedded_aws.faults import AnswerError
from identity_client import IdentityClient, PermissionDenied
from identity_provisioning.v1.user_service_pb2 import AdoptUserRequest
from tests.integration.conftest import TEAM, Account, Stubs, metadata_of, reason_of
from tests.integration.test_error_table import ANY, LIMIT

OWNER = "identity-provisioning:owner"
ERRORS = {**ANY, ("NoSuchEntity", 404): "USER_NOT_FOUND", ("ConcurrentModification", 409): "CONFLICT", **LIMIT}


@pytest.fixture
def by_hand(account: Account) -> Account:
    """An account in which somebody has made ana by hand."""
    account.iam.create_user(UserName="ana", Path="/people/", Tags=[{"Key": "team", "Value": "web"}])
    account.aws.clear_calls()
    return account


def owner(account: Account) -> str | None:
    """Return who owns ana."""
    tags = account.iam.get_user(UserName="ana")["User"]["Tags"]
    found: str | None = {tag["Key"]: tag["Value"] for tag in tags}.get(OWNER)
    return found


def test_a_user_is_reviewed_adopted_and_then_changed(client: IdentityClient, by_hand: Account) -> None:
    """Before, the user is out of reach; the plan shows the tag; after, the user is the team's."""
    with pytest.raises(PermissionDenied) as refused:
        client.delete_user("ana")
    assert refused.value.reason == "NOT_OWNER"
    plan = client.adopt_user("ana", validate_only=True).plan
    assert [(step.iam_action, dict(step.details)) for step in plan.steps] == [("iam:TagUser", {f"tag {OWNER}": TEAM})]
    assert by_hand.writes() == []
    adopted = client.adopt_user("ana", expected_plan_digest=plan.digest)
    assert adopted.user.owner_team == TEAM
    assert owner(by_hand) == TEAM
    assert [step.iam_action for step in adopted.steps] == ["iam:TagUser"]
    client.delete_user("ana")


def test_another_teams_user_stays_theirs(client: IdentityClient, by_hand: Account) -> None:
    """The owner tag of another team is refused and left alone."""
    by_hand.iam.tag_user(UserName="ana", Tags=[{"Key": OWNER, "Value": "another-team"}])
    with pytest.raises(PermissionDenied) as refused:
        client.adopt_user("ana")
    assert refused.value.reason == "NOT_OWNER"
    assert owner(by_hand) == "another-team"


def test_adopting_again_changes_nothing(client: IdentityClient, by_hand: Account) -> None:
    """One that is owned already is answered unchanged."""
    client.adopt_user("ana")
    by_hand.aws.clear_calls()
    assert [step.unchanged for step in client.adopt_user("ana").steps] == [True]
    assert by_hand.writes() == []


@pytest.mark.parametrize(("code", "status"), ERRORS, ids=lambda part: str(part))
def test_each_row_of_the_error_table(stubs: Stubs, by_hand: Account, code: str, status: int) -> None:
    """The caller hears reason, step, AWS's code and what was not reached; the user is as it was."""
    by_hand.aws.inject(Fault("TagUser", AnswerError(code, status), times=None))
    with pytest.raises(grpc.RpcError) as caught:
        stubs.call("AdoptUser", AdoptUserRequest(user_name="ana"))
    by_hand.aws.clear_faults()
    metadata = metadata_of(caught.value)
    assert reason_of(caught.value) == ERRORS[code, status]
    assert (metadata["failed_step"], metadata["aws_error_code"]) == ("iam:TagUser", code)
    assert metadata["remaining"] == f"set the tags {OWNER} of ana"
    assert owner(by_hand) is None


def test_an_absent_user_is_named(stubs: Stubs, account: Account) -> None:
    """There is nobody to adopt."""
    with pytest.raises(grpc.RpcError) as caught:
        stubs.call("AdoptUser", AdoptUserRequest(user_name="nobody"))
    assert reason_of(caught.value) == "USER_NOT_FOUND"
