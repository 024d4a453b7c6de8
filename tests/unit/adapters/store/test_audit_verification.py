"""What verifying the audit log finds: every way to tamper with it, on each engine, and nothing in an untouched one."""

from collections.abc import Callable

import pytest

from identity_service.application.ledger import Intent
from tests.unit.adapters.store.audit_logs import HASHED, Line, Log, Logged, chain_again, digest, seal, verify, write_log
from tests.unit.adapters.store.worlds import World

MakeIntent = Callable[..., Intent]
Tampering = Callable[[Log], Log]

OTHER_VALUES: dict[str, object] = {
    "id": 500,
    "at": "2026-02-03 04:05:07.000789",
    "event": "failure",
    "details": '{"reason":"NOT_OWNER"}',
}


def chains_of(log: Log) -> tuple[str, str]:
    """Name the two chains; the first one has the first line."""
    first, second = dict.fromkeys(line["chain_id"] for line in log if line["chain_id"])
    return first, second


def of_first(log: Log, *numbers: int) -> list[int]:
    """Return where the lines with some numbers of the first chain stand."""
    first, _ = chains_of(log)
    return [[(line["chain_id"], line["sequence"]) for line in log].index((first, number)) for number in numbers]


def change(number: int, **values: object) -> Tampering:
    """Change values of a line of the first chain."""

    def tamper(log: Log) -> Log:
        (place,) = of_first(log, number)
        return [*log[:place], {**log[place], **values}, *log[place + 1 :]]

    return tamper


def change_and_seal(log: Log) -> Log:
    """Change a line and give it the hash that it then has."""
    (place,) = of_first(log, 3)
    return [*log[:place], seal({**log[place], "team": "another"}), *log[place + 1 :]]


def change_and_chain(log: Log) -> Log:
    """Change a line and compute its chain again."""
    return chain_again(change(3, team="another")(log))


def change_last_and_chain(log: Log) -> Log:
    """Change the last line and compute its chain again."""
    return chain_again(change(7, team="another")(log))


def without(*numbers: int) -> Tampering:
    """Remove lines of the first chain."""

    def tamper(log: Log) -> Log:
        places = of_first(log, *numbers)
        return [line for place, line in enumerate(log) if place not in places]

    return tamper


def remove_and_chain(log: Log) -> Log:
    """Remove a line and close the gap."""
    return chain_again(without(3)(log))


def remove_chain(log: Log) -> Log:
    """Remove a whole chain."""
    _, second = chains_of(log)
    return [line for line in log if line["chain_id"] != second]


def remove_all(log: Log) -> Log:
    """Empty the table."""
    return []


def new_line(log: Log, **values: object) -> Line:
    """Build a line like the first one, with an id that is free."""
    return {**log[0], "id": 900, "row_id": "row-900", **values}


def insert_copy(log: Log) -> Log:
    """Add a copy of a line under a new number."""
    return [*log, new_line(log, sequence=100)]


def insert_and_chain(log: Log) -> Log:
    """Add a line in the middle and compute its chain again."""
    moved = [{**line, "id": line["id"] + 1} if place >= 2 else line for place, line in enumerate(log)]
    return chain_again([*moved[:2], new_line(log, id=3), *moved[2:]])


def append_after_the_end(log: Log) -> Log:
    """Add a line, in due form, to a chain that has ended."""
    last = log[of_first(log, 7)[0]]
    return [*log, seal(new_line(log, sequence=8, previous_hash=last["hash"]))]


def add_chain(log: Log) -> Log:
    """Add a chain, in due form, that no process had."""
    previous = digest("identity-service/audit/1", "forged")
    return [*log, seal(new_line(log, chain_id="forged", sequence=1, previous_hash=previous))]


def insert_unchained(log: Log) -> Log:
    """Add a line that is in no chain."""
    return [*log, new_line(log, chain_id=None, sequence=None, previous_hash=None, hash=None)]


def swap(*columns: str) -> Tampering:
    """Swap columns of two lines of one chain."""

    def tamper(log: Log) -> Log:
        one, two = of_first(log, 2, 5)
        return swapped(log, one, two, columns)

    return tamper


