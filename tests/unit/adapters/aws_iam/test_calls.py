"""Calls against an embedded account that misbehaves: what is sent again, what is traced, what never shows."""

import asyncio
import logging
import socket
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import NoOpTracer, SpanKind, StatusCode

from embedded_aws import (
    AnswerError,
    AnswerHtml,
    CloseConnection,
    Effect,
    EmbeddedAws,
    Fault,
    LoseReply,
    consecutive_codes,
    throttled,
)
from identity_service.adapters.aws_iam import AwsAccountSettings, ConfiguredAccounts, ExplicitCredentials
from identity_service.adapters.aws_iam.account import BotoIamAccount
from identity_service.adapters.aws_iam.calls import AwsCalls
from identity_service.adapters.aws_iam.pacing import Pacer
from identity_service.adapters.aws_iam.recent_entities import RecentEntities
from identity_service.adapters.aws_iam.retry import Clock, Retrier
from identity_service.adapters.aws_iam.send_rate import SendRate
from identity_service.application.sent_calls import SentCall, noted_calls, noting_calls
from identity_service.domain.errors import IamError, IamErrorKind
from identity_service.domain.secret import Secret
from identity_service.observability.aws_calls import AwsCall, collect_aws_calls

PASSWORD = "Correct-Horse-1"
DOCUMENT = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}'
NOT_FOUND = AnswerError("NoSuchEntity", 404)
BUSY = AnswerError("EntityTemporarilyUnmodifiable", 409)

Connect = Callable[..., ConfiguredAccounts]


def sent(aws: EmbeddedAws, operation: str) -> int:
    """Count how often an operation arrived."""
    return sum(call.operation == operation for call in aws.calls())


@pytest.fixture
def silent_server() -> Iterator[tuple[str, list[str]]]:
    """A server that takes requests and never answers: its address, and the actions that arrived."""
    arrived: list[str] = []
    finished = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def listen() -> None:
        open_connections = []
        while not finished.is_set():
            connection, _ = listener.accept()
            open_connections.append(connection)
            if not finished.is_set():
                _, _, body = connection.recv(65536).partition(b"\r\n\r\n")
                arrived.append(body.decode() if body else connection.recv(65536).decode())
        for connection in open_connections:
            connection.close()

    thread = threading.Thread(target=listen)
    thread.start()
    port = listener.getsockname()[1]
    yield f"http://127.0.0.1:{port}", arrived
    finished.set()
    socket.create_connection(("127.0.0.1", port)).close()
    thread.join()
    listener.close()


def elsewhere(endpoint_url: str) -> AwsAccountSettings:
    """Describe an account behind another endpoint."""
    return AwsAccountSettings(
        "123456789012", endpoint_url=endpoint_url, credentials=ExplicitCredentials("AKIAEXAMPLE", Secret("example"))
    )


# What is sent again.


async def test_throttled_twice_then_answered(iam: BotoIamAccount, aws: EmbeddedAws, time: Any) -> None:
    """A throttled call comes through in the end, with a wait before each repetition."""
    aws.inject(Fault("GetAccountSummary", throttled(), times=2))
    await iam.get_account_summary()
    assert sent(aws, "GetAccountSummary") == 3
    assert len(time.sleeps) >= 2


@pytest.mark.parametrize("effect", [LoseReply(), CloseConnection(), AnswerHtml(200, do_it=True)])
async def test_deletion_whose_answer_was_lost(iam: BotoIamAccount, aws: EmbeddedAws, effect: Effect) -> None:
    """A deletion that was carried out unseen succeeds at the repetition, with the id of the answer that arrived."""
    await iam.create_user("maria", "/", None, {})
    aws.inject(Fault("DeleteUser", effect))
    receipt = await iam.delete_user("maria")
    first, second = (call for call in aws.calls() if call.operation == "DeleteUser")
    assert second.error_code == "NoSuchEntity"
    assert receipt.request_id == second.request_id != first.request_id
    assert aws.dump()["users"] == []


