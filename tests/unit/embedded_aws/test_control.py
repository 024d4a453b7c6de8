"""The control side of the embedded account: reset, record, dump, faults, and the life of its process."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError
from botocore.parsers import ResponseParserError

from embedded_aws import (
    AnswerError,
    AnswerHtml,
    CloseConnection,
    Delay,
    DropParameter,
    EmbeddedAws,
    EmbeddedAwsError,
    Fault,
    Hold,
    LoseReply,
    throttled,
)

READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
PASSWORD = "Correct-horse-7"


def names(iam: Any) -> list[str]:
    """The users that are there."""
    return [user["UserName"] for user in iam.list_users()["Users"]]


def test_a_reset_empties_the_account(aws: EmbeddedAws, iam: Any, client: Any) -> None:
    """After a reset the account is as it was at the start, attachment counts and quotas included."""
    fresh = aws.dump()
    iam.create_user(UserName="ada", Tags=[{"Key": "a", "Value": "b"}])
    iam.attach_user_policy(UserName="ada", PolicyArn=READ_ONLY)
    iam.create_access_key(UserName="ada")
    iam.create_account_alias(AccountAlias="alias")
    iam.update_account_password_policy()
    iam.create_virtual_mfa_device(VirtualMFADeviceName="d")
    aws.set_quota("UsersQuota", 1)
    aws.set_access_control(True)
    aws.inject(Fault("*", AnswerError("Boom", 500)))
    aws.reset()
    assert aws.calls() == []
    assert aws.dump() == fresh
    assert iam.get_policy(PolicyArn=READ_ONLY)["Policy"]["AttachmentCount"] == 0
    assert iam.get_account_summary()["SummaryMap"]["UsersQuota"] == 5000
    client("iam", "AKIAIOSFODNN7EXAMPLE", "anything").create_user(UserName="ada")
    assert iam.list_user_tags(UserName="ada")["Tags"] == []


def test_a_reset_is_fast(aws: EmbeddedAws) -> None:
    """A reset takes far less than reading AWS's policies anew."""
    began = time.perf_counter()
    aws.reset()
    assert time.perf_counter() - began < 0.05


def test_calls_are_recorded_without_secrets(aws: EmbeddedAws, iam: Any) -> None:
    """Each call is recorded with its outcome; passwords and codes are not in the record."""
    iam.create_user(UserName="ada")
    iam.create_login_profile(UserName="ada", Password=PASSWORD)
    with pytest.raises(ClientError):
        iam.get_user(UserName="nope")
    created, password, missing = aws.calls()
    assert (created.operation, created.parameters) == ("CreateUser", {"UserName": "ada"})
    assert (created.access_key_id, created.status, created.error_code) == (aws.access_key_id, 200, None)
    assert password.parameters == {"UserName": "ada", "Password": "REDACTED"}
    assert (missing.status, missing.error_code) == (404, "NoSuchEntity")
    assert PASSWORD not in repr(aws.calls())
    aws.clear_calls()
    assert aws.calls() == []


def test_calls_are_recorded_with_their_times(aws: EmbeddedAws, iam: Any) -> None:
    """Each call is recorded with when it was answered, by the account's own clock."""
    began = time.time()
    iam.list_users()
    aws.advance_clock(100)
    iam.list_users()
    first, second = (call.answered_at for call in aws.calls())
    assert began <= first
    assert 100 <= second - first < 200


def test_the_dump_tells_everything_but_secrets(aws: EmbeddedAws, iam: Any) -> None:
    """The dump is the same however often it is taken, shows each part of a user, and hashes secrets."""
    tags = [{"Key": "a", "Value": "b"}]
    iam.create_user(UserName="ada", Path="/p/", PermissionsBoundary=READ_ONLY, Tags=tags)
    key = iam.create_access_key(UserName="ada")["AccessKey"]
    iam.create_login_profile(UserName="ada", Password=PASSWORD, PasswordResetRequired=True)
    dumped = aws.dump()
    assert json.dumps(aws.dump()) == json.dumps(dumped)
    (user,) = dumped["users"]
    assert (user["name"], user["path"], user["boundary"], user["tags"]) == (
        "ada",
        "/p/",
        READ_ONLY,
        {"a": "b"},
    )
    assert user["access_keys"][0]["id"] == key["AccessKeyId"]
    assert user["login_profile"]["reset_required"] is True
    assert key["SecretAccessKey"] not in json.dumps(dumped)
    assert PASSWORD not in json.dumps(dumped)


def test_an_injected_error_does_nothing(aws: EmbeddedAws, iam: Any, refused: Any) -> None:
    """AnswerError answers its code and status, once, and the operation is not done."""
    aws.inject(Fault("CreateUser", AnswerError("ServiceFailure", 500)))
    with refused("ServiceFailure", 500):
        iam.create_user(UserName="ada")
    assert names(iam) == []
    iam.create_user(UserName="ada")


def test_faults_choose_their_calls(aws: EmbeddedAws, iam: Any, refused: Any) -> None:
    """A fault meets only calls with its parameters, skips the first ones, and strikes so many times."""
    aws.inject(Fault("CreateUser", throttled(), {"UserName": "ada"}, times=2, skip=1))
    iam.create_user(UserName="bob")
    iam.create_user(UserName="ada")
    for _ in range(2):
        with refused("Throttling", 400):
            iam.create_user(UserName="ada")
    with refused("EntityAlreadyExists", 409):
        iam.create_user(UserName="ada")


def test_a_fault_can_last_until_it_is_cleared(aws: EmbeddedAws, iam: Any, refused: Any) -> None:
    """With times=None every call is met until clear_faults."""
    aws.inject(Fault("*", throttled(), times=None))
    for _ in range(3):
        with refused("Throttling", 400):
            iam.list_users()
    aws.clear_faults()
    assert names(iam) == []


