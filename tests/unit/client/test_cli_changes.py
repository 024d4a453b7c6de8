"""The commands that list and change users, credentials, permissions, groups and policies, against the fake service."""

from __future__ import annotations

import os
import pty
import re
import stat
import subprocess
import sys
from email import message_from_bytes
from pathlib import Path

import grpc
import pytest
import segno
from google.rpc.error_details_pb2 import ResourceInfo

from identity_client.cli.qr_code import drawn, key_uri
from identity_provisioning.v1.credential_pb2 import AccessKey, VirtualMfaDevice
from identity_provisioning.v1.credential_service_pb2 import ListMfaDevicesRequest
from identity_provisioning.v1.error_pb2 import ErrorReason
from identity_provisioning.v1.permission_pb2 import AttachedPolicy, Group, Policy
from identity_provisioning.v1.permission_service_pb2 import ListPoliciesRequest
from identity_provisioning.v1.plan_pb2 import PlanProblem, PlanWarning
from identity_provisioning.v1.user_pb2 import Tag, User
from tests.unit.client.conftest import Command
from tests.unit.client.fake_service import (
    ACCOUNT,
    PASSWORD,
    SECRET_KEY,
    SEED,
    SERIAL,
    SIGN_IN_URL,
    Failure,
    FakeIdentityService,
)

POLICY_ARN = f"arn:aws:iam::{ACCOUNT}:policy/Deploy"

CHANGES = {
    "UpdateUser": ("update", "ana", "--tag", "a=b"),
    "AdoptUser": ("adopt", "ana"),
    "AssignPermissions": ("assign", "ana", "--group", "g"),
    "RevokePermissions": ("revoke", "ana", "--group", "g"),
    "CreateCredentials": ("credentials", "create", "ana", "--access-key", "--show-secrets"),
    "DisableConsoleAccess": ("credentials", "disable-console", "ana"),
    "CreateMfaDevice": ("mfa", "create", "ana", "--show-secrets"),
    "EnableMfaDevice": ("mfa", "enable", "ana", SERIAL, "123456", "654321"),
    "DeleteMfaDevice": ("mfa", "delete", "ana", SERIAL),
    "CreateGroup": ("groups", "create", "g"),
    "DeleteGroup": ("groups", "delete", "g"),
    "CreatePolicy": ("policies", "create", "p", "@p.json"),
    "DeletePolicy": ("policies", "delete", POLICY_ARN),
}


@pytest.fixture(autouse=True)
def document(tmp_path: Path) -> None:
    """Have a policy document in the folder."""
    (tmp_path / "p.json").write_text('{"Version": "2012-10-17"}')


@pytest.mark.parametrize("method", CHANGES)
def test_each_change_is_reviewed_and_done_as_reviewed(run: Command, service: FakeIdentityService, method: str) -> None:
    """The plan is shown on standard error, and its digest goes with the one call that changes something."""
    done = run(*CHANGES[method], "--yes")
    assert done.exit_code == 0, done.stderr
    planned, carried_out = (each.request for each in service.calls(method))
    assert planned.validate_only
    assert not carried_out.validate_only
    assert re.fullmatch("[0-9a-f]{64}", carried_out.expected_plan_digest)
    assert f"iam:{method}" in done.stderr
    assert done.stdout


@pytest.mark.parametrize("method", CHANGES)
def test_each_change_needs_consent(run: Command, service: FakeIdentityService, method: str) -> None:
    """Without a terminal and without --yes the plan is shown and nothing is done."""
    done = run(*CHANGES[method])
    assert (done.exit_code, "--yes" in done.stderr) == (5, True)
    assert [each.request.validate_only for each in service.calls(method)] == [True]


@pytest.mark.parametrize("method", CHANGES)
def test_each_change_answers_a_machine(run: Command, service: FakeIdentityService, method: str) -> None:
    """With --output json the whole answer is one document, and so is a refusal."""
    found = run(*CHANGES[method], "--yes", "--output", "json").document()
    assert {"steps", "replayed"} <= found.keys()
    service.plan_problems[method] = PlanProblem(reason=ErrorReason.ERROR_REASON_NOT_OWNER, message="not yours")
    refused = run(*CHANGES[method], "--yes", "--output", "json")
    assert refused.exit_code == 3
    assert refused.document()["error"]["exit_code"] == 3
    assert refused.document()["plan"]["problems"][0]["reason"] == "ERROR_REASON_NOT_OWNER"