async def test_every_sending_of_a_write_is_noted(iam: BotoIamAccount, aws: EmbeddedAws, time: Any) -> None:
    """An attempt knows each write with AWS's id of it, also one that was refused and sent again; reads it does not."""
    aws.inject(Fault("CreateUser", throttled()))
    with noting_calls():
        assert await iam.get_user("maria") is None
        await iam.create_user("maria", "/", None, {})
        noted = noted_calls()
    first, second = (call for call in aws.calls() if call.operation == "CreateUser")
    assert noted == (
        SentCall("iam:CreateUser", first.request_id, "THROTTLED"),
        SentCall("iam:CreateUser", second.request_id),
    )
    assert noted_calls() == ()


async def test_a_write_without_an_answer_is_noted_without_an_id(iam: BotoIamAccount, aws: EmbeddedAws) -> None:
    """Its id is AWS's alone; that something was sent is known all the same."""
    aws.inject(Fault("CreateUser", CloseConnection()))
    with noting_calls():
        await asyncio.gather(
            iam.create_user("maria", "/", None, {"identity-provisioning:row": "1"}), return_exceptions=True
        )
        assert noted_calls()[0] == SentCall("iam:CreateUser", "", "UNAVAILABLE")


async def test_deletion_that_was_not_carried_out_is_repeated(iam: BotoIamAccount, aws: EmbeddedAws) -> None:
    """A deletion that was lost on its way is carried out at the repetition."""
    await iam.create_user("maria", "/", None, {})
    aws.inject(Fault("DeleteUser", CloseConnection(do_it=False)))
    await iam.delete_user("maria")
    assert aws.dump()["users"] == []


async def test_busy_login_profile_is_waited_for(iam: BotoIamAccount, aws: EmbeddedAws) -> None:
    """A login profile that IAM cannot change yet is tried again."""
    await iam.create_user("maria", "/", None, {})
    await iam.create_login_profile("maria", Secret(PASSWORD), reset_required=False)
    aws.inject(Fault("DeleteLoginProfile", BUSY, times=3))
    await iam.delete_login_profile("maria")
    assert sent(aws, "DeleteLoginProfile") == 4


async def test_user_made_unseen_already_exists(iam: BotoIamAccount, aws: EmbeddedAws) -> None:
    """A CreateUser whose answer was lost ends as ALREADY_EXISTS that says that it may be this call's own."""
    aws.inject(Fault("CreateUser", LoseReply()))
    with pytest.raises(IamError) as caught:
        await iam.create_user("maria", "/", None, {})
    assert caught.value.kind is IamErrorKind.ALREADY_EXISTS
    assert caught.value.outcome_unknown
    assert sent(aws, "CreateUser") == 2


async def test_group_and_policy_made_unseen_already_exist(iam: BotoIamAccount, aws: EmbeddedAws) -> None:
    """Groups and policies whose making was not answered end like users do."""
    for operation in ("CreateGroup", "CreatePolicy"):
        aws.inject(Fault(operation, LoseReply()))
    for make in (iam.create_group("ops", "/"), iam.create_policy("readers", "/", "", DOCUMENT, {})):
        with pytest.raises(IamError) as caught:
            await make
        assert caught.value.kind is IamErrorKind.ALREADY_EXISTS
        assert caught.value.outcome_unknown


@pytest.mark.parametrize("effect", [LoseReply(), CloseConnection()])
async def test_removals_whose_answers_were_lost(iam: BotoIamAccount, aws: EmbeddedAws, effect: Effect) -> None:
    """What belongs to groups and policies, and these themselves, are removed once and reported removed."""
    await iam.create_group("ops", "/")
    arn = (await iam.create_policy("readers", "/", "", DOCUMENT, {})).value.arn
    await iam.attach_group_policy("ops", arn)
    for operation in ("DetachGroupPolicy", "DeleteGroup", "DeletePolicy"):
        aws.inject(Fault(operation, effect))
    await iam.detach_group_policy("ops", arn)
    await iam.delete_group("ops")
    await iam.delete_policy(arn)
    for operation in ("DetachGroupPolicy", "DeleteGroup", "DeletePolicy"):
        assert [call.error_code for call in aws.calls() if call.operation == operation][1:] == ["NoSuchEntity"]


