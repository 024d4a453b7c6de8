"""What gauges show of files, queues and the audit log, read as Prometheus reads it."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
from cryptography.x509 import load_pem_x509_certificates
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from identity_service.adapters.authorization import FileAuthorizer
from identity_service.adapters.store import Backlog, Queue, SqlLedger
from identity_service.application.ledger import StoreUnavailableError
from identity_service.gauges import AuditHeadsAge, BacklogWatch, Gauges
from identity_service.tls import TlsFiles
from identity_service.tls_watch import TlsState, TlsWatch
from tests.support.bad_certificates import Pki

NOW = datetime(2026, 5, 4, tzinfo=UTC)
CALLERS = 'teams: {bots: {accounts: {"*": unguarded}}}\ncallers: {"spiffe://example.org/bot": bots}\n'


class Time:
    """Time that only a test moves."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def monotonic(self) -> float:
        """Tell the monotonic time."""
        return self.seconds

    def now(self) -> datetime:
        """Tell the time of day."""
        return NOW + timedelta(seconds=self.seconds - 1000)


class Shown:
    """Gauges, and what they show."""

    def __init__(self) -> None:
        self.time = Time()
        self._reader = InMemoryMetricReader()
        provider = MeterProvider(metric_readers=[self._reader], shutdown_on_exit=False)
        self.gauges = Gauges(provider.get_meter("test"), self.time.now, self.time.monotonic)

    def read(self, name: str) -> Mapping[str, float]:
        """Read a gauge's values by what tells them apart."""
        data = self._reader.get_metrics_data()
        resources = data.resource_metrics if data else []
        metrics = [metric for each in resources for scope in each.scope_metrics for metric in scope.metrics]
        return {
            ",".join(str(text) for text in (point.attributes or {}).values()): point.value  # type: ignore[union-attr] # gauges have values
            for metric in metrics
            if metric.name == f"identity_service.{name}"
            for point in metric.data.data_points
        }


@pytest.fixture
def shown() -> Shown:
    """Gauges that a test registers and reads."""
    return Shown()


class Store:
    """A store whose backlog a test sets; None is a store that is away."""

    def __init__(self) -> None:
        self.found: Backlog | None = Backlog(abandoned=Queue(2, 30.5), bulk_users=Queue(7, 3.0))

    async def backlog(self) -> Backlog:
        """Return it."""
        if self.found is None:
            raise StoreUnavailableError
        return self.found


async def test_queues_are_shown_while_the_store_can_be_read(shown: Shown) -> None:
    """Sizes and ages are those that the store has told last; of a store that is away nothing is made up."""
    store = Store()
    watch = BacklogWatch(cast(SqlLedger, store))
    shown.gauges.watch_backlog(watch)
    assert shown.read("queue.size") == {}
    await watch.look()
    assert shown.read("queue.size") == {"abandoned": 2, "second_look": 0, "bulk": 7}
    assert shown.read("queue.age") == {"abandoned": 30.5, "second_look": 0, "bulk": 3}
    store.found = None
    await watch.look()
    assert shown.read("queue.size") == {}


def test_the_audit_heads_age_until_they_are_logged(shown: Shown) -> None:
    """The age counts from the start, and from each logging."""
    age = AuditHeadsAge(shown.time.monotonic)
    shown.gauges.watch_audit(age)
    shown.time.seconds += 70
    assert shown.read("audit.heads.age") == {"": 70}
    age.logged()
    shown.time.seconds += 5
    assert shown.read("audit.heads.age") == {"": 5}


def test_refused_authorization_files_are_shown(shown: Shown, tmp_path: Path) -> None:
    """Rules age while they are in force; files that cannot be used are told, and no more once they are mended."""
    (tmp_path / "callers.yaml").write_text(CALLERS)
    (tmp_path / "all.cedar").write_text('@id("all") permit (principal, action, resource);\n')
    authorizer = FileAuthorizer(tmp_path, shown.time.monotonic)
    shown.gauges.watch_files(authorizer, None)
    shown.time.seconds += 40
    assert shown.read("files.age") == {"authorization": 40}
    assert shown.read("files.refused") == {"authorization": 0}
    (tmp_path / "callers.yaml").write_text("nonsense")
    authorizer.refresh()
    assert shown.read("files.refused") == {"authorization": 1}
    (tmp_path / "callers.yaml").write_text(CALLERS)
    authorizer.refresh()
    assert shown.read("files.refused") == {"authorization": 0}
    assert shown.read("files.age") == {"authorization": 40}


class Tls:
    """A TLS watch with a certificate of 90 days that was loaded after 80."""

    def __init__(self) -> None:
        self.state = TlsState(NOW - timedelta(seconds=60), NOW + timedelta(days=10), problem="broken")

    def current(self) -> TlsFiles:
        """Return the files in use."""
        authorities = tuple(load_pem_x509_certificates(Pki().bundle))
        return TlsFiles(b"", b"", b"", authorities, NOW - timedelta(days=80), self.state.not_after)


def test_certificates_show_what_is_left_of_their_time(shown: Shown, tmp_path: Path) -> None:
    """Ten days are left of ninety, the files are a minute old, and those on disk cannot be used."""
    (tmp_path / "callers.yaml").write_text(CALLERS)
    shown.gauges.watch_files(FileAuthorizer(tmp_path, shown.time.monotonic), cast(TlsWatch, Tls()))
    assert shown.read("certificate.remaining")["server"] == 10 * 86400
    assert shown.read("certificate.lifetime")["server"] == 90 * 86400
    assert shown.read("certificate.lifetime").keys() == {"server", "client_ca"}
    assert shown.read("files.age") == {"authorization": 0, "tls": 60}
    assert shown.read("files.refused") == {"authorization": 0, "tls": 1}
