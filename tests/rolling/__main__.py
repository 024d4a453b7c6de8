"""Rolling restarts under load: `python -m tests.rolling --restarts 100`, or `make rolling RESTARTS=100`.

Prints one line to standard output, and what went wrong to standard error. Exit code 1 if anything did.
"""

import argparse
import asyncio
import sys

from tests.rolling.run import Options, roll


def main() -> int:
    """Run it."""
    default = Options()
    parser = argparse.ArgumentParser(prog="python -m tests.rolling", description=__doc__)
    parser.add_argument("--restarts", type=int, default=default.restarts)
    parser.add_argument("--callers", type=int, default=default.callers, help="how many work side by side")
    parser.add_argument("--pause", type=float, default=default.pause, help="seconds that each rests after each user")
    parser.add_argument("--rest", type=float, default=default.rest, help="seconds from ready to the next restart")
    result = asyncio.run(roll(Options(**vars(parser.parse_args()))))
    for complaint in result.complaints:
        print(complaint, file=sys.stderr)
    print(result)
    return 0 if result.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
