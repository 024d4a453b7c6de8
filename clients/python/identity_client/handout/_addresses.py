"""Checks mail addresses."""

from __future__ import annotations

import re

# A dot-atom of RFC 5322 and a host name, and no more: Python's header parser fails on some of what RFC 5322 also
# allows, and reads `=?...?=` as encoded text.
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"(?!.*=\?)(?=.{{1,254}}\Z)(?=[^@]{{1,64}}@){_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*")


def checked_address(address: str) -> str:
    """Answer the address if it is one and nothing more.

    Raises:
        ValueError: it is none; a list of addresses or a header in disguise is none either.
    """
    if not _ADDRESS.fullmatch(address):
        raise ValueError(f"{address!r} is not a mail address")
    return address
