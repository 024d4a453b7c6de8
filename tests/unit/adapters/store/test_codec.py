"""What is stored comes back as it was, and what must not be stored raises."""

import dataclasses
from collections import ChainMap
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, TypeVar

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from identity_service.adapters.store import codec
from identity_service.application.ledger import Failure
from identity_service.domain import target
from identity_service.domain.entities import UserRecord
from identity_service.domain.errors import FieldViolation, IdentityError, QuotaViolation, Reason, Resource
from identity_service.domain.outcome import (
    ExecutedStep,
    IssuedAccessKey,
    IssuedCredentials,
    IssuedMfaDevice,
    IssuedPassword,
    Outcome,
)
from identity_service.domain.plan import Plan
from identity_service.domain.secret import Secret
from identity_service.domain.steps import STEPS_BY_ACTION, AddUserToGroup, Step

T = TypeVar("T")

TEXT = st.text(max_size=20)
TIMES = st.datetimes(timezones=st.just(UTC))
COUNTS = st.integers(0, 2**53)
SECRETS = st.none() | TEXT.map(Secret)


def many(strategy: st.SearchStrategy[T]) -> st.SearchStrategy[tuple[T, ...]]:
    """Make short tuples."""
    return st.lists(strategy, max_size=3).map(tuple)


USERS = st.builds(
    UserRecord,
    user_name=TEXT,
    user_id=TEXT,
    arn=TEXT,
    path=TEXT,
    created_at=TIMES,
    boundary_arn=st.none() | TEXT,
    tags=st.dictionaries(TEXT, TEXT, max_size=3),
    password_last_used_at=st.none() | TIMES,
)
CREDENTIALS = st.builds(
    IssuedCredentials,
    access_key=st.none() | st.builds(IssuedAccessKey, TEXT, TIMES, SECRETS),
    password=st.none() | st.builds(IssuedPassword, st.booleans(), st.booleans(), SECRETS),
    mfa_device=st.none() | st.builds(IssuedMfaDevice, TEXT, SECRETS, SECRETS),
    sealed_secrets=TEXT,
)
OUTCOMES = st.builds(
    Outcome,
    user=st.none() | USERS,
    credentials=st.none() | CREDENTIALS,
    sign_in_url=TEXT,
    steps=many(st.builds(ExecutedStep, TEXT, TEXT, TEXT, st.none() | TIMES, st.booleans(), TEXT)),
    replayed=st.booleans(),
)
ERRORS = st.builds(
    IdentityError,
    reason=st.sampled_from(Reason),
    message=TEXT,
    metadata=st.dictionaries(TEXT, TEXT, max_size=3),
    field_violations=many(st.builds(FieldViolation, TEXT, TEXT)),
    quota_violations=many(st.builds(QuotaViolation, TEXT, COUNTS, COUNTS, COUNTS)),
    resource=st.none() | st.builds(Resource, TEXT, TEXT),
    retry_after=st.none() | st.floats(0, 1e6),
)


def through_json(document: object) -> object:
    """Write and read JSON, as the database does."""
    return orjson.loads(orjson.dumps(document))


@settings(deadline=None)
@given(OUTCOMES)
def test_an_outcome_comes_back_without_its_secrets(outcome: Outcome) -> None:
    """Every outcome comes back equal to itself without secrets."""
    read = codec.decode_outcome(through_json(codec.encode_outcome(outcome)))
    assert read == outcome.without_secrets()


@settings(deadline=None)
@given(ERRORS, st.booleans())
def test_a_failure_comes_back(error: IdentityError, retryable: bool) -> None:
    """Every failure comes back with an error that can be raised and is the same in each part."""
    read = codec.decode_failure(through_json(codec.encode_failure(Failure(error, retryable))))
    assert read.retryable is retryable
    assert vars(read.error) == vars(error)
    assert str(read.error) == str(error)
    with pytest.raises(IdentityError):
        raise read.error


def test_a_reason_is_stored_by_name() -> None:
    """The stored form survives that reasons are numbered anew."""
    document = codec.encode_failure(Failure(IdentityError(Reason.IN_USE, "words"), retryable=False))
    assert document["error"]["reason"] == "IN_USE"