@pytest.mark.parametrize("method", CHANGES)
def test_each_plan_with_a_problem_changes_nothing(run: Command, service: FakeIdentityService, method: str) -> None:
    """The problem is shown without an empty table, and the exit code is 3."""
    service.plan_problems[method] = PlanProblem(reason=ErrorReason.ERROR_REASON_NOT_OWNER, message="not yours")
    done = run(*CHANGES[method], "--yes")
    assert done.exit_code == 3
    assert "problem: NOT_OWNER: not yours" in done.stderr
    assert "IAM action" not in done.stderr
    assert all(each.request.validate_only for each in service.calls(method))


def test_what_is_so_already_needs_no_consent(run: Command, service: FakeIdentityService) -> None:
    """A plan without steps is not asked about, and what was so already is said."""
    service.unchanged.add("AssignPermissions")
    done = run("assign", "ana", "--group", "g")
    assert done.exit_code == 0
    assert "Nothing had to be changed." in done.stdout
    assert "was so already: iam:AssignPermissions" in done.stdout


def test_a_step_is_told_in_words(run: Command, service: FakeIdentityService) -> None:
    """Two policies on one user have one resource: what tells the calls apart is their words."""
    done = run("update", "ana", "--rename", "anna", "--yes")
    assert "done: iam:UpdateUser do UpdateUser" in done.stdout


def test_a_failure_of_a_deletion_says_what_was_not_reached(run: Command, service: FakeIdentityService) -> None:
    """What is never undone is not said to remain."""
    metadata = {"failed_step": "iam:DeleteGroup", "remaining": "delete group g"}
    service.fail_change("DeleteGroup", Failure(grpc.StatusCode.FAILED_PRECONDITION, "IN_USE", metadata=metadata))
    done = run("groups", "delete", "g", "--yes")
    assert done.exit_code == 1
    assert "What was not reached: delete group g." in done.stderr


def test_what_the_service_left_open_names_the_next_command(run: Command, service: FakeIdentityService) -> None:
    """The person is told with what command to look, and what to do then."""
    left = Failure(grpc.StatusCode.FAILED_PRECONDITION, "UNDO_INCOMPLETE", metadata={"remaining": "group g"})
    service.fail_change("AssignPermissions", left)
    done = run("assign", "ana", "--group", "g", "--yes")
    assert done.exit_code == 1
    for text in ("group g", "`identityctl get ana`", "run the same command again"):
        assert text in done.stderr


def test_a_user_left_behind_names_its_removal(run: Command, service: FakeIdentityService) -> None:
    """After `provision` the exact command is named that clears the way for the same command."""
    metadata = {"remaining": "create user ana: not undone"}
    left = Failure(grpc.StatusCode.FAILED_PRECONDITION, "UNDO_INCOMPLETE", metadata=metadata)
    service.fail_user("ana", left)
    done = run("provision", "ana", "--yes")
    assert done.exit_code == 1
    told = " ".join((done.stdout + done.stderr).split())
    assert "`identityctl delete ana`" in told
    assert "run the same command again" in told


def test_users_of_all_pages_are_listed(run: Command, service: FakeIdentityService) -> None:
    """Every page is asked for with the filters, and the table has what a person looks for."""
    tags = [Tag(key="team", value="web"), Tag(key="identity-provisioning:row", value="r-1")]
    boundary = f"arn:aws:iam::{ACCOUNT}:policy/TeamBoundary"
    listed = [User(user_name=name, path="/x/", owner_team="web", tags=tags) for name in ("ana", "bo", "cy")]
    listed[0].permissions_boundary_arn = boundary
    service.lists["ListUsers"] = list(listed)
    done = run("list", "--path", "/x/", "--name", "a", "--tag", "team=web", "--tag", "any", "--owner", "web")
    assert done.exit_code == 0
    for text in ("3 users", "ana", "bo", "cy", "team=web", "TeamBoundary"):
        assert text in done.stdout
    assert "identity-provisioning:row" not in done.stdout
    request = service.calls("ListUsers")[1].request
    assert (request.path_prefix, request.name_prefix, request.owner_team) == ("/x/", "a", "web")
    assert {tag.key: tag.value for tag in request.tags} == {"team": "web", "any": ""}
    assert len(run("list", "--output", "json").document()["users"]) == 3