def swapped(log: Log, one: int, two: int, columns: tuple[str, ...]) -> Log:
    """Swap columns of two lines."""
    result = [dict(line) for line in log]
    for name in columns:
        result[one][name], result[two][name] = log[two][name], log[one][name]
    return sorted(result, key=lambda line: int(line["id"]))


def swap_across_chains(log: Log) -> Log:
    """Let two lines change their chains."""
    first, second = chains_of(log)
    places = [(line["chain_id"], line["sequence"]) for line in log]
    one, two = places.index((first, 2)), places.index((second, 2))
    return swapped(log, one, two, ("chain_id", "sequence", "previous_hash", "hash"))


def move_across_chains_and_chain(log: Log) -> Log:
    """Move a line to the other chain and compute both again."""
    _, second = chains_of(log)
    return chain_again(change(3, chain_id=second)(log))


def replace_tail(log: Log) -> Log:
    """Put other lines, in due form, in the place of a tail."""
    return chain_again(change(6, caller_id="another")(change(7, caller_id="another")(log)))


TAMPERINGS: dict[str, Tampering] = {
    **{f"change {name}": change(3, **{name: OTHER_VALUES.get(name, "another")}) for name in HASHED},
    "write the details in other words": change(3, details='{"plan_digest":"", "plan_digest":""}'),
    "change the hash": change(3, hash="0" * 64),
    "change the hash before": change(3, previous_hash="0" * 64),
    "change the number": change(7, sequence=8),
    "change the chain": change(7, chain_id="another"),
    "take a line out of its chain": change(3, chain_id=None, sequence=None, previous_hash=None, hash=None),
    "make a denial of a line": change(
        3, event="denied", chain_id=None, sequence=None, previous_hash=None, hash=None, details='{"reason":"X"}'
    ),
    "change and hash the line": change_and_seal,
    "change and hash the chain": change_and_chain,
    "change the last line and hash the chain": change_last_and_chain,
    "remove the first line": without(1),
    "remove a line": without(3),
    "remove lines": without(3, 4, 5),
    "remove the last line": without(7),
    "remove a tail": without(5, 6, 7),
    "remove a line and hash the chain": remove_and_chain,
    "remove a chain": remove_chain,
    "remove everything": remove_all,
    "add a copy": insert_copy,
    "add a line and hash the chain": insert_and_chain,
    "add to an ended chain": append_after_the_end,
    "add a chain": add_chain,
    "add a line outside of all chains": insert_unchained,
    "swap ids": swap("id"),
    "swap ids and times": swap("id", "at"),
    "swap numbers": swap("sequence"),
    "swap contents": swap("event", "details", "row_id"),
    "swap across chains": swap_across_chains,
    "move across chains and hash them": move_across_chains_and_chain,
    "put another tail in place": replace_tail,
}


@pytest.fixture
async def logged(sqlite_world: World, make_intent: MakeIntent) -> Logged:
    """An audit log in a SQLite file."""
    return await write_log(sqlite_world, make_intent)


async def test_an_untouched_log_is_intact(world: World, make_intent: MakeIntent) -> None:
    """On each engine, what was written is found whole: eleven lines in two chains, and a denial in none."""
    logged = await write_log(world, make_intent)
    found, verification = verify(world, logged.server_log)
    assert found == []
    assert (verification.lines, verification.chains, verification.denials) == (12, 2, 1)
    assert verification.not_vouched == 0


@pytest.mark.parametrize("name", TAMPERINGS)
async def test_every_tampering_is_found(logged: Logged, name: str) -> None:
    """Whatever is changed, removed, added or moved in SQLite, verifying says so."""
    untouched = logged.read()
    logged.replace(untouched)
    assert logged.verify() == []
    logged.replace(TAMPERINGS[name](untouched))
    assert logged.verify() != []


async def test_every_tampering_is_found_in_postgresql(postgres_world: World, make_intent: MakeIntent) -> None:
    """Whatever is changed, removed, added or moved in PostgreSQL, verifying says so, and only then."""
    logged = await write_log(postgres_world, make_intent)
    untouched = logged.read()
    logged.replace(untouched)
    assert logged.verify() == []
    missed = []
    for name, tamper in TAMPERINGS.items():
        logged.replace(tamper(untouched))
        missed += [] if logged.verify() else [name]
    assert missed == []