def test_a_step_is_stored_with_its_action() -> None:
    """A step's action, which is no field of it, is stored too."""
    step = AddUserToGroup(user_name="Ann", user_arn="arn:ann", round=2, group_name="Staff", group_arn="arn:staff")
    (stored,) = codec.encode_plan(Plan("123456789012", target.user("Ann"), steps=(step,)))["steps"]
    assert stored == {
        "iam_action": "iam:AddUserToGroup",
        "user_name": "Ann",
        "user_arn": "arn:ann",
        "round": 2,
        "group_name": "Staff",
        "group_arn": "arn:staff",
    }


@settings(deadline=None, max_examples=10)
@given(data=st.data())
@pytest.mark.parametrize("kind", STEPS_BY_ACTION.values())
def test_every_step_comes_back(kind: type[Step], data: st.DataObject) -> None:
    """A plan read back has each kind of step with all of its fields, those with a default included."""
    fields: dict[str, Any] = {field.name: ... for field in dataclasses.fields(kind)}
    step = data.draw(st.builds(kind, **{**fields, "round": st.integers(1, 9)}))
    plan = Plan("123456789012", target.user("Ann"), user_id="AIDAEXAMPLE", steps=(step,), satisfied=(step,))
    assert codec.decode_plan(through_json(codec.encode_plan(plan))) == plan


def test_sealed_secrets_are_stored_as_they_are() -> None:
    """What only the caller can open is answered byte for byte, however often it is asked for."""
    sealed = IssuedCredentials(
        access_key=IssuedAccessKey("AKIAEXAMPLE", datetime.now(UTC)), sealed_secrets="-----BEGIN"
    )
    read = codec.decode_outcome(through_json(codec.encode_outcome(Outcome(credentials=sealed))))
    assert read.credentials == sealed


@pytest.mark.parametrize("mapping", [MappingProxyType({"a": "b"}), ChainMap({"a": "b"})])
def test_any_mapping_is_stored(mapping: object) -> None:
    """A mapping need not be a dict."""
    assert codec.plain(mapping) == {"a": "b"}


@pytest.mark.parametrize(
    "value",
    [
        Secret("canary-value"),
        {"key": Secret("canary-value")},
        [("nested", Secret("canary-value"))],
        IssuedPassword(False, True, Secret("canary-value")),
        b"canary-value",
        {"canary-value"},
        Secret,
    ],
)
def test_what_is_not_known_is_not_stored(value: object) -> None:
    """A secret, wherever it stands, and any type that nobody thought of raise, without their content."""
    with pytest.raises(TypeError) as caught:
        codec.plain(value)
    assert "canary-value" not in str(caught.value)


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        "text",
        {"user": "canary-value"},
        {"replayed": "canary-value"},
        {"steps": [{"iam_action": "canary-value"}]},
        {
            "credentials": {
                "access_key": {"access_key_id": "A", "created_at": "2026-02-03T04:05:06Z", "secret": "canary-value"}
            }
        },
    ],
)
def test_a_broken_outcome_is_refused(document: object) -> None:
    """What is no outcome, or holds a text where a secret would be, is not read, and not repeated."""
    with pytest.raises(codec.StoredValueError) as caught:
        codec.decode_outcome(document)
    assert "canary-value" not in str(caught.value)


@pytest.mark.parametrize(
    "document",
    [
        None,
        {},
        {"error": None, "retryable": True},
        {"error": {"reason": "NO_SUCH_REASON", "message": "words"}, "retryable": True},
        {"error": {"reason": 1, "message": "words"}, "retryable": True},
        {"error": {"reason": "INTERNAL", "message": "words"}},
    ],
)
def test_a_broken_failure_is_refused(document: object) -> None:
    """What is no failure, or has a reason that nobody knows, is not read."""
    with pytest.raises(codec.StoredValueError):
        codec.decode_failure(document)


def test_times_keep_their_zone() -> None:
    """A time comes back aware; a naive one would not be equal."""
    at = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
    step = ExecutedStep("iam:CreateUser", "arn", "id", at)
    read = codec.decode_outcome(through_json(codec.encode_outcome(Outcome(steps=(step,)))))
    assert read.steps[0].completed_at == at
