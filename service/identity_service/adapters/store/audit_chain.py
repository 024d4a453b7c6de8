"""The hash chains of the audit log: each line holds the hash of the one before it in its chain.

A chain belongs to one thread of one process, so that its order needs no lock and replicas do not wait for each other.
A unit of work adds to it in draft; only its commit moves the chain on, so that a rollback leaves no gap. Where nobody
knows what became of a commit, the chain is left as it is and the thread begins another one.

The form, number 1: the hash is SHA-256, in hexadecimal, of a JSON array without whitespace, in UTF-8, of FORM, chain
id, sequence, the hash before, and the values of HASHED as they are stored: numbers as numbers, all else as text, times
as `2026-02-03 04:05:06.000789` in UTC, details as the JSON text that was written. Before the first line of a chain
stands the hash of FORM and the chain id alone, as sequence 0.
"""

import hashlib
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from identity_service.adapters.store import audit_heads
from identity_service.adapters.store.audit_heads import Head

FORM = "identity-service/audit/1"

HASHED = (
    "id",
    "at",
    "event",
    "caller_id",
    "team",
    "action",
    "account_id",
    "target",
    "request_id",
    "row_id",
    "trace_id",
    "details",
)
"""The columns that a line's hash covers, beside those of the chain itself: all that there are."""

Values = Mapping[str, object]


def first_head(chain_id: str) -> Head:
    """Return the head of a chain that has no line yet."""
    return Head(chain_id, 0, _digest([FORM, chain_id]))


def hash_of(chain_id: str, sequence: int, previous_hash: str, stored: Values) -> str:
    """Return the hash of a line. Raises TypeError for what no line can hold."""
    return _digest([FORM, chain_id, sequence, previous_hash, *(stored[name] for name in HASHED)])


def time_text(time: datetime) -> str:
    """Write a time as it is hashed."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}"


def _digest(parts: list[object]) -> str:
    return hashlib.sha256(orjson.dumps(parts)).hexdigest()


class Chains:
    """The chains of this process, one for each thread that has written a line."""

    def __init__(self) -> None:
        self._heads: dict[int, Head] = {}
        self._guard = threading.Lock()

    def head(self) -> Head:
        """Return the head of this thread's chain; a new chain is logged before it has a line."""
        with self._guard:
            head = self._heads.get(threading.get_ident())
        if head is None:
            head = first_head(secrets.token_hex(16))
            audit_heads.log(head)
            self.advance(head)
        return head

    def advance(self, head: Head) -> None:
        """Move this thread's chain on to what was committed."""
        with self._guard:
            self._heads[threading.get_ident()] = head

    def leave(self) -> None:
        """Add no more to this thread's chain: nobody knows whether what was added last was committed."""
        with self._guard:
            head = self._heads.pop(threading.get_ident(), None)
        if head is not None:
            audit_heads.log(head)

    def log_heads(self, *, ended: bool = False) -> None:
        """Log where each chain stands; `ended` tells that nothing more will be added to them."""
        with self._guard:
            heads = tuple(self._heads.values())
        for head in heads:
            audit_heads.log(head, ended=ended)


@dataclass
class Draft:
    """What one unit of work adds to its thread's chain. It counts only once it was committed."""

    chains: Chains
    head: Head | None = None

    def link(self, stored: Values) -> dict[str, object]:
        """Return the columns that tie a line to the one before it."""
        before = self.head or self.chains.head()
        sequence = before.sequence + 1
        hash_ = hash_of(before.chain_id, sequence, before.hash, stored)
        self.head = Head(before.chain_id, sequence, hash_)
        return {"chain_id": before.chain_id, "sequence": sequence, "previous_hash": before.hash, "hash": hash_}

    def committed(self) -> None:
        """Let the chain go on from here."""
        if self.head is not None:
            self.chains.advance(self.head)

    def in_doubt(self) -> None:
        """Leave the chain, whose commit has failed or has no answer."""
        if self.head is not None:
            self.chains.leave()
