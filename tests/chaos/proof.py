"""The proof that the proof works: for each sabotage the cases that have to catch it, and that pass without it."""

from collections.abc import Mapping, Sequence

from tests.chaos.harness import Harness, Options, Total
from tests.chaos.point_runs import Case, Story
from tests.chaos.points import Armed
from tests.chaos.timing import Timing
from tests.chaos.wishes import Kind

_KEY = Story("key", Kind.KEY)
_OPERATION = Story("operation", Kind.ROBOT, users=4)
UNHURRIED = Timing(lease=3.0, connect_timeout=0.3, read_timeout=0.7, signature_validity=12.0)
"""So that also on a crowded machine, what was signed before a long pause is taken after it, and answered in time."""

CASES: Mapping[str, Sequence[Case]] = {
    # A process stands still between signing and sending, until its lease has ended and another one has done its work.
    "fence": (Case(_KEY, Armed("iam:CreateAccessKey:signed", 1, "pause"), pause=2.4 * UNHURRIED.lease, faults=False),),
    "row-tag": (Case(Story("taken", Kind.TAKEN), Armed("store:find:before", 1, "kill"), faults=False),),
    # A key is made and written down, and nobody is left who knows its secret.
    "reconciliation": (Case(_KEY, Armed("store:record_mint:after", 1, "kill"), faults=False),),
    # A call arrives long after its sender has given up on it, and has been told to ask again.
    "settle": (Case(_KEY, None, late_call="CreateAccessKey"),),
    # A user of an operation is made, and nobody has written down that it was.
    "request-id": (Case(_OPERATION, Armed("store:record_user:before", 1, "kill"), faults=False),),
}


async def prove(sabotage: str, *, broken: bool = True, seed: int = 1, store: str = "postgresql") -> Total:
    """Run a sabotage's cases, with the server broken or whole."""
    timing = UNHURRIED if sabotage == "fence" else Timing()
    options = Options(seed=seed, store=store, sabotage=sabotage if broken else "", worlds=1, timing=timing)
    return await Harness(options).run_cases(CASES[sabotage])
