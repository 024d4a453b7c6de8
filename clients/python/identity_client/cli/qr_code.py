"""Draws the QR code of a virtual MFA device in the terminal.

AWS's own image of it is a PNG, and to decode one only to draw it again would take a library; the code is drawn from
what it stands for: the key URI that authenticator apps read.
"""

from __future__ import annotations

import io
from urllib.parse import quote, urlencode

import segno
from rich.console import Console

_ISSUER = "AWS"
_DARK_ON_LIGHT = "\x1b[38;5;231;48;5;16m"
_PLAIN = "\x1b[0m"


def key_uri(seed: str, user_name: str, account_id: str) -> str:
    """Answer what an authenticator app reads: whose codes these are, and the seed. It is as secret as the seed."""
    label = f"{_ISSUER}:{quote(f'{user_name}@{account_id}', safe='@')}"
    return f"otpauth://totp/{label}?{urlencode({'secret': seed, 'issuer': _ISSUER})}"


def show_qr_code(console: Console, seed: str, user_name: str, serial_number: str) -> None:
    """Draw a device's code; in colours where the console has them."""
    account_id = serial_number.split(":")[4] if serial_number.startswith("arn:") else ""
    code = drawn(key_uri(seed, user_name, account_id), colours=console.is_terminal and not console.no_color)
    console.file.write(f"{code}\n")  # as it is: a console would count the colours' characters, and fold
    console.file.flush()


def drawn(uri: str, *, colours: bool) -> str:
    """Answer the code as lines of half blocks.

    With colours it is readable on any background; without them only where the terminal's text is light on dark.
    """
    blocks = io.StringIO()
    segno.make_qr(uri, error="l").terminal(out=blocks, border=2, compact=True)
    lines = blocks.getvalue().splitlines()
    return "\n".join(f"{_DARK_ON_LIGHT}{line}{_PLAIN}" if colours else line for line in lines)