@pytest.mark.parametrize("effect", [LoseReply(), CloseConnection(do_it=False)])
async def test_convergent_writes_are_repeated(iam: BotoIamAccount, aws: EmbeddedAws, effect: Effect) -> None:
    """Tags, attachments and paths are written again when nobody knows whether they were."""
    await iam.create_user("maria", "/", None, {"old": "x"})
    await iam.create_group("ops", "/")
    operations = ("TagUser", "UntagUser", "UpdateUser", "AttachGroupPolicy")
    for operation in operations:
        aws.inject(Fault(operation, effect))
    await iam.tag_user("maria", {"team": "blue"})
    await iam.untag_user("maria", ["old"])
    await iam.update_user("maria", None, "/staff/")
    await iam.attach_group_policy("ops", "arn:aws:iam::aws:policy/IAMUserChangePassword")
    user = await iam.get_user("maria")
    assert user is not None
    assert (user.path, user.tags) == ("/staff/", {"team": "blue"})
    assert [sent(aws, operation) for operation in operations] == [2, 2, 2, 2]


async def test_renaming_whose_answer_was_lost(iam: BotoIamAccount, aws: EmbeddedAws, time: Any) -> None:
    """A user renamed unseen is NOT_FOUND under the old name, with the word that this call may have done it."""
    await iam.create_user("maria", "/", None, {})
    time.now += 15.0
    aws.inject(Fault("UpdateUser", LoseReply()))
    with pytest.raises(IamError) as caught:
        await iam.update_user("maria", "mary", None)
    assert caught.value.kind is IamErrorKind.NOT_FOUND
    assert caught.value.outcome_unknown
    assert await iam.get_user("mary") is not None


async def test_user_made_unseen_is_recent(iam: BotoIamAccount, aws: EmbeddedAws) -> None:
    """A user who was perhaps made by this call is waited for like one who was."""
    aws.inject(Fault("CreateUser", LoseReply()))
    with pytest.raises(IamError):
        await iam.create_user("maria", "/", None, {})
    aws.inject(Fault("CreateAccessKey", NOT_FOUND))
    await iam.create_access_key("maria")


async def test_new_user_is_waited_for(iam: BotoIamAccount, aws: EmbeddedAws) -> None:
    """A write on a user made a moment ago is repeated while IAM does not find it."""
    await iam.create_user("Maria", "/", None, {})
    aws.inject(Fault("CreateLoginProfile", NOT_FOUND, times=2))
    aws.inject(Fault("PutUserPermissionsBoundary", NOT_FOUND))
    await iam.create_login_profile("maria", Secret(PASSWORD), reset_required=False)
    await iam.put_user_permissions_boundary("maria", "arn:aws:iam::aws:policy/IAMUserChangePassword")
    assert sent(aws, "CreateLoginProfile") == 3
    assert sent(aws, "PutUserPermissionsBoundary") == 2


async def test_old_user_is_not_waited_for(iam: BotoIamAccount, aws: EmbeddedAws, time: Any) -> None:
    """After the window, a user who is not found is reported at once."""
    await iam.create_user("maria", "/", None, {})
    time.now += 15.0
    aws.inject(Fault("CreateAccessKey", NOT_FOUND))
    with pytest.raises(IamError) as caught:
        await iam.create_access_key("maria")
    assert caught.value.kind is IamErrorKind.NOT_FOUND
    assert sent(aws, "CreateAccessKey") == 1


async def test_deleted_user_is_not_waited_for(iam: BotoIamAccount, aws: EmbeddedAws) -> None:
    """A user whom this adapter deleted is not expected to appear."""
    await iam.create_user("maria", "/", None, {})
    await iam.delete_user("maria")
    with pytest.raises(IamError):
        await iam.create_access_key("maria")
    assert sent(aws, "CreateAccessKey") == 1


async def test_missing_boundary_is_not_waited_for(iam: BotoIamAccount, aws: EmbeddedAws, time: Any) -> None:
    """NOT_FOUND of CreateUser is about the boundary and no matter of time, also where the name was used just now."""
    await iam.create_user("maria", "/", None, {})
    await iam.create_user("noor", "/", None, {})
    with pytest.raises(IamError) as caught:
        await iam.create_user("noor", "/", "arn:aws:iam::123456789012:policy/missing", {})
    assert caught.value.kind is IamErrorKind.NOT_FOUND
    assert time.sleeps == []


