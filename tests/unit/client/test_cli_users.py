"""`identityctl get`, `delete` and `account`."""

from __future__ import annotations

import grpc
import pytest

from tests.unit.client.conftest import Command
from tests.unit.client.fake_service import SIGN_IN_URL, Failure, FakeIdentityService


@pytest.fixture(autouse=True)
def ana(run: Command) -> None:
    """Have a user to begin with."""
    assert run("provision", "ana", "--yes").exit_code == 0


def test_get_shows_a_user(run: Command) -> None:
    """The table has what the service knows, the document has it under the contract's names."""
    assert ":user/ana" in run("get", "ana").stdout
    document = run("get", "ANA", "--output", "json").document()
    assert document["user"]["user_name"] == "ana"
    assert document["group_names"] == ["Developers"]


def test_get_tells_who_is_not_there(run: Command) -> None:
    """An absent user is exit code 1 and says what to check."""
    done = run("get", "nobody")
    assert done.exit_code == 1
    assert "USER_NOT_FOUND" in done.stderr
    assert "Check the spelling" in done.stderr
    assert done.stdout == ""


def test_delete_shows_and_does_what_was_reviewed(run: Command, service: FakeIdentityService) -> None:
    """The plan is shown, and its digest goes with the deletion."""
    done = run("delete", "ana", "--yes")
    assert done.exit_code == 0
    assert "iam:DeleteUser" in done.stderr
    assert "Deleted arn:aws:iam" in done.stdout
    assert service.calls("DeleteUser")[-1].request.expected_plan_digest == "d" * 64
    assert service.users == {}


def test_delete_needs_consent(run: Command, service: FakeIdentityService) -> None:
    """Without a terminal and without --yes the user stays."""
    assert run("delete", "ana").exit_code == 5
    assert "ana" in service.users


def test_delete_of_a_changed_user_is_refused(run: Command, service: FakeIdentityService) -> None:
    """A plan that changed since the review is told with what to do."""
    changed = Failure(grpc.StatusCode.ABORTED, "PLAN_CHANGED", "changed")
    service.fail("DeleteUser", Failure(grpc.StatusCode.UNAVAILABLE), changed)
    done = run("delete", "ana", "--yes")
    assert done.exit_code == 1
    assert "review anew" in done.stderr


def test_account_shows_what_there_is_to_know(run: Command) -> None:
    """Sign-in page, password rules and quotas are shown."""
    done = run("account")
    for text in (SIGN_IN_URL, "acme", "at least 8 characters", "AWS's default", "UsersQuota", "5000"):
        assert text in done.stdout
    assert run("account", "--output", "json").document()["quotas"][0]["limit"] == "5000"


def test_account_tells_a_failure_with_its_trace(run: Command, service: FakeIdentityService) -> None:
    """A fault of the service names the trace that its operators need."""
    service.fail("GetAccount", Failure(grpc.StatusCode.INTERNAL, "INTERNAL", metadata={"trace_id": "abc123"}))
    done = run("account")
    assert done.exit_code == 1
    assert "abc123" in done.stderr
