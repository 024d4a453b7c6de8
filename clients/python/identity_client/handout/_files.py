"""Puts a new file into its place: whole or not at all, and never over another."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def put_new_file(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Write the content beside and link it into place, so that no kill leaves an empty or half a file there.

    Raises:
        FileExistsError: there is something of that name; it is left as it is.
        OSError: the file cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.new")
    with suppress(FileNotFoundError):
        draft.unlink()  # a process of the same number was killed here
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
        sync_folder(path)
    finally:
        with suppress(OSError):
            draft.unlink()


def sync_folder(path: Path) -> None:
    """Make a new file's name durable; some systems cannot open a folder, and there it is left to them."""
    try:
        folder = os.open(path.parent, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