@pytest.mark.parametrize("name", [name for name in HASHED if name not in ("id", "event")])
async def test_a_value_of_another_kind_is_found(logged: Logged, name: str) -> None:
    """SQLite lets most columns hold anything; verifying tells of it rather than to stumble over it."""
    lines = logged.read()
    logged.replace(lines)
    (place,) = of_first(lines, 3)
    logged.world.execute(f"UPDATE audit_log SET {name} = X'FF' WHERE id = :id", id=lines[place]["id"])  # noqa: S608 - our own names
    assert [finding.kind for finding in logged.verify()] == ["altered"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("change team", ["altered: line 5 (intent), number 3 of chain {first}, does not have the hash that"]),
        ("remove a line", ["missing: number 3 of chain {first} before line 6"]),
        ("remove a tail", ["cut: numbers 5 to 7 of chain {first} are gone from its end"]),
        ("remove a chain", ["cut: chain {second} is gone; 4 lines of it were logged"]),
        ("remove everything", ["cut: chain {first} is gone; 7 lines", "cut: chain {second} is gone; 4 lines"]),
        ("change and hash the line", ["unlinked: line 6 (outcome), number 4 of chain {first}, was not written after"]),
        ("change and hash the chain", ["rewritten: numbers 1 to 4 of chain {first}, up to line 6"]),
        ("change the last line and hash the chain", ["rewritten: numbers 5 to 7 of chain {first}, up to line 11"]),
        ("add a chain", ["unknown-chain: no head names chain forged"]),
        ("add to an ended chain", ["misplaced: line 900 (intent), number 8 of chain {first}, and what follows"]),
        ("add a line outside of all chains", ["unchained: line 900 (intent) is in no chain"]),
    ],
)
async def test_a_finding_says_what_and_where(logged: Logged, name: str, expected: list[str]) -> None:
    """Each finding names the line or the numbers of the chain, and one tampering is not told many times."""
    lines = logged.read()
    first, second = chains_of(lines)
    logged.replace(TAMPERINGS[name](lines))
    found = [f"{finding.kind}: {finding.words}" for finding in logged.verify()]
    beginnings = [words.format(first=first, second=second) for words in expected]
    assert len(found) == len(beginnings)
    assert all(words.startswith(beginning) for words, beginning in zip(found, beginnings, strict=True))


async def test_a_head_that_was_forged_is_found(logged: Logged) -> None:
    """Two heads for one place of a chain contradict each other, whichever is right."""
    first, _ = chains_of(logged.read())
    forged = f'{{"event":"audit_heads","chain_id":"{first}","sequence":7,"hash":"{"0" * 64}"}}'.encode()
    kinds = [finding.kind for finding in verify(logged.world, logged.server_log + b"\n" + forged)[0]]
    assert kinds == ["contradictory-heads"]


async def test_lines_after_the_last_head_are_counted(sqlite_world: World, make_intent: MakeIntent) -> None:
    """What a process wrote after its last head is intact as a chain, and told as what no log vouches for."""
    logged = await write_log(sqlite_world, make_intent)
    heads = [line for line in logged.server_log.splitlines() if b'"ended"' not in line]
    found, verification = verify(sqlite_world, b"\n".join(heads))
    assert found == []
    # Of the first chain three lines, of the second, whose beginning alone is left, all four.
    assert verification.not_vouched == 7


async def test_other_lines_and_what_collectors_add_do_not_matter(logged: Logged) -> None:
    """A head is found behind a time stamp, other events are passed over, and a line that is cut off is counted."""
    lines = [b"2026-02-03T04:05:06Z stdout F " + line for line in logged.server_log.splitlines()]
    noise = [b"", b"Traceback", b'{"event":"served","method":"audit_heads"}', lines[0][:60]]
    assert verify(logged.world, b"\n".join([*noise, *lines]))[0] == []