# Minting.


@pytest.mark.parametrize("refusal", [throttled(), BUSY, AnswerError("ConcurrentModification", 409)])
async def test_refused_mint_is_sent_again(iam: BotoIamAccount, aws: EmbeddedAws, refusal: AnswerError) -> None:
    """An answer which says that nothing was done makes a mint safe to repeat: one key comes of it."""
    await iam.create_user("maria", "/", None, {})
    aws.inject(Fault("CreateAccessKey", refusal, times=2))
    minted = (await iam.create_access_key("maria")).value
    assert [key["id"] for key in aws.dump()["users"][0]["access_keys"]] == [minted.access_key_id]


@pytest.mark.parametrize(
    "effect", [LoseReply(), LoseReply("ServiceUnavailable", 503), CloseConnection(), AnswerHtml(502), AnswerHtml(200)]
)
async def test_mint_whose_answer_was_lost_is_sent_once(iam: BotoIamAccount, aws: EmbeddedAws, effect: Effect) -> None:
    """A mint that may have been carried out is never repeated."""
    await iam.create_user("maria", "/", None, {})
    for operation in ("CreateAccessKey", "CreateLoginProfile"):
        aws.inject(Fault(operation, effect, times=None))
    for mint in (
        iam.create_access_key("maria"),
        iam.create_login_profile("maria", Secret(PASSWORD), reset_required=False),
    ):
        with pytest.raises(IamError) as caught:
            await mint
        assert caught.value.kind is IamErrorKind.UNAVAILABLE
        assert caught.value.outcome_unknown
    assert sent(aws, "CreateAccessKey") == 1
    assert sent(aws, "CreateLoginProfile") == 1


@pytest.mark.parametrize("effect", [LoseReply(), CloseConnection(), AnswerHtml(502)])
async def test_device_whose_answer_was_lost_is_sent_once(iam: BotoIamAccount, aws: EmbeddedAws, effect: Effect) -> None:
    """Neither the making of a seed is repeated nor an enabling, whose codes may be used up."""
    await iam.create_user("maria", "/", None, {})
    device = (await iam.create_virtual_mfa_device("maria-phone", {})).value
    first, second = map(Secret, consecutive_codes(device.seed.reveal()))
    for operation in ("CreateVirtualMFADevice", "EnableMFADevice"):
        aws.inject(Fault(operation, effect, times=None))
    aws.clear_calls()
    for mint in (
        iam.create_virtual_mfa_device("maria-tablet", {}),
        iam.enable_mfa_device("maria", device.serial_number, first, second),
    ):
        with pytest.raises(IamError) as caught:
            await mint
        assert caught.value.kind is IamErrorKind.UNAVAILABLE
        assert caught.value.outcome_unknown
    assert [call.operation for call in aws.calls()] == ["CreateVirtualMFADevice", "EnableMFADevice"]


@pytest.mark.parametrize("refusal", [throttled(), BUSY, AnswerError("ConcurrentModification", 409)])
async def test_refused_enabling_is_sent_again(iam: BotoIamAccount, aws: EmbeddedAws, refusal: AnswerError) -> None:
    """Codes that were not looked at can be sent again."""
    await iam.create_user("maria", "/", None, {})
    device = (await iam.create_virtual_mfa_device("maria-phone", {})).value
    first, second = map(Secret, consecutive_codes(device.seed.reveal()))
    aws.inject(Fault("EnableMFADevice", refusal))
    await iam.enable_mfa_device("maria", device.serial_number, first, second)
    assert sent(aws, "EnableMFADevice") == 2


async def test_wrong_codes_are_sent_once(iam: BotoIamAccount, aws: EmbeddedAws) -> None:
    """Wrong codes do not become right; the error does not hold them."""
    await iam.create_user("maria", "/", None, {})
    device = (await iam.create_virtual_mfa_device("maria-phone", {})).value
    second, first = consecutive_codes(device.seed.reveal())
    with pytest.raises(IamError) as caught:
        await iam.enable_mfa_device("maria", device.serial_number, Secret(first), Secret(second))
    assert caught.value.kind is IamErrorKind.WRONG_CODE
    assert not caught.value.outcome_unknown
    assert sent(aws, "EnableMFADevice") == 1
    assert first not in "".join(traceback.format_exception(caught.value))


