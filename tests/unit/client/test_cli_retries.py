"""What the command line says and does when the service does not answer at once."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import grpc
import pytest

from identity_provisioning.v1.error_pb2 import ErrorReason
from identity_provisioning.v1.plan_pb2 import PlanProblem
from tests.unit.client.conftest import Command, Run
from tests.unit.client.fake_service import SECRET_KEY, Failure, FakeIdentityService

CUT = Failure(grpc.StatusCode.UNAVAILABLE, after_work=True)
IN_PROGRESS = Failure(grpc.StatusCode.ABORTED, "IN_PROGRESS", retry_after=1.0)
THROTTLED = Failure(grpc.StatusCode.UNAVAILABLE, "THROTTLED")
CONFLICT = Failure(grpc.StatusCode.ABORTED, "CONFLICT")
LATE = Failure(grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED")
UNUSABLE = Failure(grpc.StatusCode.FAILED_PRECONDITION, "CREDENTIAL_USED", "the key was used")
PROVISION = ("provision", "ana", "--access-key", "--csv", "one.csv", "--yes")
MINTS = {
    "CreateCredentials": ("credentials", "create", "ana", "--access-key", "--show-secrets", "--yes"),
    "CreateMfaDevice": ("mfa", "create", "ana", "--show-secrets", "--yes"),
}


def commands_in(run: Run) -> list[list[str]]:
    """Answer the commands that standard error names, as a shell would take them."""
    return [shlex.split(text) for text in re.findall("`identityctl ([^`]+)`", run.stderr)]


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (IN_PROGRESS, "The server is busy with this request; trying again…"),
        (CONFLICT, "Something else changes the account at this moment; trying again…"),
        (THROTTLED, "The service cannot do it now (THROTTLED); trying again…"),
        (LATE, "No answer came through; trying again…"),
    ],
    ids=["in progress", "conflict", "throttled", "late"],
)
def test_a_retry_is_said_once(run: Command, service: FakeIdentityService, failure: Failure, said: str) -> None:
    """Standard error tells why it takes longer, once for all retries, and the output is as ever."""
    service.fail_change("DeleteGroup", failure, times=3)
    done = run("groups", "delete", "g", "--yes")
    assert done.exit_code == 0
    assert done.stderr.count(said) == 1
    assert "trying again" not in done.stdout


def test_a_cut_run_makes_new_secrets_by_itself(run: Command, service: FakeIdentityService, tmp_path: Path) -> None:
    """An answer that went lost costs a line on standard error; the file has the secret that works."""
    service.fail_change("ProvisionUser", CUT)
    done = run(*PROVISION)
    assert done.exit_code == 0
    assert "with new secrets in the place of any that went lost" in done.stderr
    assert f"{SECRET_KEY}1" in (tmp_path / "one.csv").read_text()


def test_lost_secrets_are_made_anew_on_demand(run: Command, service: FakeIdentityService, tmp_path: Path) -> None:
    """A run that was given up is gone on with by --reissue-secrets, which it names, under the same request."""
    service.fail_user("ana", CUT)
    given_up = run(*PROVISION)
    assert given_up.exit_code != 0
    assert "the same command again, with --reissue-secrets," in given_up.stderr
    service.heal_user("ana")
    assert "Run the same command with --reissue-secrets" in run(*PROVISION).stdout
    done = run(*PROVISION, "--reissue-secrets")
    assert done.exit_code == 0
    (issued,) = service.issued.values()
    assert issued[-1] in (tmp_path / "one.csv").read_text()
    assert list(tmp_path.glob(".identityctl-resume-*")) == []


def test_secrets_that_are_not_lost_stay(run: Command, service: FakeIdentityService, tmp_path: Path) -> None:
    """With --reissue-secrets nothing is revoked that an earlier run has handed out."""
    service.fail_user("bo", Failure(grpc.StatusCode.PERMISSION_DENIED, "CALLER_NOT_ALLOWED"))
    command = ("provision", "ana", "bo", "--access-key", "--csv", "one.csv", "--yes")
    run(*command)
    service.heal_user("bo")
    done = run(*command, "--reissue-secrets")
    assert done.exit_code == 0
    assert not any(each.reissue_secrets for each in service.provisioned())
    assert len((tmp_path / "one.csv").read_text().splitlines()) == 3


def test_a_reissue_that_is_refused_leaves_the_deletion(run: Command, service: FakeIdentityService) -> None:
    """Where the service refuses new secrets the next run begins anew, and the refusal is told."""
    service.fail_user("ana", CUT)
    run(*PROVISION)
    service.heal_user("ana")
    run(*PROVISION)
    answered = iter([None, UNUSABLE])
    service.before_provision = lambda name: service.fail_user("ana", UNUSABLE) if next(answered, None) else None
    refused = run(*PROVISION, "--reissue-secrets")
    assert refused.exit_code == 1
    assert "CREDENTIAL_USED: the key was used" in refused.stdout
    service.before_provision = lambda name: None
    service.heal_user("ana")
    assert run("delete", "ana", "--yes").exit_code == 0
    assert run(*PROVISION).exit_code == 0


@pytest.mark.parametrize(("method", "command"), MINTS.items(), ids=MINTS)
def test_the_command_that_goes_on_is_named_whole(
    run: Command, service: FakeIdentityService, method: str, command: tuple[str, ...]
) -> None:
    """A mint that was given up ends with the command that goes on with it; run as it stands, it does so."""
    service.fail_change(method, CUT, times=99)
    given_up = run(*command)
    assert given_up.exit_code != 0
    named = next(each for each in commands_in(given_up) if "--request-id" in each)
    asked = {each.request.request_id for each in service.calls(method) if not each.request.validate_only}
    assert [named[named.index("--request-id") + 1]] == list(asked)
    assert named[-1] == "--reissue-secrets"
    service.heal_changes(method)
    begun = len(service.received)
    assert run(*named).exit_code == 0
    (changed,) = (each.request for each in service.received[begun:] if not each.request.validate_only)
    assert ({changed.request_id}, changed.reissue_secrets) == (asked, True)


def test_the_named_command_is_no_longer_than_needed(run: Command, service: FakeIdentityService) -> None:
    """Given up once more, the request is named once; where the answers came through no new secrets are asked for."""
    service.fail_change("CreateCredentials", IN_PROGRESS, times=999)
    given_up = run(*MINTS["CreateCredentials"])
    named = next(each for each in commands_in(given_up) if "--request-id" in each)
    assert "--reissue-secrets" not in named
    again = next(each for each in commands_in(run(*named)) if "--request-id" in each)
    assert again[-len(named) :] == named
    assert again.count("--request-id") == 1


def test_what_an_earlier_request_did_is_no_obstacle_to_it(run: Command, service: FakeIdentityService) -> None:
    """Going on with a request, a plan that cannot run any more is shown, and the request is sent without its digest."""
    reason = ErrorReason.ERROR_REASON_QUOTA_EXCEEDED
    service.plan_problems["CreateCredentials"] = PlanProblem(reason=reason, message="two keys are there")
    command = (*MINTS["CreateCredentials"], "--request-id", "0b7e9f0e-6a0c-4a3e-9f6b-3a4cf2a3f4a1")
    done = run(*command)
    assert done.exit_code == 0
    assert "may be its own work" in done.stderr
    assert service.received[-1].request.expected_plan_digest == ""
    assert run(*MINTS["CreateCredentials"]).exit_code == 3


@pytest.mark.parametrize("wrong", [("--request-id", "no uuid"), ("--reissue-secrets",)], ids=["no uuid", "no request"])
def test_what_cannot_be_gone_on_with_is_refused(
    run: Command, service: FakeIdentityService, wrong: tuple[str, ...]
) -> None:
    """An id that is none, or new secrets of no request, is bad input, and nothing is sent."""
    for command in MINTS.values():
        assert run(*command, *wrong).exit_code == 2
    assert service.received == []