def test_a_lost_reply_leaves_the_work_done(aws: EmbeddedAws, iam: Any, refused: Any) -> None:
    """LoseReply answers an error after doing what was asked."""
    aws.inject(Fault("CreateUser", LoseReply()))
    with refused("ServiceFailure", 500):
        iam.create_user(UserName="ada")
    assert names(iam) == ["ada"]


@pytest.mark.parametrize("do_it", [True, False])
def test_a_closed_connection(aws: EmbeddedAws, iam: Any, do_it: bool) -> None:
    """CloseConnection ends the connection without an answer, with or without the work done."""
    aws.inject(Fault("CreateUser", CloseConnection(do_it=do_it)))
    with pytest.raises(ConnectionClosedError):
        iam.create_user(UserName="ada")
    assert names(iam) == (["ada"] if do_it else [])
    assert aws.calls()[0].status is None


def test_a_page_of_a_proxy(aws: EmbeddedAws, iam: Any) -> None:
    """AnswerHtml answers what botocore cannot read as an error of IAM."""
    aws.inject(Fault("ListUsers", AnswerHtml()))
    with pytest.raises((ResponseParserError, ClientError)) as raised:
        iam.list_users()
    if isinstance(raised.value, ClientError):
        assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 502


def test_a_delayed_answer(aws: EmbeddedAws, iam: Any) -> None:
    """Delay holds this call back and no other."""
    aws.inject(Fault("ListUsers", Delay(0.2)))
    began = time.perf_counter()
    iam.list_groups()
    assert time.perf_counter() - began < 0.2
    iam.list_users()
    assert time.perf_counter() - began >= 0.2


@pytest.mark.parametrize("done", [False, True])
def test_a_held_call(aws: EmbeddedAws, iam: Any, client: Any, done: bool) -> None:
    """Hold keeps a call waiting, before or after its work, until the release; others go on meanwhile."""
    aws.inject(Fault("CreateUser", Hold(done=done), {"UserName": "ada"}))
    other = client("iam")
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(other.create_user, UserName="ada")
        aws.wait_for_held()
        assert names(iam) == (["ada"] if done else [])
        assert not held.done()
        aws.release()
        assert held.result()["User"]["UserName"] == "ada"
    assert names(iam) == ["ada"]


def test_a_reset_drops_held_calls(aws: EmbeddedAws, iam: Any, client: Any) -> None:
    """A call that is held when the account is reset ends without answer, work and record."""
    aws.inject(Fault("CreateUser", Hold()))
    other = client("iam")
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(other.create_user, UserName="ada")
        aws.wait_for_held()
        aws.reset()
        with pytest.raises(ConnectionClosedError):
            held.result()
    assert aws.calls() == []
    assert names(iam) == []


def test_waiting_for_a_held_call_ends(aws: EmbeddedAws) -> None:
    """wait_for_held gives up after its timeout."""
    with pytest.raises(EmbeddedAwsError, match="held"):
        aws.wait_for_held(timeout=0)


def test_a_dropped_parameter(aws: EmbeddedAws, iam: Any) -> None:
    """DropParameter makes CreateUser succeed without the boundary that it was given."""
    aws.inject(Fault("CreateUser", DropParameter("PermissionsBoundary")))
    user = iam.create_user(UserName="ada", PermissionsBoundary=READ_ONLY)["User"]
    assert "PermissionsBoundary" not in user


def test_unknown_quotas_are_refused(aws: EmbeddedAws) -> None:
    """A quota that AWS does not know cannot be set."""
    with pytest.raises(EmbeddedAwsError):
        aws.set_quota("NoSuchQuota", 1)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [(["--host", "192.0.2.1"], "127.0.0.1"), (["--account-id", "me"], "twelve digits")],
)
def test_the_command_refuses_bad_arguments(arguments: list[str], complaint: str) -> None:
    """Anything but a loopback interface and an account id of twelve digits is refused with a reason."""
    ended = subprocess.run(
        [sys.executable, "-m", "embedded_aws", *arguments],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert ended.returncode == 2
    assert complaint in ended.stderr


def test_the_account_ends_with_its_parent() -> None:
    """A parent that is killed leaves no account behind."""
    script = (
        "import time\n"
        "from embedded_aws import EmbeddedAws\n"
        "with EmbeddedAws(account_id='210987654321') as aws:\n"
        "    print(aws.pid, flush=True)\n"
        "    time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    # Opened before the kill, so that the id cannot come to mean another process.
    handle = os.pidfd_open(child)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    ended, _, _ = select.select([handle], [], [], 10)
    os.close(handle)
    parent.stdout.close()
    assert ended


def test_the_command_serves_with_access_control(tmp_path: Path) -> None:
    """`embedded-aws` writes its ready file, serves another account id, and checks keys from the start."""
    ready = tmp_path / "ready.json"
    command = [sys.executable, "-m", "embedded_aws", "--account-id", "210987654321", "--access-control"]
    process = subprocess.Popen(
        [*command, "--ready-file", str(ready), "--until-stdin-closes"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        announced = json.loads(process.stdout.readline())
        assert json.loads(ready.read_text()) == announced

        def identity(secret: str) -> Any:
            sts = boto3.client(
                "sts",
                endpoint_url=announced["endpoint_url"],
                region_name="us-east-1",
                aws_access_key_id=announced["access_key_id"],
                aws_secret_access_key=secret,
                config=Config(proxies={}),
            )
            return sts.get_caller_identity()

        assert identity(announced["secret_access_key"])["Arn"] == "arn:aws:iam::210987654321:root"
        with pytest.raises(ClientError):
            identity("wrong")
    finally:
        process.communicate(timeout=10)
    assert process.returncode == 0