async def test_timed_out_mint_is_sent_once(connect: Connect, silent_server: tuple[str, list[str]]) -> None:
    """Neither boto3 nor the adapter sends a mint again that ran into the read timeout."""
    endpoint_url, arrived = silent_server
    iam = connect(elsewhere(endpoint_url), read_timeout=0.2).get("")
    with pytest.raises(IamError) as caught:
        await iam.create_access_key("maria")
    assert caught.value.kind is IamErrorKind.UNAVAILABLE
    assert caught.value.outcome_unknown
    assert len(arrived) == 1


async def test_timed_out_read_is_sent_as_often_as_allowed(
    connect: Connect, silent_server: tuple[str, list[str]]
) -> None:
    """boto3's own retries are off: three attempts are three requests."""
    endpoint_url, arrived = silent_server
    iam = connect(elsewhere(endpoint_url), read_timeout=0.1, max_attempts=3).get("")
    with pytest.raises(IamError):
        await iam.get_user("maria")
    assert len(arrived) == 3


async def test_refused_connection(connect: Connect, time: Any) -> None:
    """Where nobody listens nothing was done, and even a mint is tried again within the budget."""
    with socket.socket() as bound_but_deaf:
        bound_but_deaf.bind(("127.0.0.1", 0))
        iam = connect(elsewhere(f"http://127.0.0.1:{bound_but_deaf.getsockname()[1]}"), max_attempts=3).get("")
        with pytest.raises(IamError) as caught:
            await iam.create_access_key("maria")
    assert caught.value.kind is IamErrorKind.UNAVAILABLE
    assert not caught.value.outcome_unknown
    assert len(time.sleeps) == 2


# What is traced and recorded.


async def test_span_of_an_answered_call(iam: BotoIamAccount, aws: EmbeddedAws, spans: InMemorySpanExporter) -> None:
    """A call's span says which call it was and how it was answered, and no parameter."""
    await iam.get_account_summary()
    (span,) = spans.get_finished_spans()
    assert span.name == "IAM/GetAccountSummary"
    assert span.kind is SpanKind.CLIENT
    assert dict(span.attributes or {}) == {
        "rpc.system.name": "aws-api",
        "rpc.method": "IAM/GetAccountSummary",
        "aws.request_id": aws.calls()[0].request_id,
        "http.response.status_code": 200,
    }
    assert span.status.status_code is StatusCode.UNSET


async def test_span_of_a_refused_call(iam: BotoIamAccount, spans: InMemorySpanExporter) -> None:
    """A refusal shows as its code: no event, no description, none of AWS's words."""
    with pytest.raises(IamError):
        await iam.delete_user("maria")
    (span,) = spans.get_finished_spans()
    attributes = dict(span.attributes or {})
    assert attributes["error.type"] == "NoSuchEntity"
    assert attributes["http.response.status_code"] == 404
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description is None
    assert span.events == ()
    assert "maria" not in span.to_json()


async def test_span_of_a_call_without_an_answer(
    iam: BotoIamAccount, aws: EmbeddedAws, spans: InMemorySpanExporter
) -> None:
    """A lost answer shows as such, without request id and status."""
    await iam.create_user("maria", "/", None, {})
    spans.clear()
    aws.inject(Fault("CreateAccessKey", CloseConnection()))
    with pytest.raises(IamError):
        await iam.create_access_key("maria")
    (span,) = spans.get_finished_spans()
    attributes = dict(span.attributes or {})
    assert attributes["error.type"] == "UNAVAILABLE"
    assert "aws.request_id" not in attributes
    assert "http.response.status_code" not in attributes
    assert span.events == ()


