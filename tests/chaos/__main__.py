"""The chaos harness: `python -m tests.chaos --runs 200 --seed 1`, or `make chaos RUNS=200 SEED=1`.

Prints one line to standard output, and the runs to standard error. Exit code 1 if anything is not as it should be, or
if no blow fell, or none at a point though points were chosen: then the hooks are broken, and nothing was proven.
"""

import argparse
import asyncio
import signal
import sys

from tests.chaos.harness import Harness, Options, Total
from tests.chaos.proof import CASES, prove
from tests.chaos.sabotage import SABOTAGES

BULK_WORLDS = 3
"""Each has many users at work at once."""


def main() -> int:
    """Run the harness."""
    options = _parser().parse_args()
    if options.prove:
        return 0 if asyncio.run(_prove_all()) else 1
    if options.worlds is None:
        options.worlds = BULK_WORLDS if options.mode == "bulk" else Options.worlds
    chosen = {name: value for name, value in vars(options).items() if name != "prove"}
    total = asyncio.run(_run(Options(**chosen)))
    print(total)
    if not total.has_struck:
        print("nothing was proven: no blow fell where blows had to fall", file=sys.stderr)
    return 0 if total.is_clean and total.has_struck else 1


async def _run(options: Options) -> Total:
    """Run it; told to end, it ends its servers and databases first."""
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await Harness(options).run()


async def _prove_all() -> bool:
    """Tell whether each sabotage is noticed by cases that pass without it."""
    proven = True
    for sabotage in CASES:
        broken, whole = await prove(sabotage), await prove(sabotage, broken=False)
        caught = not broken.is_clean and whole.is_clean
        proven &= caught
        print(f"{sabotage}: {'caught' if caught else 'NOT CAUGHT'}")
        print(f"  without it: {broken}\n  with it:    {whole}")
    return proven


def _parser() -> argparse.ArgumentParser:
    default = Options()
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--runs", type=int, default=default.runs, help="in mode points, 0 means every point")
    parser.add_argument("--seed", type=int, default=default.seed)
    parser.add_argument("--mode", choices=("both", "random", "points", "bulk"), default=default.mode)
    parser.add_argument("--store", choices=("postgresql", "sqlite"), default=default.store)
    parser.add_argument("--sealed", choices=("both", "sealed", "unsealed"), default=default.sealed)
    parser.add_argument(
        "--worlds", type=int, help=f"how many are run side by side; {default.worlds}, or {BULK_WORLDS} in bulk"
    )
    parser.add_argument("--exceptions", type=int, default=default.exceptions, help="how often to provoke them")
    parser.add_argument("--sabotage", choices=sorted(SABOTAGES), default="", help="break the servers first")
    parser.add_argument("--only", default="", metavar="NAME", help="one run, by the name that it is reported by")
    parser.add_argument("--stop-at-first", action="store_true", help="stop at the first run that fails")
    parser.add_argument("--keep", action="store_true", help="keep logs and databases, in the folder for such files")
    parser.add_argument("--prove", action="store_true", help="show that each sabotage is noticed")
    return parser


if __name__ == "__main__":
    sys.exit(main())
