"""Hands out a virtual MFA device: its QR code as a picture, its seed as text."""

from __future__ import annotations

import os
from pathlib import Path

from identity_client.handout._files import put_new_file
from identity_client.handout._mail import safe_file_stem
from identity_provisioning.v1.credential_pb2 import IssuedMfaDevice


def mfa_files(folder: str | os.PathLike[str], user_name: str) -> tuple[Path, Path]:
    """Answer where a user's QR code and seed go."""
    stem = safe_file_stem(user_name)
    return Path(folder) / f"{stem}.mfa.png", Path(folder) / f"{stem}.mfa.txt"


def write_mfa_device(folder: str | os.PathLike[str], user_name: str, device: IssuedMfaDevice) -> Path:
    """Write the QR code and then the seed, readable for their owner alone; answer the seed's file.

    A file that holds just this already, from a run that was cut, is left as it is.

    Raises:
        FileExistsError: there is such a file of other content, and it may hold the only copy of somebody's seed.
        OSError: a file cannot be written.
    """
    picture, text = mfa_files(folder, user_name)
    if device.qr_code_png:
        _put(picture, device.qr_code_png)
    _put(text, f"Device: {device.serial_number}\nSeed:   {device.base32_seed}\n".encode())
    return text


def _put(path: Path, content: bytes) -> None:
    try:
        put_new_file(path, content)
    except FileExistsError:
        if path.is_symlink() or not path.is_file() or path.read_bytes() != content:
            raise
