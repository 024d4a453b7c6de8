"""The check at the start that the AWS credentials belong to the configured accounts. It never holds the start up."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress

import structlog

from identity_service.domain.errors import IamError, IamErrorKind, IdentityError
from identity_service.settings import SettingsError, explain

SECONDS = 3.0
"""How long the start waits for the verdict."""

NO_CREDENTIALS = (
    "boto3 found no AWS credentials: give the machine a role, or a file in AWS_SHARED_CREDENTIALS_FILE; "
    "until then every RPC for the account is refused with AWS_CREDENTIALS_REFUSED"
)


class StartCheck:
    """Runs the check of each account in a task of its own, from the moment that it is built inside an event loop.

    An AWS that does not answer, or refuses, is no reason not to serve: each RPC says so, and AWS may come back, and the
    other accounts can be used. Another account's credentials are: users would be made there. `setting` names them.
    """

    def __init__(
        self, account_ids: Collection[str], verify: Callable[[str], Awaitable[None]], setting: str = "aws_account_id"
    ) -> None:
        self._account_ids = account_ids
        self._verify = verify
        self._setting = setting
        self._refuse: Callable[[], Awaitable[None]] | None = None
        self._task = asyncio.create_task(self._run())

    async def wait(self, refuse: Callable[[], Awaitable[None]], seconds: float = SECONDS) -> None:
        """Wait a while for the verdict; `refuse` to serve if another account's credentials are found later.

        Raises SettingsError if they are found now.
        """
        await asyncio.wait({self._task}, timeout=seconds)
        if self._task.done():
            self._task.result()
            return
        self._refuse = refuse
        structlog.get_logger().warning("AWS has not answered yet; serving before the account is verified")

    async def close(self) -> None:
        """Give up."""
        self._task.cancel()
        with suppress(asyncio.CancelledError, SettingsError):
            await self._task

    async def _run(self) -> None:
        checks = [asyncio.create_task(self._check(account_id)) for account_id in self._account_ids]
        try:
            await asyncio.gather(*checks)
        finally:
            for check in checks:
                check.cancel()

    async def _check(self, account_id: str) -> None:
        log = structlog.get_logger().bind(account_id=account_id)
        try:
            await self._verify(account_id)
        except IdentityError as error:
            whose = f"account {account_id}: " if len(self._account_ids) > 1 else ""
            await self._end(explain(self._setting, f"{whose}{error.message}"))
        except IamError as error:
            log.warning("the AWS account could not be verified", problem=_words(error), aws_code=error.code)
        else:
            log.info("the AWS account is verified")

    async def _end(self, problem: str) -> None:
        if self._refuse is None:
            raise SettingsError(problem)
        structlog.get_logger().error("the service must not serve", problem=problem)
        await self._refuse()


def _words(error: IamError) -> str:
    if error.kind is IamErrorKind.CREDENTIALS_REFUSED and not error.code:
        return NO_CREDENTIALS
    if error.kind is IamErrorKind.CREDENTIALS_REFUSED and error.code.startswith("AccessDenied"):
        # Who one is everybody may ask: it is the role that is refused.
        return "AWS refuses to let the service assume the account's role"
    if error.kind is IamErrorKind.UNAVAILABLE:
        return f"AWS does not answer {error.action}"
    return f"AWS refuses {error.action}"
