"""Every account of the process: apart from each other, and found by their id or by a key that they know."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from threading import RLock

from embedded_aws.account import Account
from embedded_aws.clock import Clock
from embedded_aws.process import DEFAULT_PARTITION


class Accounts:
    """The accounts. One lock orders the work in all of them, so that two can never wait for each other."""

    def __init__(
        self, account_ids: Sequence[str], *, partition: str = DEFAULT_PARTITION, access_control: bool = False
    ) -> None:
        """Open these accounts of one partition; the first is the one that unknown keys are taken to mean."""
        self.lock = RLock()
        self.clock = Clock()
        self._partition = partition
        self._access_control = access_control
        self._by_id: dict[str, Account] = {}
        for account_id in account_ids:
            self.add(account_id)
        self.default = self._by_id[account_ids[0]]

    def __iter__(self) -> Iterator[Account]:
        """The accounts in the order of their opening."""
        return iter(self._by_id.values())

    def add(self, account_id: str) -> Account:
        """Open one more account; one that is open stays as it is."""
        if account_id not in self._by_id:
            self._by_id[account_id] = Account(
                account_id,
                partition=self._partition,
                access_control=self._access_control,
                lock=self.lock,
                clock=self.clock,
            )
        return self._by_id[account_id]

    def find(self, account_id: str) -> Account | None:
        """The account of that id."""
        return self._by_id.get(account_id)

    def of_key(self, access_key_id: str) -> Account:
        """The account that a key belongs to."""
        if len(self._by_id) == 1:
            return self.default
        return next((account for account in self if account.knows_key(access_key_id)), self.default)