def test_groups_and_policies_are_listed(run: Command, service: FakeIdentityService) -> None:
    """A group shows what it grants, a policy its ARN and use; a group that grants nothing says so."""
    attached = [AttachedPolicy(policy_name="Deploy", policy_arn=POLICY_ARN)]
    service.lists["ListGroups"] = [Group(group_name="Ops", attached_policies=attached), Group(group_name="Empty")]
    service.lists["ListPolicies"] = [Policy(policy_name="Deploy", arn=POLICY_ARN, attachment_count=3)]
    done = run("groups", "list")
    assert all(text in done.stdout for text in ("Ops", "Deploy", "Empty", "grants nothing"))
    done = run("policies", "list", "--scope", "customer", "--search", "dep")
    assert all(text in done.stdout for text in (POLICY_ARN, "3"))
    request = service.calls("ListPolicies")[0].request
    assert (request.scope, request.search) == (2, "dep")
    assert run("groups", "list", "--output", "json").document()["groups"][0]["group_name"] == "Ops"
    assert run("policies", "list", "--output", "json").document()["policies"][0]["arn"] == POLICY_ARN


def test_policies_are_the_accounts_own_unless_others_are_asked_for(run: Command, service: FakeIdentityService) -> None:
    """AWS's thousand are not among them, and where nothing is found that is said."""
    done = run("policies", "list", "--search", "SageMaker")
    assert "Only the account's own were looked at; --scope aws" in done.stderr
    assert "looked at" not in run("policies", "list", "--scope", "all").stderr
    assert [each.request.scope for each in service.calls("ListPolicies")] == [
        ListPoliciesRequest.SCOPE_CUSTOMER,
        ListPoliciesRequest.SCOPE_UNSPECIFIED,
    ]


def test_mfa_devices_are_listed(run: Command, service: FakeIdentityService) -> None:
    """Each device says whose it is or for whom it waits; filters arrive, and the narrower of two counts."""
    service.lists["ListMfaDevices"] = [
        VirtualMfaDevice(serial_number="arn:mfa/a", user_name="ana", owner_team="web"),
        VirtualMfaDevice(serial_number="arn:mfa/b", made_for_user_name="bo", owner_team="web"),
        VirtualMfaDevice(serial_number="arn:mfa/c", made_for_user_name="cy", owner_team="ops", abandoned=True),
        VirtualMfaDevice(serial_number="arn:mfa/d"),
    ]
    done = run("mfa", "list", "--pending", "--user", "bo")
    lines = [[cell.strip() for cell in line.split("│")[1:-1]] for line in done.stdout.splitlines() if "arn:mfa" in line]
    assert lines == [
        ["arn:mfa/a", "enabled", "ana", "web"],
        ["arn:mfa/b", "pending", "for bo", "web"],
        ["arn:mfa/c", "abandoned", "for cy", "ops"],
        ["arn:mfa/d", "pending", "", ""],
    ]
    request = service.calls("ListMfaDevices")[0].request
    assert (request.assignment, request.user_name) == (ListMfaDevicesRequest.ASSIGNMENT_PENDING, "bo")
    document = run("mfa", "list", "--abandoned", "--pending", "--output", "json").document()
    assert document["mfa_devices"][2]["abandoned"] is True
    request = service.calls("ListMfaDevices")[-1].request
    assert (request.assignment, request.user_name) == (ListMfaDevicesRequest.ASSIGNMENT_ABANDONED, "")


def test_an_empty_list_says_so(run: Command, service: FakeIdentityService) -> None:
    """No empty table is drawn."""
    service.lists["ListUsers"] = []
    done = run("list")
    assert (done.exit_code, done.stdout, "None was found" in done.stderr) == (0, "", True)


