"""Writes sealed texts to their file one after the other, behind those that an earlier run has written there."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from identity_client.cli.hand_outs import HandOutError

_BEGIN = b"-----BEGIN AGE ENCRYPTED FILE-----"
_END = b"-----END AGE ENCRYPTED FILE-----"


class SealedFile:
    """A file that is made with its first text, for its owner alone; without a path texts are passed over.

    Each text is there once, however often it is written: who goes on with a run writes all of them again.

    Attributes:
        has_any: a text was written, or was there already.
    """

    def __init__(self, path: Path | None) -> None:
        """Take the path; the file is touched by the first text alone."""
        self.has_any = False
        self._path = path
        self._file: BinaryIO | None = None
        self._there: set[bytes] = set()

    def __enter__(self) -> Self:
        """Answer itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Have all that was written on the disk."""
        if self._file is not None:
            with self._file as file:
                file.flush()
                os.fsync(file.fileno())

    def write(self, text: str) -> None:
        """Write a text, if it is not there.

        Raises:
            HandOutError: it cannot be written.
        """
        if self._path is None:
            return
        try:
            self._write(self._path, text.encode())
        except OSError as error:
            raise HandOutError(
                f"{self._path}: {error.strerror or error}. The sealed secrets were not written."
            ) from None

    def _write(self, path: Path, text: bytes) -> None:
        if self._file is None:
            self._file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b")
            self._there = set(_whole_texts(self._file))
        self.has_any = True
        digest = _digest(text)
        if digest not in self._there:
            self._there.add(digest)
            self._file.write(text)
            self._file.flush()


def _whole_texts(file: BinaryIO) -> Iterator[bytes]:
    """Answer the digests of the texts in a file, and leave it at its end; half a text there, of a kill, is cut off."""
    block, begin, position = b"", 0, 0
    for line in file:
        if line.startswith(_BEGIN) or _BEGIN.startswith(line):
            block, begin = line, position
        elif block:
            block += line
        if block and line.startswith(_END):
            yield _digest(block)
            block = b""
        position += len(line)
    if block:
        file.truncate(begin)
    file.seek(0, os.SEEK_END)


def _digest(text: bytes) -> bytes:
    return hashlib.sha256(text.strip()).digest()
