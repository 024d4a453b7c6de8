"""A table by name that also finds a name in another case, without looking at every entry."""

from __future__ import annotations

from typing import Any, TypeVar

_T = TypeVar("_T")


class NameTable(dict[str, _T]):
    """A dict with an index of its keys without case; names that differ in case alone never meet in it.

    It stands in for dicts of moto's, so only the ways in which those are changed are kept in step:
    assignment, `del` and `pop`.
    """

    def __init__(self) -> None:
        """Start empty."""
        super().__init__()
        self._spelling: dict[str, str] = {}

    def __setitem__(self, name: str, item: _T) -> None:
        # copy.deepcopy fills a table that it has not initialised.
        self.__dict__.setdefault("_spelling", {})[name.casefold()] = name
        super().__setitem__(name, item)

    def __delitem__(self, name: str) -> None:
        super().__delitem__(name)
        del self._spelling[name.casefold()]

    def pop(self, name: str, *default: Any) -> Any:
        """Remove and return an entry."""
        if name not in self:
            return super().pop(name, *default)
        item = self[name]
        del self[name]
        return item

    def find(self, name: str) -> _T | None:
        """The entry of that name, whatever its case."""
        return self.get(self._spelling.get(name.casefold(), ""))
