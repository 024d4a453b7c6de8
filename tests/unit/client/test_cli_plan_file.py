"""`identityctl plan -f`: the users of a file are planned together, as `provision -f` plans them."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from identity_provisioning.v1.error_pb2 import ErrorReason
from identity_provisioning.v1.operation_pb2 import Operation
from tests.unit.client.conftest import Command
from tests.unit.client.fake_operations import OperatingService, Piece
from tests.unit.client.fake_service import Failure

NAMES = [f"u{index}" for index in range(12)]
DENIED = Failure(grpc.StatusCode.PERMISSION_DENIED, "CALLER_NOT_ALLOWED", "not you")
FULL = Failure(grpc.StatusCode.RESOURCE_EXHAUSTED, "QUOTA_EXCEEDED", "too many groups")
PLAN = ("plan", "-f", "users.yaml")


@pytest.fixture
def service(tmp_path: Path) -> Iterator[OperatingService]:
    """Start a fake service with operations, and have a file of users with access keys."""
    users = [{"name": name, "access_key": True} for name in NAMES]
    (tmp_path / "users.yaml").write_text(json.dumps({"users": users}))
    fake = OperatingService()
    yield fake
    fake.stop()


def test_a_file_is_planned_as_one_operation_that_ends(run: Command, service: OperatingService, tmp_path: Path) -> None:
    """One draft has all users, nobody is planned alone or made, and neither draft nor file is left."""
    done = run(*PLAN)
    assert done.exit_code == 0, done.stderr
    assert [spec.user_name for spec in service.piece.specs] == NAMES
    assert [each.request.validate_only for each in service.calls("StartOperation")] == [True]
    assert (service.calls("ProvisionUser"), service.users) == ([], {})
    assert service.piece.operation.state == Operation.STATE_CANCELLED
    assert list((tmp_path / "state").rglob("*.json")) == []


def test_the_accounts_quotas_are_those_of_all_users(run: Command) -> None:
    """They are told once, as the service has planned them, to people and machines; people see how far the work is."""
    done = run(*PLAN)
    assert done.stdout.count("UsersQuota") == 1
    assert "quotas of the account: UsersQuota 7 → 19 of 5000" in done.stdout
    assert f"{len(NAMES)} of {len(NAMES)}" in done.stderr
    (use,) = run(*PLAN, "--output", "json").document()["quota_uses"]
    assert (use["quota_name"], use["used_after"]) == ("UsersQuota", "19")


def test_an_account_that_cannot_take_all_of_them_gets_no_approval(run: Command, service: OperatingService) -> None:
    """What `provision -f` would refuse as a whole has no digest here either, and leaves no draft."""
    service.fail("StartOperation", FULL, FULL)
    done = run(*PLAN)
    assert (done.exit_code, done.stdout) == (3, "")
    assert "too many groups" in done.stderr
    assert service.piece.operation.state == Operation.STATE_CANCELLED
    error = run(*PLAN, "--output", "json").document()["error"]
    assert (error["reason"], error["exit_code"]) == ("QUOTA_EXCEEDED", 3)


@pytest.mark.parametrize("method", ["CreateOperation", "AppendUsers", "StartOperation"])
def test_a_right_that_is_missing_is_named(run: Command, service: OperatingService, method: str) -> None:
    """Who may not have operations learns which rights they take."""
    service.fail(method, DENIED)
    done = run(*PLAN)
    assert done.exit_code == 3
    assert "not you" in done.stderr
    assert "takes the rights to CreateOperation, AppendUsers, StartOperation," in done.stderr


def test_a_plan_that_cannot_run_is_named(run: Command, service: OperatingService) -> None:
    """The others are shown all the same, and there is no digest to approve."""
    service.refuse_plan("u3", ErrorReason.ERROR_REASON_USER_ALREADY_EXISTS, "is there")
    done = run(*PLAN)
    assert (done.exit_code, "provision --approved" in done.stdout) == (3, False)
    assert "problem: u3: USER_ALREADY_EXISTS: is there" in done.stdout
    assert "1 of 12 plans cannot run: u3" in done.stderr
    assert run(*PLAN, "--output", "json").document()["digest"] == ""


def test_an_interrupt_leaves_no_draft(run: Command, service: OperatingService) -> None:
    """Ctrl-C while the users are planned cancels the operation."""

    def interrupt(piece: Piece) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    service.while_planning = interrupt
    assert run(*PLAN).exit_code == 130
    assert service.piece.operation.state == Operation.STATE_CANCELLED


def test_the_plans_count_where_the_draft_cannot_be_cancelled(run: Command, service: OperatingService) -> None:
    """The service removes what it does not hear of, so that is no failure of the plan."""
    service.fail("CancelOperation", DENIED)
    assert run(*PLAN).exit_code == 0


def test_users_that_are_named_are_planned_each_alone(run: Command, service: OperatingService) -> None:
    """Where `provision` makes no operation, `plan` makes none."""
    assert run("plan", "ana", "bo").exit_code == 0
    assert (len(service.calls("ProvisionUser")), service.pieces) == (2, {})
