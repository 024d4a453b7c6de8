"""The TLS files while the service runs: read again when they change, and kept as they were when they are no good."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import structlog

from identity_service.settings import Settings, SettingsError
from identity_service.tls import TlsFiles, read_tls_files, tls_paths

LOOK_SECONDS = 5.0
"""How often the files are looked at when nobody calls."""
LOOKS_PER_ALARM = 12

Look = tuple[tuple[int, ...] | None, ...]


@dataclass(frozen=True)
class TlsState:
    """How the reloading goes, for whoever watches the service.

    Attributes:
        loaded_at: since when the files that are in use are in use.
        not_after: when the server's own certificate expires.
        problem: why the files as they are now are not in use; "" if they are. It names variable and file.
        failed_at: when that was last told.
        failures: how often that was told.
    """

    loaded_at: datetime
    not_after: datetime
    problem: str = ""
    failed_at: datetime | None = None
    failures: int = 0


class TlsWatch:
    """Gives out what the TLS files hold. Files that are no good are told in the log, and the last good ones stay.

    gRPC asks at each handshake, on threads of its own, and keeps the old certificate without a word if asking fails.
    """

    def __init__(self, settings: Settings, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Read the files. Raises SettingsError that names the one that is no good."""
        self._settings = settings
        self._paths = tls_paths(settings)
        self._clock = clock
        self._lock = threading.Lock()
        self._seen = self._look()
        self._files = read_tls_files(settings)
        self._state = TlsState(clock(), self._files.not_after)

    @property
    def state(self) -> TlsState:
        """How the reloading goes."""
        return self._state

    def current(self) -> TlsFiles:
        """Return what the files hold now, or what they held when they last were good; the same object until then.

        It looks at the files each time, which takes 8 us: what was taken away is gone at the very next call.
        """
        with self._lock:
            if self._look() != self._seen:
                self._reload()
            return self._files

    def remind(self) -> None:
        """Read the files whether or not they seem changed, and complain again if they still are no good."""
        with self._lock:
            self._reload(again=True)

    async def run(self, look_seconds: float = LOOK_SECONDS) -> None:
        """Look from time to time, so that a failure is told also when nobody calls, and told again each minute."""
        while True:
            for _ in range(LOOKS_PER_ALARM):
                await asyncio.sleep(look_seconds)
                self.current()
            await asyncio.to_thread(self.remind)

    def _look(self) -> Look:
        """Tell the files as they are from what they were; follows the links by which Kubernetes swaps them all."""
        return tuple(map(_identity, self._paths))

    def _reload(self, *, again: bool = False) -> None:
        # Looked at before they are read: what changes meanwhile is seen the next time, and may not fit together yet.
        self._seen = seen = self._look()
        try:
            files = read_tls_files(self._settings)
        except SettingsError as error:
            problem = str(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the last good files must stay in use
            problem = f"the TLS files cannot be read: {type(error).__name__}"
        else:
            self._use(files)
            return
        if self._look() == seen:
            self._complain(problem, again)

    def _use(self, files: TlsFiles) -> None:
        if files != self._files:
            self._files = files
            self._state = replace(self._state, loaded_at=self._clock(), not_after=files.not_after)
            structlog.get_logger().info("tls_reloaded", not_after=files.not_after.isoformat())
        self._state = replace(self._state, problem="")

    def _complain(self, problem: str, again: bool) -> None:
        is_new = problem != self._state.problem
        if is_new or again:
            self._state = replace(
                self._state, problem=problem, failed_at=self._clock(), failures=self._state.failures + 1
            )
            structlog.get_logger().error(
                "tls_reload_failed", problem=problem, in_use_since=self._state.loaded_at.isoformat()
            )


def _identity(path: Path) -> tuple[int, ...] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
