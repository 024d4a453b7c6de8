"""Blocks of addresses as NetworkPolicies write them, of either version of IP."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_network


@dataclass(frozen=True)
class Block:
    """All addresses from the first to the last; `prefix` is how many leading bits they have in common."""

    version: int
    prefix: int
    first: int
    last: int

    @classmethod
    def of(cls, text: str) -> "Block":
        """Read a CIDR, or one address. Raises ValueError."""
        network = ip_network(text)
        first, last = int(network.network_address), int(network.broadcast_address)
        return cls(network.version, network.prefixlen, first, last)

    @property
    def is_one_address(self) -> bool:
        """Whether it is a single address."""
        return self.first == self.last

    def holds(self, other: "Block") -> bool:
        """Tell whether all of another block lies in this one."""
        return self.version == other.version and self.first <= other.first and other.last <= self.last

    def is_clear_of(self, part: "Block", excepted: Iterable["Block"]) -> bool:
        """Tell whether this block has nothing in common with a part, but for what is excepted from it."""
        # Two blocks nest, or are apart.
        common = part if self.holds(part) else self if part.holds(self) else None
        return common is None or any(each.holds(common) for each in excepted)
