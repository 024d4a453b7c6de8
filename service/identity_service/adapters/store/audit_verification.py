"""Verifying the audit log: every chain is computed again and held against the heads that were logged.

The chains alone show an edit, a gap, a line in a wrong place; whoever computes them again, to hide an edit or to cut
a tail, is shown by the heads.
"""

import enum
from collections.abc import Iterator
from dataclasses import dataclass

from identity_service.adapters.store.audit_chain import HASHED, first_head, hash_of
from identity_service.adapters.store.audit_heads import Head, LoggedHeads
from identity_service.adapters.store.audit_reader import StoredLine
from identity_service.adapters.store.schema import AuditEventName


class Kind(enum.StrEnum):
    """What is wrong."""

    ALTERED = "altered"
    MISSING = "missing"
    MISPLACED = "misplaced"
    UNLINKED = "unlinked"
    UNCHAINED = "unchained"
    REWRITTEN = "rewritten"
    CUT = "cut"
    UNKNOWN_CHAIN = "unknown-chain"
    CONTRADICTORY_HEADS = "contradictory-heads"


@dataclass(frozen=True)
class Finding:
    """Something that is wrong, and where."""

    kind: Kind
    words: str


@dataclass
class _Chain:
    """How far a chain was looked at; `head` is what its next line has to follow, `vouched` the last head that agrees.

    `rewritten` tells that a head disagreed: those after it disagree too, and are told once.
    """

    head: Head
    vouched: int = 0
    rewritten: bool = False


class Verification:
    """Looks at every line, in the order of their ids, and then at what is not there. Keeps one head for each chain."""

    def __init__(self, heads: LoggedHeads) -> None:
        self._heads = heads
        self._chains: dict[str, _Chain] = {}
        self.lines = 0
        self.denials = 0

    @property
    def chains(self) -> int:
        """How many chains there are."""
        return len(self._chains)

    @property
    def not_vouched(self) -> int:
        """How many lines are newer than the last head of their chain: nothing outside the database vouches for them."""
        return sum(chain.head.sequence - chain.vouched for chain in self._chains.values() if not chain.rewritten)

    def look_at(self, line: StoredLine) -> Iterator[Finding]:
        """Yield what is wrong with the next line."""
        self.lines += 1
        if line["chain_id"] is None:
            yield from self._look_at_unchained(line)
            return
        chain = self._chains.setdefault(line["chain_id"], _Chain(first_head(str(line["chain_id"]))))
        if not _is_whole(line):
            yield Finding(Kind.ALTERED, f"{_name(line)} does not have the hash that it was written with")
        sequence, before = line["sequence"], chain.head
        if not isinstance(sequence, int):
            return
        if sequence <= before.sequence:
            yield Finding(Kind.MISPLACED, f"{_name(line)} stands after number {before.sequence} of its chain")
            return
        if sequence > before.sequence + 1:
            numbers = _numbers(before.sequence + 1, sequence - 1)
            yield Finding(Kind.MISSING, f"{numbers} of chain {before.chain_id} before line {line['id']}")
        elif line["previous_hash"] != before.hash:
            yield Finding(Kind.UNLINKED, f"{_name(line)} was not written after what stands before it")
        chain.head = Head(before.chain_id, sequence, str(line["hash"]))
        yield from self._hold_against_heads(chain, line)

    def _look_at_unchained(self, line: StoredLine) -> Iterator[Finding]:
        if line["event"] == AuditEventName.DENIED:
            self.denials += 1
        else:
            yield Finding(
                Kind.UNCHAINED, f"line {line['id']} ({line['event']}) is in no chain; only denials are in none"
            )

    def _hold_against_heads(self, chain: _Chain, line: StoredLine) -> Iterator[Finding]:
        head = chain.head
        ended = self._heads.ended.get(head.chain_id)
        if ended is not None and head.sequence == ended + 1:
            yield Finding(Kind.MISPLACED, f"{_name(line)} and what follows were added after the chain had ended")
        logged = self._heads.chains.get(head.chain_id, {}).get(head.sequence)
        if logged is None or chain.rewritten:
            return
        if logged == head.hash:
            chain.vouched = head.sequence
            return
        chain.rewritten = True
        numbers = _numbers(chain.vouched + 1, head.sequence)
        yield Finding(
            Kind.REWRITTEN, f"{numbers} of chain {head.chain_id}, up to line {line['id']}: not what was logged"
        )

    def finish(self) -> Iterator[Finding]:
        """Yield what is wrong with the chains as a whole, after the last line."""
        for head in self._heads.contradictory:
            words = f"the logs hold two heads for number {head.sequence} of chain {head.chain_id}"
            yield Finding(Kind.CONTRADICTORY_HEADS, words)
        for chain_id, hashes in self._heads.chains.items():
            chain, last = self._chains.get(chain_id), max(hashes)
            first = hashes.get(0)
            if first is not None and first != first_head(chain_id).hash:
                yield Finding(Kind.REWRITTEN, f"chain {chain_id} began with another hash than was logged")
            if chain is None and last > 0:
                yield Finding(Kind.CUT, f"chain {chain_id} is gone; {last} lines of it were logged")
            elif chain is not None and chain.head.sequence < last:
                numbers = _numbers(chain.head.sequence + 1, last)
                yield Finding(Kind.CUT, f"{numbers} of chain {chain_id} are gone from its end, or more")
        for chain_id in self._chains.keys() - self._heads.chains.keys():
            yield Finding(Kind.UNKNOWN_CHAIN, f"no head names chain {chain_id}: it was added, or a log is missing")


def _is_whole(line: StoredLine) -> bool:
    """Tell whether a line has the hash of what stands in it."""
    try:
        stored = {name: line[name] for name in HASHED}
        computed = hash_of(line["chain_id"], line["sequence"], line["previous_hash"], stored)
    except TypeError:
        # A value of a kind that the service does not write.
        return False
    return computed == str(line["hash"])


def _name(line: StoredLine) -> str:
    return f"line {line['id']} ({line['event']}), number {line['sequence']} of chain {line['chain_id']},"


def _numbers(first: int, last: int) -> str:
    return f"number {first}" if first == last else f"numbers {first} to {last}"
