"""The check of the AWS credentials at the start: what stops a start, what does not, and how long it takes."""

import asyncio
import json
import logging
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import pytest
import structlog

from identity_service.domain.errors import IamError, IamErrorKind, IdentityError, Reason
from identity_service.observability.logging import configure_logging
from identity_service.settings import SettingsError
from identity_service.start_check import StartCheck

WRONG_ACCOUNT = IdentityError(Reason.AWS_CREDENTIALS_REFUSED, "the credentials belong to another account")
ACCOUNT, OTHER_ACCOUNT = "123456789012", "210987654321"
ACTION = "sts:GetCallerIdentity"
Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines() -> Iterator[Lines]:
    """Log to memory; call the fixture for what was logged."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()  # Not closed: they are pytest's.
    stream = BytesIO()
    configure_logging("INFO", stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


class FakeAccounts:
    """Answers the check when it is told to, and notes whether the service was told not to serve."""

    def __init__(self, error: Exception | None = None, *, answers: bool = True) -> None:
        self.may_answer = asyncio.Event()
        self.refused = asyncio.Event()
        self._error = error
        if answers:
            self.may_answer.set()

    async def verify(self, account_id: str) -> None:
        """Wait, then raise what there is to raise; another account than the first is the right one at once."""
        if account_id != ACCOUNT:
            return
        await self.may_answer.wait()
        if self._error:
            raise self._error

    async def refuse(self) -> None:
        """Note that the service must not serve."""
        self.refused.set()


async def checked(
    accounts: FakeAccounts, seconds: float = 30, account_ids: tuple[str, ...] = (ACCOUNT,), **options: str
) -> StartCheck:
    """Start a check and wait for it as the service does."""
    check = StartCheck(account_ids, accounts.verify, **options)
    try:
        await check.wait(accounts.refuse, seconds)
    except SettingsError:
        await check.close()
        raise
    return check


async def test_the_right_account_is_logged(lines: Lines) -> None:
    """Credentials of the configured account let the service start."""
    await (await checked(FakeAccounts())).close()
    assert [line["event"] for line in lines()] == ["the AWS account is verified"]


async def test_another_account_stops_the_start() -> None:
    """Credentials of another account are a wrong setting, told with its variable and an example."""
    with pytest.raises(SettingsError) as caught:
        await checked(FakeAccounts(WRONG_ACCOUNT))
    variable = "IDENTITY_SERVICE_AWS_ACCOUNT_ID"
    assert str(caught.value) == (
        f"{variable}: the credentials belong to another account; for example {variable}=123456789012"
    )


@pytest.mark.parametrize(
    ("error", "problem", "code"),
    [
        (IamError(IamErrorKind.CREDENTIALS_REFUSED, ACTION), "boto3 found no AWS credentials", ""),
        (
            IamError(IamErrorKind.CREDENTIALS_REFUSED, ACTION, code="InvalidClientTokenId"),
            f"AWS refuses {ACTION}",
            "InvalidClientTokenId",
        ),
        (
            IamError(IamErrorKind.CREDENTIALS_REFUSED, ACTION, code="AccessDenied"),
            "AWS refuses to let the service assume the account's role",
            "AccessDenied",
        ),
        (IamError(IamErrorKind.UNAVAILABLE, ACTION), f"AWS does not answer {ACTION}", ""),
    ],
)
async def test_what_aws_may_get_over_does_not_stop_the_start(
    lines: Lines, error: IamError, problem: str, code: str
) -> None:
    """Missing or refused credentials and a silent AWS are logged in plain words, and the service starts."""
    await (await checked(FakeAccounts(error))).close()
    (line,) = lines()
    assert (line["event"], line["level"]) == ("the AWS account could not be verified", "warning")
    assert line["problem"].startswith(problem)
    assert line["aws_code"] == code


async def test_an_answer_that_takes_long_is_not_waited_for(lines: Lines) -> None:
    """After its time the start goes on, and the verdict is logged when it comes."""
    accounts = FakeAccounts(answers=False)
    check = await checked(accounts, seconds=0)
    assert [line["event"] for line in lines()] == ["AWS has not answered yet; serving before the account is verified"]
    accounts.may_answer.set()
    await until(lambda: len(lines()) == 2)
    assert lines()[1]["event"] == "the AWS account is verified"
    await check.close()


async def test_another_account_found_late_ends_the_serving(lines: Lines) -> None:
    """Once it is known that users would be made in another account, the service says that it does not serve."""
    accounts = FakeAccounts(WRONG_ACCOUNT, answers=False)
    check = await checked(accounts, seconds=0)
    accounts.may_answer.set()
    await asyncio.wait_for(accounts.refused.wait(), 10)
    assert lines()[-1]["level"] == "error"
    assert "IDENTITY_SERVICE_AWS_ACCOUNT_ID" in lines()[-1]["problem"]
    await check.close()


async def test_one_of_several_that_is_refused_does_not_stop_the_start(lines: Lines) -> None:
    """Each account has its own line, by its id: the one says what is wrong, the other that it is verified."""
    refused = FakeAccounts(IamError(IamErrorKind.CREDENTIALS_REFUSED, ACTION, code="AccessDenied"))
    await (await checked(refused, account_ids=(ACCOUNT, OTHER_ACCOUNT))).close()
    assert {(line["account_id"], line["event"]) for line in lines()} == {
        (ACCOUNT, "the AWS account could not be verified"),
        (OTHER_ACCOUNT, "the AWS account is verified"),
    }


async def test_one_of_several_that_is_another_one_stops_the_start() -> None:
    """It is named by its id and by the setting that says which accounts there are."""
    with pytest.raises(SettingsError) as caught:
        await checked(FakeAccounts(WRONG_ACCOUNT), account_ids=(OTHER_ACCOUNT, ACCOUNT), setting="aws_accounts_file")
    assert str(caught.value).startswith(
        f"IDENTITY_SERVICE_AWS_ACCOUNTS_FILE: account {ACCOUNT}: the credentials belong to another account; "
    )


async def test_a_check_can_be_given_up() -> None:
    """Closing ends a check that nobody answers, at once."""
    check = await checked(FakeAccounts(answers=False), seconds=0)
    await asyncio.wait_for(check.close(), 10)


async def until(condition: Callable[[], bool]) -> None:
    """Let other tasks run until something is so."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - a log line sets no event
            await asyncio.sleep(0)
