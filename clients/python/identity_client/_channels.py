"""The channels of a client: one, and another when its TLS files change, since a channel cannot load new ones."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from identity_client._channel import Endpoint

Channel = TypeVar("Channel")
_Look = list[tuple[int, ...] | None]

_log = logging.getLogger("identity_client")


@dataclass(eq=False)
class _Opened(Generic[Channel]):
    channel: Channel
    users: int = 0


class Channels(Generic[Channel]):
    """Lends a channel to each attempt: attempts under way end on the channel that they began on.

    The files are looked at before each attempt. While they are no good, the channel stays as it is.
    """

    def __init__(
        self, settle: Callable[[], Endpoint], open_channel: Callable[[Endpoint], Channel], files: Sequence[Path]
    ) -> None:
        """Open the first channel; `settle` reads the files, and raises ValueError or OSError if they are no good."""
        self._settle = settle
        self._open = open_channel
        self._files = files
        self._lock = threading.Lock()
        self._ended = False
        self._seen = self._look()
        self._newest = _Opened(open_channel(settle()))
        self._older: list[_Opened[Channel]] = []

    def lend(self) -> Channel:
        """Return the channel to use now; it is to be taken back."""
        with self._lock:
            if self._files and self._look() != self._seen:
                self._reload()
            self._newest.users += 1
            return self._newest.channel

    def take_back(self, channel: Channel) -> list[Channel]:
        """Note that an attempt has ended; return the channels that nobody will use again, which are to be closed."""
        with self._lock:
            for opened in (self._newest, *self._older):
                if opened.channel is channel:
                    opened.users -= 1
            unused = [opened.channel for opened in self._older if not opened.users]
            self._older = [opened for opened in self._older if opened.users]
            return unused

    @property
    def has_ended(self) -> bool:
        """Whether its owner has closed it, so that what fails now was cut by itself."""
        return self._ended

    def end(self) -> list[Channel]:
        """Open no more; return all channels, which are to be closed."""
        with self._lock:
            self._files = ()
            self._ended = True
            return [opened.channel for opened in (self._newest, *self._older)]

    def _reload(self) -> None:
        # Looked at before they are read, and again after: files that are just being replaced may not fit together yet,
        # and the next attempt sees that they have changed again.
        self._seen = seen = self._look()
        try:
            where, problem = self._settle(), ""
        except (OSError, ValueError) as error:
            where, problem = None, str(error)
        if self._look() != seen:
            return
        if where is None:
            _log.warning("the TLS files have changed and cannot be used, the old ones stay in use: %s", problem)
        else:
            self._older.append(self._newest)
            self._newest = _Opened(self._open(where))

    def _look(self) -> _Look:
        return [_identity(path) for path in self._files]


def _identity(path: Path) -> tuple[int, ...] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
