"""What is looked at when metrics are read: ages, expiries, queues, and what this process is ready for."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime

import structlog
from opentelemetry.metrics import CallbackOptions, Meter, Observation
from opentelemetry.util.types import AttributeValue

from identity_service.adapters.authorization import FileAuthorizer
from identity_service.adapters.store import Backlog, SqlLedger
from identity_service.domain.errors import IdentityError
from identity_service.readiness import Readiness
from identity_service.tls_watch import TlsWatch

LOOK_SECONDS = 10.0
"""How often the backlog is read, whoever scrapes."""

Values = Iterable[tuple[float, dict[str, AttributeValue]]]
AUTHORIZATION, TLS = {"files": "authorization"}, {"files": "tls"}


class BacklogWatch:
    """Reads the backlog again and again: who scrapes cannot wait for the store, and must not load it."""

    def __init__(self, ledger: SqlLedger) -> None:
        self._ledger = ledger
        self.latest: Backlog | None = None
        """None while the store cannot be read: then nobody knows."""

    async def run(self, look_seconds: float = LOOK_SECONDS) -> None:
        """Read until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(look_seconds)

    async def look(self) -> None:
        """Read it once."""
        try:
            self.latest = await self._ledger.backlog()
        except IdentityError:
            self.latest = None
        except Exception:  # noqa: BLE001 - the loop outlives every fault, which is logged
            self.latest = None
            structlog.get_logger().exception("backlog_unknown")


class AuditHeadsAge:
    """For how long the heads of the audit log's chains have not been logged."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._logged_at = monotonic()

    def logged(self) -> None:
        """Note that they are logged now."""
        self._logged_at = self._monotonic()

    @property
    def seconds(self) -> float:
        """How long ago that was, or since the start."""
        return self._monotonic() - self._logged_at


class Gauges:
    """Registers what is looked at."""

    def __init__(
        self,
        meter: Meter,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._meter = meter
        self._now = now
        self._monotonic = monotonic

    def watch_readiness(self, readiness: Readiness) -> None:
        """Show what each check of the readiness has found."""
        self._observe(
            "identity_service.ready",
            "",
            "1 if a check of the readiness is passed, 0 if not.",
            lambda: ((float(is_fine), {"check": check}) for check, is_fine in readiness.checks.items()),
        )

    def watch_backlog(self, backlog: BacklogWatch) -> None:
        """Show how much waits, and for how long."""

        def queues() -> Mapping[str, tuple[int, float]]:
            if (latest := backlog.latest) is None:
                return {}
            return {
                "abandoned": (latest.abandoned.size, latest.abandoned.age),
                "second_look": (latest.second_looks.size, latest.second_looks.age),
                "bulk": (latest.bulk_users.size, latest.bulk_users.age),
            }

        self._observe(
            "identity_service.queue.size",
            "{request}",
            "Work that is due and that nobody does yet.",
            lambda: ((size, {"queue": queue}) for queue, (size, _) in queues().items()),
        )
        self._observe(
            "identity_service.queue.age",
            "s",
            "For how long the oldest work has been due.",
            lambda: ((age, {"queue": queue}) for queue, (_, age) in queues().items()),
        )

    def watch_files(self, authorizer: FileAuthorizer, tls: TlsWatch | None) -> None:
        """Show since when the files that are in use are in use, and whether those on disk could be."""

        def ages() -> Values:
            yield self._monotonic() - authorizer.state.in_force_since, {**AUTHORIZATION}
            if tls is not None:
                yield (self._now() - tls.state.loaded_at).total_seconds(), {**TLS}

        def failures() -> Values:
            yield float(bool(authorizer.state.problem)), {**AUTHORIZATION}
            if tls is not None:
                yield float(bool(tls.state.problem)), {**TLS}

        self._observe("identity_service.files.age", "s", "For how long the files in use have been in use.", ages)
        self._observe(
            "identity_service.files.refused", "", "1 if the files on disk cannot be used and older ones are.", failures
        )
        if tls is not None:
            self._watch_expiries(tls)

    def watch_audit(self, age: AuditHeadsAge) -> None:
        """Show how far the logged heads of the audit log lag behind."""
        self._observe(
            "identity_service.audit.heads.age",
            "s",
            "For how long the heads of the audit log's chains have not been logged.",
            lambda: [(age.seconds, {})],
        )

    def _watch_expiries(self, tls: TlsWatch) -> None:
        def periods() -> Mapping[str, tuple[datetime, datetime]]:
            files = tls.current()
            first = min(files.authorities, key=lambda authority: authority.not_valid_after_utc)
            return {
                "server": (files.not_before, files.not_after),
                "client_ca": (first.not_valid_before_utc, first.not_valid_after_utc),
            }

        def remaining() -> Values:
            now = self._now()
            return (((end - now).total_seconds(), {"certificate": name}) for name, (_, end) in periods().items())

        def lifetimes() -> Values:
            return (((end - begin).total_seconds(), {"certificate": name}) for name, (begin, end) in periods().items())

        self._observe(
            "identity_service.certificate.remaining",
            "s",
            "For how long the server's certificate, and the first of the clients' authorities to expire, are valid.",
            remaining,
        )
        self._observe(
            "identity_service.certificate.lifetime", "s", "For how long these certificates are valid in all.", lifetimes
        )

    def _observe(self, name: str, unit: str, description: str, values: Callable[[], Values]) -> None:
        def observations(_: CallbackOptions) -> Iterable[Observation]:
            return [Observation(value, attributes) for value, attributes in values()]

        self._meter.create_observable_gauge(name, [observations], unit, description)
