"""The codes of a virtual MFA device: one-time passwords of RFC 6238, a new one every 30 seconds."""

from __future__ import annotations

import base64
import hmac
import struct
import time

STEP_SECONDS = 30
# How far a device's clock may be off when it is enrolled.
DRIFT_STEPS = 10


def code_at(seed: str | bytes, step: int) -> str:
    """The code of one 30-second step."""
    digest = hmac.digest(base64.b32decode(seed), struct.pack(">Q", step), "sha1")
    offset = digest[-1] & 0x0F
    number = struct.unpack(">I", digest[offset : offset + 4])[0] & 0x7FFFFFFF
    return f"{number % 1_000_000:06d}"


def consecutive_codes(seed: str | bytes) -> tuple[str, str]:
    """Two codes that follow each other, as a user types them in to enrol a device."""
    step = int(time.time()) // STEP_SECONDS
    return code_at(seed, step - 1), code_at(seed, step)


def current_code(seed: str | bytes) -> str:
    """The code that a device shows now."""
    return code_at(seed, int(time.time()) // STEP_SECONDS)


def is_current(seed: str | bytes, code: str) -> bool:
    """Whether a device shows this code now, or did or will for one step."""
    step = int(time.time()) // STEP_SECONDS
    return any(hmac.compare_digest(code_at(seed, at), code) for at in (step - 1, step, step + 1))


def are_consecutive(seed: str | bytes, first: str, second: str) -> bool:
    """Whether the two codes follow each other somewhere near now."""
    step = int(time.time()) // STEP_SECONDS
    return any(
        hmac.compare_digest(code_at(seed, at), first) and hmac.compare_digest(code_at(seed, at + 1), second)
        for at in range(step - DRIFT_STEPS, step + DRIFT_STEPS + 1)
    )