def test_findings_of_a_policy_are_shown_before_it_is_made(run: Command, service: FakeIdentityService) -> None:
    """Wildcards and escalation are warnings of the review."""
    finding = PlanWarning(kind=PlanWarning.KIND_ESCALATION, message="can gain more rights", field="policy.document")
    service.warnings["CreatePolicy"] = [finding]
    done = run("policies", "create", "p", "@p.json", "--description", "what for")
    assert "warning: can gain more rights (policy.document)" in done.stderr
    request = service.calls("CreatePolicy")[0].request
    assert (request.policy.description, request.policy.document) == ("what for", '{"Version":"2012-10-17"}')


def test_all_permission_flags_reach_assign(run: Command, service: FakeIdentityService) -> None:
    """`assign` takes the options about permissions that `provision` takes."""
    flags = "--group g --policy p --inline i=@p.json --boundary b --copy-from bo --self-management password"
    assert run("assign", "ana", *flags.split(), "--yes").exit_code == 0
    request = service.calls("AssignPermissions")[-1].request
    given = request.permissions
    assert (list(given.group_names), list(given.managed_policies), given.permissions_boundary) == (["g"], ["p"], "b")
    assert (given.inline_policies[0].policy_name, given.copy_from_user_name, given.self_management) == ("i", "bo", 1)


def test_what_is_new_reaches_assign(run: Command, service: FakeIdentityService) -> None:
    """`assign` makes groups, policies and a boundary on the way, as `provision` does."""
    flags = "--new-group G:ReadOnlyAccess --new-policy P=@p.json --new-boundary B=@p.json"
    assert run("assign", "ana", *flags.split(), "--yes").exit_code == 0
    given = service.calls("AssignPermissions")[-1].request.permissions
    assert [(group.group_name, list(group.managed_policies)) for group in given.new_groups] == [
        ("G", ["ReadOnlyAccess"])
    ]
    assert [policy.policy_name for policy in given.new_policies] == ["P"]
    assert given.new_permissions_boundary.policy_name == "B"


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("iam:Policy", "Only the team that made the policy may change it"),
        ("iam:Group", "Only the team that made the group may change it"),
        ("iam:MFADevice", "Only the team that made the MFA device may change it"),
        ("iam:User", "`identityctl adopt`"),
        ("", "`identityctl adopt`"),
    ],
)
def test_only_users_are_said_to_be_adoptable(run: Command, service: FakeIdentityService, kind: str, said: str) -> None:
    """Nobody is sent to adopt a policy, a group or a device, which the service has no call for."""
    about = (ResourceInfo(resource_type=kind, resource_name="x"),) if kind else ()
    service.fail(
        "DeletePolicy", Failure(grpc.StatusCode.PERMISSION_DENIED, "NOT_OWNER", "not yours", more_details=about)
    )
    done = run("policies", "delete", POLICY_ARN, "--yes")
    assert done.exit_code == 1
    assert said in done.stderr
    assert ("adopt" in done.stderr) == ("adopt" in said)


def test_credentials_come_with_a_mail_draft(run: Command, service: FakeIdentityService, tmp_path: Path) -> None:
    """The draft goes to the address, says where to sign in and that the password must change, and holds no secret."""
    mail = ("--mail-dir", "mails", "--email", "ana@example.com")
    password = ("--console", "--require-reset", "--csv", "ana.csv")
    done = run("credentials", "create", "ana", *password, *mail, "--yes")
    assert done.exit_code == 0, done.stderr
    assert "The mail draft is mails/ana.eml." in done.stderr
    draft = message_from_bytes((tmp_path / "mails" / "ana.eml").read_bytes())
    text = str(draft.get_payload())
    assert draft["To"] == "ana@example.com"
    assert SIGN_IN_URL in text
    assert "choose another one" in text
    assert PASSWORD not in text
    again = run("credentials", "create", "ana", "--console", "--show-secrets", *mail, "--yes")
    assert (again.exit_code, "An earlier mail draft was left as it is." in again.stderr) == (0, True)