async def test_each_attempt_and_page_has_a_span(
    iam: BotoIamAccount, aws: EmbeddedAws, admin: Any, spans: InMemorySpanExporter
) -> None:
    """A repetition is a call of its own, and so is a page; a retry repeats its page and not the listing."""
    aws.set_quota("GroupsPerUserQuota", 200)
    admin.create_user(UserName="maria")
    for number in range(130):
        admin.create_group(GroupName=f"group-{number:03}")
        admin.add_user_to_group(UserName="maria", GroupName=f"group-{number:03}")
    aws.inject(Fault("ListGroupsForUser", throttled(), skip=1))
    assert len(await iam.list_groups("maria")) == 130
    assert [dict(span.attributes or {}).get("error.type") for span in spans.get_finished_spans()] == [
        None,
        "Throttling",
        None,
    ]


async def test_no_secret_in_spans_and_logs(
    iam: BotoIamAccount, spans: InMemorySpanExporter, caplog: pytest.LogCaptureFixture
) -> None:
    """No password, secret key, seed or code is in any span or, at INFO, in any log line."""
    caplog.set_level(logging.INFO)
    await iam.create_user("maria", "/", None, {})
    await iam.create_login_profile("maria", Secret(PASSWORD), reset_required=False)
    secret = (await iam.create_access_key("maria")).value.secret.reveal()
    device = (await iam.create_virtual_mfa_device("maria-phone", {})).value
    first, second = consecutive_codes(device.seed.reveal())
    await iam.enable_mfa_device("maria", device.serial_number, Secret(first), Secret(second))
    ended = spans.get_finished_spans()
    seen = "".join(f"{span.name}{span.attributes}{span.events}{span.status.description}" for span in ended)
    assert len(ended) == 5
    for hidden in (PASSWORD, secret, device.seed.reveal(), device.qr_code_png.reveal(), first, second):
        assert hidden not in seen + caplog.text


async def test_calls_are_recorded_for_the_request(iam: BotoIamAccount, aws: EmbeddedAws) -> None:
    """The request's log line learns each call's action, request id and code, in order."""
    aws.inject(Fault("CreateUser", throttled()))
    with collect_aws_calls() as calls:
        await iam.create_user("maria", "/", None, {})
        await iam.get_login_profile("maria")
    ids = [call.request_id for call in aws.calls()]
    assert calls == [
        AwsCall("iam:CreateUser", ids[0], "Throttling"),
        AwsCall("iam:CreateUser", ids[1], "ok"),
        AwsCall("iam:GetLoginProfile", ids[2], "NoSuchEntity"),
    ]


# What never shows.


async def test_value_that_boto3_quotes_does_not_show(
    connect: Connect, account_settings: AwsAccountSettings, spans: InMemorySpanExporter
) -> None:
    """A value that boto3 refuses and quotes is nowhere in the error, its chain or its traceback."""
    iam = connect(account_settings).get("")
    wrong_type: Any = ["hunter2"]
    with pytest.raises(IamError) as caught:
        await iam.create_user("maria", wrong_type, None, {})
    assert caught.value.kind is IamErrorKind.INVALID_INPUT
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))
    assert "hunter2" not in "".join(span.to_json() for span in spans.get_finished_spans())


async def test_password_that_cannot_be_sent_does_not_show(iam: BotoIamAccount) -> None:
    """A password with a lone surrogate cannot be encoded; the error does not hold it."""
    with pytest.raises(IamError) as caught:
        await iam.create_login_profile("maria", Secret("hunter2\ud800"), reset_required=False)
    assert caught.value.kind is IamErrorKind.INVALID_INPUT
    assert not caught.value.outcome_unknown
    assert caught.value.__context__ is None


async def test_error_of_a_lost_answer_has_no_chain(iam: BotoIamAccount, aws: EmbeddedAws) -> None:
    """boto3's exception is not carried along, because its text and frames may hold a parameter."""
    aws.inject(Fault("GetAccountSummary", CloseConnection(), times=None))
    with pytest.raises(IamError) as caught:
        await iam.get_account_summary()
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


# The pool.


