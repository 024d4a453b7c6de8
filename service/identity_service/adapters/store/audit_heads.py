"""The heads of the audit log's chains: logged, so that they stand where who changes the database does not reach."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field

import orjson
import structlog

EVENT = "audit_heads"

# Whatever the level that is configured: a log that leaves heads out can show no cut tail.
_log: structlog.typing.FilteringBoundLogger = structlog.wrap_logger(
    None, wrapper_class=structlog.make_filtering_bound_logger(logging.NOTSET)
)


@dataclass(frozen=True)
class Head:
    """How far a chain has come: the number of its last line and that line's hash."""

    chain_id: str
    sequence: int
    hash: str


def log(head: Head, *, ended: bool = False) -> None:
    """Log a head; `ended` tells that nothing will follow it."""
    _log.info(
        EVENT, chain_id=head.chain_id, sequence=head.sequence, hash=head.hash, **({"ended": True} if ended else {})
    )


@dataclass
class LoggedHeads:
    """The heads that were found in logs: of each chain the hashes by sequence, and where it ended, if it did.

    `contradictory` are heads of one chain and sequence with two hashes, `unreadable` counts lines that seem to be
    heads, such as one that a crash has cut.
    """

    chains: dict[str, dict[int, str]] = field(default_factory=dict)
    ended: dict[str, int] = field(default_factory=dict)
    contradictory: list[Head] = field(default_factory=list)
    unreadable: int = 0

    def read(self, lines: Iterable[bytes]) -> None:
        """Add the heads in a log, one JSON object a line; other lines are passed over."""
        for line in lines:
            if EVENT.encode() in line:
                self._add(line)

    def _add(self, line: bytes) -> None:
        try:
            # From the brace on: who collects logs often puts a time or a name before each line.
            found = orjson.loads(line[line.index(b"{") :])
            if found["event"] != EVENT:
                return
            head = Head(str(found["chain_id"]), int(found["sequence"]), str(found["hash"]))
        except (ValueError, KeyError, TypeError):
            self.unreadable += 1
            return
        hashes = self.chains.setdefault(head.chain_id, {})
        if hashes.setdefault(head.sequence, head.hash) != head.hash:
            self.contradictory.append(head)
        if found.get("ended") is True:
            self.ended[head.chain_id] = head.sequence


def as_line(head: Head) -> str:
    """Write a head as it is logged."""
    line = {"event": EVENT, "chain_id": head.chain_id, "sequence": head.sequence, "hash": head.hash}
    return orjson.dumps(line).decode()