def test_update_says_every_change(run: Command, service: FakeIdentityService) -> None:
    """New name, path and tags arrive."""
    flags = ("--rename", "ana.lima", "--path", "/x/", "--tag", "a=b", "--untag", "c")
    assert run("update", "ana", *flags, "--yes").exit_code == 0
    request = service.calls("UpdateUser")[-1].request
    assert (request.new_user_name, request.new_path, list(request.remove_tag_keys)) == ("ana.lima", "/x/", ["c"])


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["update", "ana"], "Say at least one of --rename"),
        (["update", "ana", "--tag", "x"], "KEY=VALUE"),
        (["revoke", "ana"], "Say at least one of --group"),
        (["assign", "ana"], "Say at least one of --group"),
        (["assign", "a b", "--group", "g"], "a b"),
        (["assign", "ana", "--new-group", "G:"], "takes NAME, or NAME:POLICY"),
        (["assign", "ana", "--boundary", "b", "--new-boundary", "B=@p.json"], "A user has one boundary"),
        (["credentials", "create", "ana"], "Say at least one of --access-key"),
        (["credentials", "create", "ana", "--access-key"], "--csv FILE"),
        (["credentials", "create", "ana", "--access-key", "--require-reset", "--show-secrets"], "add --console"),
        (["credentials", "create", "ana", "--password-stdin", "--show-secrets"], "no password"),
        (["credentials", "create", "ana", "--access-key", "--csv", "p.json"], "p.json: exists"),
        (["credentials", "create", "ana", "--access-key", "--csv", "gone/x.csv"], "No such file"),
        (["credentials", "create", "ana", "--access-key", "--show-secrets", "--mail-dir", "m"], "add --console"),
        (["credentials", "create", "ana", "--console", "--show-secrets", "--email", "a@b.c"], "--mail-dir FOLDER"),
        (["credentials", "create", "ana", "--console", "--show-secrets", "--mail-language", "en"], "--mail-dir FOLDER"),
        (["credentials", "create", "ana", "--console", "--show-secrets", "--email", "a\nb"], "--email: "),
        (["credentials", "create", "ana", "--console", "--show-secrets", "--mail-dir", "p.json"], "is not a folder"),
        (["mfa", "create", "ana"], "--show-secrets"),
        (["mfa", "enable", "ana", SERIAL, "12345", "654321"], "six digits"),
        (["mfa", "enable", "ana", SERIAL, "123456"], "Two codes"),
        (["policies", "create", "p", "p.json"], "@FILE.json"),
        (["policies", "create", "p", "@gone.json"], "No such file"),
        (["policies", "delete", "De ploy"], "is not a policy's ARN, nor a name"),
        (["policies", "delete", "arn:aws:iam::1:policy/Deploy"], "is not a policy's ARN, nor a name"),
    ],
)
def test_bad_input_is_told_before_anything_is_sent(
    run: Command, service: FakeIdentityService, args: list[str], message: str
) -> None:
    """Each mistake has exit code 2 and a sentence, and the service hears nothing."""
    done = run(*args, "--yes")
    assert done.exit_code == 2
    assert message in done.stderr
    assert service.received == []


def test_a_policy_is_deleted_by_name(run: Command, service: FakeIdentityService) -> None:
    """The name is looked up among the account's own policies, through all pages and in any letter case."""
    service.lists["ListPolicies"] = [
        Policy(policy_name=name, arn=f"arn:aws:iam::{ACCOUNT}:policy/{name}")
        for name in ("Deployer", "ReDeploy", "Deploy")
    ]
    done = run("policies", "delete", "deploy", "--yes")
    assert done.exit_code == 0, done.stderr
    assert [each.request.policy_arn for each in service.calls("DeletePolicy")] == [POLICY_ARN, POLICY_ARN]
    search = service.calls("ListPolicies")[0].request
    assert (search.search, search.scope) == ("deploy", ListPoliciesRequest.SCOPE_CUSTOMER)


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        ([], "The account has no policy of its own named 'Deploy'; `identityctl policies list"),
        (["", "teams/"], f"{POLICY_ARN.replace('Deploy', 'teams/Deploy')}. Name the policy by its ARN."),
    ],
)
def test_a_name_that_is_not_one_policys_deletes_nothing(
    run: Command, service: FakeIdentityService, paths: list[str], message: str
) -> None:
    """An absent name and one that two policies have are told, to people and to machines, and nothing is asked for."""
    arns = [f"arn:aws:iam::{ACCOUNT}:policy/{path}Deploy" for path in paths]
    service.lists["ListPolicies"] = [Policy(policy_name="Deploy", arn=arn) for arn in arns]
    done = run("policies", "delete", "Deploy", "--yes", "--output", "json")
    assert (done.exit_code, service.calls("DeletePolicy")) == (1, [])
    assert message in done.stderr
    assert message in done.document()["error"]["message"]


