"""Whether this process may be sent calls: it can use its store, has policies in force, and shows a valid certificate.

Policies stay in force until better ones are there: files that cannot be used are an alarm, and change nothing here.
An AWS that is throttled or away does not count: each RPC says so itself, no other replica would fare better, and what
needs no AWS still works.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType

import structlog

from identity_service.domain.errors import IdentityError

LOOK_SECONDS = 2.0
"""How often it is looked; Kubernetes asks less often."""
PATIENCE_SECONDS = 3.0
"""After how long a store that does not answer counts as away."""

STORE, POLICIES, CERTIFICATE = "store", "policies", "certificate"


class Readiness:
    """Looks again and again, and tells the health service when the answer changes.

    Args:
        ping: uses the store, and raises IdentityError if it cannot be used.
        policies_decide: tells whether rules are in force that can be asked.
        certificate_expires: tells when the server's certificate does; None without TLS.
        tell: takes the new answer.
    """

    def __init__(
        self,
        *,
        ping: Callable[[], Awaitable[None]],
        policies_decide: Callable[[], bool],
        certificate_expires: Callable[[], datetime] | None,
        tell: Callable[[bool], Awaitable[None]],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._ping = ping
        self._policies_decide = policies_decide
        self._certificate_expires = certificate_expires
        self._tell = tell
        self._now = now
        self._patience = patience
        self._checks: Mapping[str, bool] = MappingProxyType({})

    @property
    def checks(self) -> Mapping[str, bool]:
        """What was found at the last look, by name; empty before the first."""
        return self._checks

    async def run(self, look_seconds: float = LOOK_SECONDS) -> None:
        """Look until cancelled; no fault ends it."""
        while True:
            try:
                await self.look()
            except Exception:  # noqa: BLE001 - were the loop to end, the last answer would stand for ever
                structlog.get_logger().exception("readiness_unknown")
            await asyncio.sleep(look_seconds)

    async def look(self) -> bool:
        """Look once, and tell what was found."""
        checks = {STORE: await self._store_answers(), POLICIES: self._policies_decide()}
        if self._certificate_expires is not None:
            checks[CERTIFICATE] = self._now() < self._certificate_expires()
        is_ready = all(checks.values())
        if is_ready != all(self._checks.values()):
            missing = [name for name, is_fine in checks.items() if not is_fine]
            structlog.get_logger().warning("readiness_changed", ready=is_ready, missing=missing)
        self._checks = MappingProxyType(checks)
        await self._tell(is_ready)
        return is_ready

    async def _store_answers(self) -> bool:
        try:
            async with asyncio.timeout(self._patience):
                await self._ping()
        except (IdentityError, TimeoutError):
            return False
        return True
