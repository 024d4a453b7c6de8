"""A program that tells what it was started with, waits, or fails, for the tests of how programs are started."""

import json
import os
import signal
import sys
import threading

ENVIRONMENT_OF_IMPORT = dict(os.environ)
PROCESS_OF_IMPORT = os.getpid()


def main() -> int:
    """Do what the first argument says."""
    match sys.argv[1:]:
        case ["tell", *_]:
            print(json.dumps(_about_this_process()))
        case ["repeat"]:
            print(sys.stdin.read(), end="")
        case ["wait"]:
            print("waiting", flush=True)
            signal.pause()
        case ["raise"]:
            raise LookupError("on purpose")
        case ["exit", code]:
            sys.exit(code)
        case ["return", code]:
            return int(code)
    return 0


def _about_this_process() -> dict[str, object]:
    return {
        "arguments": sys.argv[1:],
        "environment": dict(os.environ),
        "environment_of_import": ENVIRONMENT_OF_IMPORT,
        "imported_before": os.getpid() != PROCESS_OF_IMPORT,
        "folder": os.getcwd(),  # noqa: PTH109 -- as it is told, not as a path
        "files": sorted(filter(_is_open, map(int, os.listdir("/dev/fd")))),  # noqa: PTH208 -- names are all it takes
        "threads": threading.active_count(),
        "interruptible": signal.getsignal(signal.SIGINT) is signal.default_int_handler,
    }


def _is_open(file: int) -> bool:
    try:
        os.fstat(file)
    except OSError:
        return False
    return True
