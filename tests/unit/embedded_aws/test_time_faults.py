"""Faults of time and chance: eventual consistency, throttling, hanging calls. The account's clock is put forward."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from embedded_aws import (
    AnswerError,
    EmbeddedAws,
    Fault,
    FreshPassword,
    Hang,
    KeyNotReady,
    KeyOutlivesDeletion,
    NotFoundYet,
    StaleRead,
    Throttle,
)
from embedded_aws.faults import EFFECTS, FaultBox
from tests.unit.embedded_aws.conftest import ClientMaker

PASSWORD = "Correct-horse-7"


def lasting(operation: str, effect: Any, **more: Any) -> Fault:
    """A fault without end."""
    return Fault(operation, effect, times=None, **more)


def names(iam: Any) -> list[str]:
    """The users that are there."""
    return [user["UserName"] for user in iam.list_users()["Users"]]


def test_a_fresh_password_cannot_be_changed(aws: EmbeddedAws, iam: Any, refused: Any) -> None:
    """Changing and deleting are EntityTemporarilyUnmodifiable until the time is over; reading is not."""
    aws.inject(lasting("*", FreshPassword(5)))
    iam.create_user(UserName="ada")
    iam.create_login_profile(UserName="ada", Password=PASSWORD)
    iam.get_login_profile(UserName="ADA")
    for call in (iam.update_login_profile, iam.delete_login_profile):
        with refused("EntityTemporarilyUnmodifiable", 409):
            call(UserName="ADA")
    aws.advance_clock(5)
    iam.delete_login_profile(UserName="ada")


def test_what_is_new_is_not_found_yet(aws: EmbeddedAws, iam: Any, refused: Any) -> None:
    """Calls that name a new user, group or policy answer NoSuchEntity until the time is over."""
    aws.inject(lasting("*", NotFoundYet(2)))
    iam.create_user(UserName="ada")
    iam.create_group(GroupName="g")
    calls: tuple[Callable[[], Any], ...] = (
        lambda: iam.get_user(UserName="ada"),
        lambda: iam.create_access_key(UserName="ada"),
        lambda: iam.get_group(GroupName="G"),
    )
    for call in calls:
        with refused("NoSuchEntity", 404):
            call()
    with refused("EntityAlreadyExists", 409):
        iam.create_user(UserName="ada")
    aws.advance_clock(2)
    iam.add_user_to_group(GroupName="g", UserName="ada")


def test_not_found_is_scoped_by_operation_and_count(aws: EmbeddedAws, iam: Any, refused: Any) -> None:
    """Only calls that meet a new thing use the fault up."""
    iam.create_user(UserName="old")
    aws.advance_clock(60)
    aws.inject(Fault("GetUser", NotFoundYet(30)))
    iam.get_user(UserName="old")
    iam.create_user(UserName="new")
    iam.list_access_keys(UserName="new")
    with refused("NoSuchEntity", 404):
        iam.get_user(UserName="new")
    iam.get_user(UserName="new")


def test_reads_can_be_stale(aws: EmbeddedAws, iam: Any, refused: Any) -> None:
    """Get and List answer as it was; writes see what is there; time heals."""
    iam.create_user(UserName="before", Tags=[{"Key": "a", "Value": "old"}])
    aws.advance_clock(60)
    aws.inject(lasting("*", StaleRead(10)))
    iam.create_user(UserName="after")
    iam.tag_user(UserName="before", Tags=[{"Key": "a", "Value": "new"}])
    iam.create_group(GroupName="g")
    iam.add_user_to_group(GroupName="g", UserName="after")
    assert names(iam) == ["before"]
    assert iam.list_user_tags(UserName="before")["Tags"][0]["Value"] == "old"
    calls: tuple[Callable[[], Any], ...] = (
        lambda: iam.get_user(UserName="after"),
        lambda: iam.list_attached_user_policies(UserName="after"),
    )
    for call in calls:
        with refused("NoSuchEntity", 404):
            call()
    with refused("EntityAlreadyExists", 409):
        iam.create_user(UserName="after")
    aws.advance_clock(10)
    assert names(iam) == ["after", "before"]
    assert iam.get_group(GroupName="g")["Users"][0]["UserName"] == "after"
    iam.remove_user_from_group(GroupName="g", UserName="after")
    iam.delete_user(UserName="after")
    assert names(iam) == ["after", "before"]


def test_a_new_key_is_not_ready(aws: EmbeddedAws, iam: Any, client: ClientMaker, refused: Any) -> None:
    """A new key is InvalidClientTokenId until the time is over; older ones work."""
    iam.create_user(UserName="ada")
    aws.inject(lasting("*", KeyNotReady(10)))
    key = iam.create_access_key(UserName="ada")["AccessKey"]
    sts = client("sts", key["AccessKeyId"], key["SecretAccessKey"])
    with refused("InvalidClientTokenId", 403):
        sts.get_caller_identity()
    aws.advance_clock(10)
    assert sts.get_caller_identity()["Arn"].endswith("/ada")


def test_a_deleted_key_lives_on(aws: EmbeddedAws, iam: Any, client: ClientMaker, refused: Any) -> None:
    """A deleted key signs calls of its user until the time is over, and is not listed meanwhile."""
    iam.create_user(UserName="ada")
    key = iam.create_access_key(UserName="ada")["AccessKey"]
    aws.set_access_control(True)
    aws.inject(lasting("*", KeyOutlivesDeletion(4)))
    iam.delete_access_key(UserName="ada", AccessKeyId=key["AccessKeyId"])
    sts = client("sts", key["AccessKeyId"], key["SecretAccessKey"])
    assert sts.get_caller_identity()["Arn"].endswith("/ada")
    assert iam.list_access_keys(UserName="ada")["AccessKeyMetadata"] == []
    with refused("SignatureDoesNotMatch", 403):
        client("sts", key["AccessKeyId"], "wrong").get_caller_identity()
    aws.advance_clock(4)
    with refused("InvalidClientTokenId", 403):
        sts.get_caller_identity()


def test_a_bucket_throttles(aws: EmbeddedAws, iam: Any, refused: Any) -> None:
    """A burst passes, then Throttling, until the bucket has filled by its rate."""
    aws.inject(lasting("ListUsers", Throttle(rate=0.01, burst=3)))
    for _ in range(3):
        iam.list_users()
    with refused("Throttling", 400):
        iam.list_users()
    iam.list_groups()
    aws.advance_clock(200)
    iam.list_users()
    iam.list_users()
    with refused("Throttling", 400):
        iam.list_users()


def outcomes(aws: EmbeddedAws, iam: Any, seed: int) -> str:
    """Which of forty calls were met by a fault of one in four."""
    aws.clear_faults()
    aws.inject(lasting("ListUsers", AnswerError("ServiceFailure", 500), probability=0.25, seed=seed))
    met = ""
    for _ in range(40):
        try:
            iam.list_users()
        except ClientError:
            met += "x"
        else:
            met += "."
    return met


def test_chance_is_repeatable(aws: EmbeddedAws, iam: Any) -> None:
    """A share of calls is met: the same ones with the same seed, others with another."""
    first = outcomes(aws, iam, 1)
    assert 2 <= first.count("x") <= 20
    assert outcomes(aws, iam, 1) == first
    assert outcomes(aws, iam, 2) != first


def test_operations_are_chosen_by_pattern(aws: EmbeddedAws, iam: Any, refused: Any) -> None:
    """A pattern scopes a fault to several operations."""
    aws.inject(lasting("Create*", AnswerError("ConcurrentModification", 409)))
    calls: tuple[Callable[[], Any], ...] = (
        lambda: iam.create_user(UserName="a"),
        lambda: iam.create_group(GroupName="a"),
    )
    for call in calls:
        with refused("ConcurrentModification", 409):
            call()
    assert names(iam) == []


@pytest.mark.parametrize("do_it", [False, True])
def test_a_hanging_call(aws: EmbeddedAws, iam: Any, do_it: bool) -> None:
    """The client waits until it gives up, with or without the work done; the call is recorded as unanswered."""
    aws.inject(Fault("CreateUser", Hang(do_it=do_it)))
    impatient = _impatient(aws)
    with pytest.raises(ReadTimeoutError):
        impatient.create_user(UserName="ada")
    impatient.close()
    assert names(iam) == (["ada"] if do_it else [])


def _impatient(aws: EmbeddedAws) -> Any:
    return boto3.client(
        "iam",
        endpoint_url=aws.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=aws.access_key_id,
        aws_secret_access_key=aws.secret_access_key,
        config=Config(proxies={}, retries={"total_max_attempts": 1}, read_timeout=0.2),
    )


def test_a_reset_frees_hanging_calls(aws: EmbeddedAws, iam: Any, client: ClientMaker) -> None:
    """Clearing the faults ends a call that hangs."""
    aws.inject(Fault("CreateUser", Hang(), {"UserName": "ada"}))
    other = client("iam")
    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(other.create_user, UserName="ada")
        aws.wait_for_held()
        aws.clear_faults()
        with pytest.raises(ConnectionClosedError):
            hanging.result()


@pytest.mark.parametrize("kind", EFFECTS.values(), ids=EFFECTS.keys())
def test_faults_survive_the_control_api(kind: Any) -> None:
    """Each kind of fault comes out of JSON as it went in."""
    settings = {
        name: {"code": "Boom", "name": "Path"}.get(name, 1)
        for name, setting in kind.__dataclass_fields__.items()
        if name in {"code", "status", "seconds", "name", "rate"} and setting
    }
    fault = Fault("Create*", kind(**settings), {"UserName": "ada"}, None, 2, 0.5, 7)
    assert Fault.from_json(fault.to_json()) == fault


def test_no_faults_cost_nothing() -> None:
    """An empty box asks nothing of a call, so that the account behaves the same at any time of day."""
    box = FaultBox()
    assert box.effects_on("CreateUser", {}, lambda effect: pytest.fail("asked"), 0.0) == []
    assert box.longest_memory() is None