class CountingClient:
    """Stands in for a boto3 client and watches who calls it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self.most_inside = 0
        self.threads: set[str] = set()

    def get_user(self, **_: object) -> dict[str, object]:
        """Answer at once."""
        with self._lock:
            self._inside += 1
            self.most_inside = max(self.most_inside, self._inside)
            self.threads.add(threading.current_thread().name)
        with self._lock:
            self._inside -= 1
        return {"ResponseMetadata": {"RequestId": "request-1", "HTTPStatusCode": 200}}


async def test_a_span_says_how_long_its_call_was_held_back(
    connect: Connect, account_settings: AwsAccountSettings, spans: InMemorySpanExporter
) -> None:
    """The wait for a turn stands in the span of the call that waited, and in no other."""
    iam = connect(account_settings, calls_per_second=2.0).get("")
    await iam.get_user("maria")
    await iam.get_user("maria")
    first, second = (span.attributes or {} for span in spans.get_finished_spans())
    assert "identity_service.paced_seconds" not in first
    assert 0.0 < float(str(second["identity_service.paced_seconds"])) <= 0.75


def _pacer(clock: Clock, slots: int) -> Pacer:
    return Pacer(clock, SendRate(clock.now), slots)


async def test_thousand_reads_stay_within_the_pool(time: Any) -> None:
    """A thousand calls at once are sent by the pool's own threads, no more of them at a time than it has."""
    client: Any = CountingClient()
    with ThreadPoolExecutor(8, thread_name_prefix="aws-iam") as pool:
        retrier = Retrier(20.0, 12, RecentEntities(15.0, time.clock.now), time.clock)
        calls = AwsCalls("IAM", client, pool, retrier, _pacer(time.clock, 8), NoOpTracer())
        replies = await asyncio.gather(*(calls.call("GetUser", UserName=f"user-{n}") for n in range(1000)))
    assert len(replies) == 1000
    assert client.most_inside <= 8
    assert all(name.startswith("aws-iam") for name in client.threads)


async def test_connections_are_as_many_as_threads(
    connect: Connect, account_settings: AwsAccountSettings, caplog: pytest.LogCaptureFixture
) -> None:
    """Under load no connection is thrown away for lack of room: urllib3 would warn of it."""
    iam = connect(account_settings, threads=8).get("")
    answers = await asyncio.gather(*(iam.get_user(f"user-{number}") for number in range(300)))
    assert answers == [None] * 300
    assert "Connection pool is full" not in caplog.text


async def test_unknown_operation_is_not_sent(time: Any) -> None:
    """Only operations whose repetition was thought about can be called."""
    client: Any = CountingClient()
    with ThreadPoolExecutor(1) as pool:
        retrier = Retrier(20.0, 12, RecentEntities(15.0, time.clock.now), time.clock)
        with pytest.raises(KeyError):
            await AwsCalls("IAM", client, pool, retrier, _pacer(time.clock, 1), NoOpTracer()).call(
                "CreateServiceLinkedRole"
            )
    assert client.threads == set()


class LoopingClient:
    """Answers a listing that never gets on."""

    def list_groups_for_user(self, **_: object) -> dict[str, object]:
        """Answer the same page for ever."""
        metadata = {"RequestId": "request-1", "HTTPStatusCode": 200}
        return {"Groups": [], "IsTruncated": True, "Marker": "same", "ResponseMetadata": metadata}


async def test_listing_that_does_not_get_on_is_given_up() -> None:
    """A listing whose marker repeats is UNAVAILABLE instead of endless."""
    client: Any = LoopingClient()
    with ThreadPoolExecutor(1) as pool:
        clock = Clock(now=lambda: datetime.now(UTC).timestamp())
        retrier = Retrier(20.0, 1, RecentEntities(15.0, clock.now), clock)
        calls = AwsCalls("IAM", client, pool, retrier, _pacer(clock, 1), NoOpTracer())
        with pytest.raises(IamError) as caught:
            await calls.items("ListGroupsForUser", "Groups", UserName="maria")
        with pytest.raises(IamError):
            await calls.page("ListGroupsForUser", "same", UserName="maria")
    assert caught.value.kind is IamErrorKind.UNAVAILABLE


async def test_no_tags_are_not_sent(iam: BotoIamAccount, aws: EmbeddedAws) -> None:
    """What is empty is left out of a call instead of being sent as an empty text."""
    await iam.create_user("maria", "/", None, {})
    await iam.create_policy("readers", "/", "", DOCUMENT, {})
    assert [sorted(call.parameters) for call in aws.calls()] == [
        ["Path", "UserName"],
        ["Path", "PolicyDocument", "PolicyName"],
    ]
