"""The exit codes, which scripts may rely on."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What a run of `identityctl` ended with."""

    OK = 0
    SOME_FAILED = 1
    BAD_INPUT = 2
    PLAN_HAS_PROBLEMS = 3
    CANNOT_REACH = 4
    NOT_CONFIRMED = 5
    INTERRUPTED = 130


MEANINGS = {
    ExitCode.OK: "all was done",
    ExitCode.SOME_FAILED: "for one user at least the service refused or failed, or the secrets are lost",
    ExitCode.BAD_INPUT: "an option, the users file or a file to be written is no good; nothing was sent",
    ExitCode.PLAN_HAS_PROBLEMS: "a plan cannot run, or is not the approved one; nothing was created",
    ExitCode.CANNOT_REACH: "the service cannot be reached, or does not know the caller",
    ExitCode.NOT_CONFIRMED: "nobody said yes; nothing was changed",
    ExitCode.INTERRUPTED: "interrupted; the same command goes on where it was cut",
}

EPILOG = "Exit codes: " + "; ".join(f"{code.value} {meaning}" for code, meaning in MEANINGS.items()) + "."
