"""Log lines: their form, and what never gets into one."""

import asyncio
import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import structlog
from opentelemetry.sdk.trace import TracerProvider

from identity_provisioning.v1.credential_pb2 import IssuedAccessKey
from identity_service.domain.secret import Secret
from identity_service.observability.logging import configure_logging, open_log_file

CANARY = "canary-wJalrXUtnFEMI"
Lines = Callable[[], list[dict[str, Any]]]


def test_a_line_is_json_with_event_level_and_time(lines: Lines) -> None:
    """Each line is one JSON object; the time is in UTC."""
    structlog.get_logger().info("served", count=3, ok=True, nothing=None)
    (line,) = lines()
    assert (line["event"], line["level"], line["count"], line["ok"], line["nothing"]) == (
        "served",
        "info",
        3,
        True,
        None,
    )
    assert datetime.fromisoformat(line["timestamp"]).utcoffset() == UTC.utcoffset(None)


@pytest.mark.parametrize(
    "name",
    ["password", "secret", "token", "custom_password", "secret_access_key", "authorization", "AWS_SESSION_TOKEN"],
)
def test_what_is_named_like_a_secret_is_masked_at_any_depth(lines: Lines, name: str) -> None:
    """Values under such names are not shown, inside mappings and lists neither."""
    structlog.get_logger().info("x", **{name: CANARY, "nested": {"list": [{name: CANARY}]}})
    (line,) = lines()
    assert line[name] == "***"
    assert CANARY not in json.dumps(line)


def test_secrets_and_unknown_objects_do_not_show_themselves(lines: Lines) -> None:
    """A Secret is masked under any name; a message, whose text ignores debug_redact, is named by its type."""
    message = IssuedAccessKey(access_key_id="AKIA", secret_access_key=CANARY)
    structlog.get_logger().info("x", value=Secret(CANARY), values=[Secret(CANARY)], message=message)
    (line,) = lines()
    assert (line["value"], line["values"], line["message"]) == ("***", ["***"], "<IssuedAccessKey>")


def test_a_structure_without_end_is_cut(lines: Lines) -> None:
    """A value that contains itself does not hang the log."""
    endless: dict[str, Any] = {}
    endless["again"] = endless
    structlog.get_logger().info("x", endless=endless)
    assert "***" in json.dumps(lines()[0])


def fail_with_a_local_variable() -> None:
    """Raise with the canary in the text and in a local variable."""
    local = CANARY
    try:
        raise KeyError(local)
    except KeyError as error:
        raise ValueError(f"wrong: {local}") from error


@pytest.mark.parametrize("how", ["structlog", "standard library"])
def test_an_exception_is_types_and_frames(lines: Lines, how: str) -> None:
    """An exception is logged with its causes, without texts and without local variables."""
    try:
        fail_with_a_local_variable()
    except ValueError as error:
        if how == "structlog":
            structlog.get_logger().exception("failed")
        else:
            logging.getLogger("some.library").exception("failed: %s", error)
    (line,) = lines()
    assert [part["type"] for part in line["exception"]] == ["builtins.ValueError", "builtins.KeyError"]
    assert any("in fail_with_a_local_variable" in frame for frame in line["exception"][0]["frames"])
    assert CANARY not in json.dumps(line)


def test_libraries_log_the_same_way_from_warning_on(lines: Lines) -> None:
    """A library's warning is a JSON line with its logger's name."""
    logging.getLogger("some.library").warning("pool %s is full", "a")
    (line,) = lines()
    assert (line["event"], line["logger"], line["level"]) == ("pool a is full", "some.library", "warning")


@pytest.mark.parametrize("name", ["botocore", "botocore.endpoint", "boto3", "urllib3.connectionpool", "sqlalchemy"])
def test_libraries_that_log_bodies_stay_quiet_at_debug(lines: Lines, name: str) -> None:
    """With the service's level at DEBUG, and the root logger turned up too, their debug lines are not written."""
    logging.getLogger().setLevel(logging.DEBUG)
    logging.getLogger(name).debug("body: %s", CANARY)
    logging.getLogger(name).info("body: %s", CANARY)
    assert lines() == []


async def test_asyncio_does_not_log_the_text_of_a_lost_exception(lines: Lines) -> None:
    """What asyncio says of an exception that nobody retrieved comes without its text."""
    lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    lost.set_exception(ValueError(CANARY))
    error = lost.exception()
    context = {"message": "Future exception was never retrieved", "exception": error, "future": lost}
    asyncio.get_running_loop().call_exception_handler(context)
    (line,) = lines()
    assert (line["event"], line["logger"]) == ("Future exception was never retrieved", "asyncio")
    assert line["exception"][0]["type"] == "builtins.ValueError"
    assert CANARY not in json.dumps(line)


def test_a_record_that_cannot_be_formatted_does_not_raise(lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    """A library's mistake in a log call stays its own."""
    monkeypatch.setattr(logging, "raiseExceptions", False)
    logging.getLogger("some.library").warning("%d", "no number")
    assert lines() == []


def test_a_line_inside_a_span_has_its_ids(lines: Lines) -> None:
    """Logs and traces can be joined."""
    provider = TracerProvider(shutdown_on_exit=False)
    with provider.get_tracer("test").start_as_current_span("x") as span:
        structlog.get_logger().info("inside")
    structlog.get_logger().info("outside")
    inside, outside = lines()
    context = span.get_span_context()
    assert (inside["trace_id"], inside["span_id"]) == (f"{context.trace_id:032x}", f"{context.span_id:016x}")
    assert "trace_id" not in outside


@pytest.mark.usefixtures("lines")
def test_the_level_setting_holds_for_the_service() -> None:
    """At WARNING, the service's own info lines are not written."""
    stream = BytesIO()
    configure_logging("WARNING", stream)
    structlog.get_logger().info("no")
    structlog.get_logger().warning("yes")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["yes"]


def test_a_log_file_is_for_its_owner_and_is_appended_to(tmp_path: Path) -> None:
    """The file is made with mode 0600, and a restart keeps what is in it."""
    path = tmp_path / "service.log"
    for text in (b"one\n", b"two\n"):
        with open_log_file(path) as file:
            file.write(text)
    assert path.read_bytes() == b"one\ntwo\n"
    assert path.stat().st_mode & 0o777 == 0o600


def test_no_level_brings_a_librarys_details_back(lines: Lines) -> None:
    """Whoever turns every logger up gets nothing below WARNING: botocore's DEBUG lines hold secrets."""
    loggers = [logging.getLogger(name) for name in ("", "botocore", "botocore.endpoint", "sqlalchemy.engine")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
        logger.debug("body %s", CANARY)
        logger.info("body %s", CANARY)
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
    assert lines() == []


def test_a_record_that_cannot_be_logged_is_not_written_elsewhere(
    lines: Lines, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The standard library would write such a record's arguments and the failure's text to standard error."""

    def fail() -> None:
        raise RuntimeError(CANARY)

    monkeypatch.setattr(structlog, "get_logger", fail)
    logging.getLogger("somewhere").error("body %s", CANARY)
    assert CANARY not in "".join(capfd.readouterr())
