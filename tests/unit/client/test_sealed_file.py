"""Sealed texts come into their file one by one, each once, also after a kill in the middle of one."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from identity_client.cli.hand_outs import HandOutError
from identity_client.cli.sealed_file import SealedFile
from identity_client.cli.sealing import sealed_texts


def text_of(number: int) -> str:
    """Make something that looks like a sealed text."""
    return f"-----BEGIN AGE ENCRYPTED FILE-----\n{number:064}\nYWJj\n-----END AGE ENCRYPTED FILE-----\n"


def test_texts_are_written_as_they_come(tmp_path: Path) -> None:
    """Each is in the file when it was written, which is for its owner alone; nothing is held back to the end."""
    path = tmp_path / "out.age"
    with SealedFile(path) as file:
        for number in range(3):
            file.write(text_of(number))
            assert path.read_text() == "".join(map(text_of, range(number + 1)))
        assert file.has_any
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_without_a_text_there_is_no_file(tmp_path: Path) -> None:
    """A run that makes nobody leaves nothing; one without a path passes over all."""
    with SealedFile(tmp_path / "out.age") as file:
        assert not file.has_any
    with SealedFile(None) as file:
        file.write(text_of(1))
        assert not file.has_any
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("cut", [1, 20, 40, 100, 140])
def test_after_a_kill_each_text_is_there_once(tmp_path: Path, cut: int) -> None:
    """What was written whole stays, half a text is cut off and written again, wherever the kill came."""
    path = tmp_path / "out.age"
    path.write_text(text_of(0) + text_of(1) + text_of(2)[:cut])
    with SealedFile(path) as file:
        for number in range(4):
            file.write(text_of(number))
    assert path.read_text() == "".join(map(text_of, range(4)))
    assert len(sealed_texts(path.read_text())) == 4


def test_what_is_no_sealed_text_is_left(tmp_path: Path) -> None:
    """Only a text that was begun is ever cut off, and nothing of somebody else's."""
    path = tmp_path / "out.age"
    path.write_text("# a note of mine\n" + text_of(0) + "another\n")
    with SealedFile(path) as file:
        file.write(text_of(1))
    assert path.read_text() == "# a note of mine\n" + text_of(0) + "another\n" + text_of(1)


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """The person is told which, and that the secrets are not in it."""
    with (
        SealedFile(tmp_path / "gone" / "out.age") as file,
        pytest.raises(HandOutError, match=r"out\.age: .* sealed secrets were not written"),
    ):
        file.write(text_of(1))
