"""The server under test: `python -m tests.chaos.server FOLDER --rest SECONDS -- ARGUMENTS of identity-service`."""

import argparse
import sys
import threading
from pathlib import Path

from identity_service.__main__ import main as identity_service
from identity_service.application import attempt, worker
from identity_service.application.operations import runner
from tests.chaos.points import Points, install, obey
from tests.chaos.sabotage import SABOTAGES


def main() -> int:
    """Wrap what has to be watched, break what is to be broken, and serve."""
    arguments = sys.argv[1:]
    split = arguments.index("--")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rest", type=float, required=True, help="seconds that an unfinished undo rests")
    parser.add_argument("--sabotage", choices=sorted(SABOTAGES), default=None)
    options = parser.parse_args(arguments[:split])
    # No settings of the server, and long: they are shortened together with those that are.
    attempt.REST_SECONDS = worker.REST_SECONDS = runner.FIRST_REST = options.rest
    runner.IN_PROGRESS_REST, runner.LONGEST_REST = options.rest * 2, options.rest * 4
    if options.sabotage is not None:
        SABOTAGES[options.sabotage]()
    folder: Path = options.folder
    with (folder / "passed").open("ab", buffering=0) as passed, (folder / "secrets").open("ab", buffering=0) as secrets:
        points = Points(passed, secrets)
        install(points)
        threading.Thread(target=obey, args=(points, sys.stdin.buffer), daemon=True).start()
        return identity_service(arguments[split + 1 :])


if __name__ == "__main__":
    sys.exit(main())