def test_new_credentials_come_into_the_file_and_nowhere_else(run: Command, tmp_path: Path) -> None:
    """The file has the secrets, is its owner's alone, and the terminal has none of them."""
    done = run("credentials", "create", "ana", "--access-key", "--console", "--csv", "ana.csv", "--yes")
    assert done.exit_code == 0
    assert SECRET_KEY in (tmp_path / "ana.csv").read_text()
    assert stat.S_IMODE((tmp_path / "ana.csv").stat().st_mode) == 0o600
    assert SECRET_KEY not in done.stdout + done.stderr
    assert PASSWORD not in done.stdout + done.stderr
    assert "ana.csv" in done.stdout


def test_new_credentials_are_shown_on_demand(run: Command) -> None:
    """--show-secrets writes them unbroken, one a line; JSON has them in the answer."""
    flags = ("--access-key", "--console", "--yes")
    assert (
        f"  secret access key: {SECRET_KEY}\n" in run("credentials", "create", "ana", *flags, "--show-secrets").stdout
    )
    document = run("credentials", "create", "ana", *flags, "--output", "json").document()
    assert document["credentials"]["console_password"]["password"] == PASSWORD


def test_a_refused_credential_leaves_no_file(run: Command, service: FakeIdentityService, tmp_path: Path) -> None:
    """A file to which nothing came is removed again."""
    refused = Failure(grpc.StatusCode.ALREADY_EXISTS, "PASSWORD_ALREADY_EXISTS")
    service.fail_change("CreateCredentials", refused)
    done = run("credentials", "create", "ana", "--console", "--csv", "ana.csv", "--yes")
    assert done.exit_code == 1
    assert not (tmp_path / "ana.csv").exists()


def test_a_password_is_taken_from_standard_input(run: Command, service: FakeIdentityService) -> None:
    """The person's own password is sent and never shown."""
    flags = ("--password-stdin", "--show-secrets", "--yes")
    done = run("credentials", "create", "ana", *flags, stdin="hunter2!\n")
    assert done.exit_code == 0
    assert service.calls("CreateCredentials")[-1].request.credentials.console_password.custom_password == "hunter2!"
    assert "hunter2!" not in done.stdout + done.stderr


def test_a_lost_answer_of_a_mint_says_what_to_do(run: Command, service: FakeIdentityService) -> None:
    """Where secrets may have been made and lost, the commands are named that show and remove them."""
    service.fail_change("CreateCredentials", Failure(grpc.StatusCode.UNAVAILABLE), times=99)
    done = run("credentials", "create", "ana", "--console", "--show-secrets", "--yes")
    assert done.exit_code != 0
    assert "identityctl get ana" in done.stderr
    assert "disable-console ana" in done.stderr


def test_the_end_of_console_access_says_what_remains(run: Command, service: FakeIdentityService) -> None:
    """Keys that still work are named, and roles are not forgotten."""
    keys = [AccessKey(access_key_id="AKIA1", state=AccessKey.STATE_ACTIVE), AccessKey(access_key_id="AKIA2")]
    service.also["DisableConsoleAccess"] = {"access_keys": list(keys)}
    done = run("credentials", "disable-console", "ana", "--yes")
    assert "stays: access key AKIA1, active" in done.stdout
    assert "AKIA2" in done.stdout
    assert "roles" in done.stdout


def test_the_seed_is_drawn_once_on_demand(run: Command) -> None:
    """--show-secrets draws the code, and shows seed, serial number and the next command."""
    done = run("mfa", "create", "ana", "--show-secrets", "--yes")
    assert "█" in done.stdout
    assert done.stdout.count(SEED) == 1
    assert f"identityctl mfa enable ana {SERIAL}" in done.stdout
    assert SEED not in done.stderr


def test_the_next_command_can_be_copied_whatever_the_name(run: Command) -> None:
    """A user's name that begins with a dash is no option of the command that enables the device."""
    done = run("mfa", "create", "--show-secrets", "--yes", "--", "-x")
    assert f"identityctl mfa enable -- -x {SERIAL}" in done.stdout


@pytest.mark.parametrize(
    "command", [("mfa", "create", "ana", "--yes"), ("provision", "ana", "--mfa-device", "--show-secrets", "--yes")]
)
def test_at_a_terminal_the_code_is_drawn(
    service: FakeIdentityService, tmp_path: Path, command: tuple[str, ...]
) -> None:
    """The code is dark on light in any theme; of `mfa create` nobody has to say that the seed may be shown there."""
    mine, theirs = pty.openpty()
    program = [sys.executable, "-m", "identity_client.cli", "--target", service.target, "--insecure"]
    done = subprocess.run([*program, *command], stdout=theirs, check=False, cwd=tmp_path)
    os.close(theirs)
    shown = _all_of(mine)
    assert done.returncode == 0
    assert "\x1b[38;5;231;48;5;16m█" in shown
    assert SEED in shown


def test_a_wrong_code_says_so(run: Command, service: FakeIdentityService) -> None:
    """The device stays pending, and the person knows what to give next."""
    service.fail_change("EnableMfaDevice", Failure(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_MFA_CODE"))
    done = run(*CHANGES["EnableMfaDevice"], "--yes")
    assert done.exit_code == 1
    assert "stays pending" in done.stderr


def test_codes_go_only_with_the_change(run: Command, service: FakeIdentityService) -> None:
    """The plan is asked for without the person's codes; the change has them in their order."""
    run(*CHANGES["EnableMfaDevice"], "--yes")
    planned, carried_out = (each.request for each in service.calls("EnableMfaDevice"))
    assert planned.first_code != "123456"
    assert (carried_out.first_code, carried_out.second_code) == ("123456", "654321")


def test_codes_are_asked_for_after_the_review(service: FakeIdentityService, tmp_path: Path) -> None:
    """At a terminal the codes are typed last, since they live for seconds; one that is none is asked for again."""
    mine, theirs = pty.openpty()
    os.write(mine, b"y\n12\n123456\n654321\n")
    program = [sys.executable, "-m", "identity_client.cli", "--target", service.target, "--insecure"]
    command = [*program, "mfa", "enable", "ana", SERIAL]
    done = subprocess.run(command, stdin=theirs, capture_output=True, text=True, check=False, cwd=tmp_path)
    os.close(mine)
    os.close(theirs)
    assert done.returncode == 0, done.stderr
    request = service.calls("EnableMfaDevice")[-1].request
    assert (request.first_code, request.second_code) == ("123456", "654321")


def test_the_key_uri_is_what_authenticators_read() -> None:
    """Issuer, user and account label the entry; reserved characters of a user name are escaped."""
    uri = key_uri("ABC234", "ana+ops@x", ACCOUNT)
    assert uri == f"otpauth://totp/AWS:ana%2Bops@x@{ACCOUNT}?secret=ABC234&issuer=AWS"


def test_the_drawing_is_the_code() -> None:
    """Each half block is two modules of the code, light ones filled."""
    lines = drawn("otpauth://totp/x?secret=A", colours=False).splitlines()
    modules: list[list[bool]] = []
    for line in lines:
        modules.append([char in "▄ " for char in line])
        modules.append([char in "▀ " for char in line])
    code = segno.make_qr("otpauth://totp/x?secret=A", error="l")
    wanted = [[bool(module) for module in row] for row in code.matrix_iter(border=2)]
    assert modules[: len(wanted)] == wanted


def _all_of(terminal: int) -> str:
    """Read what was written to a terminal whose other end is closed."""
    read = b""
    try:
        while chunk := os.read(terminal, 65536):
            read += chunk
    except OSError:  # Linux says so where everything was read
        pass
    os.close(terminal)
    return read.decode()
