"""A value that must not be seen by accident."""

from typing import final


@final
class Secret:
    """A secret string: no `repr`, `str`, format, pickle or comparison of it shows the value.

    Only `reveal()` does, and it is called where AWS is asked, where the answer is written, and where it is sealed.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value itself."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __format__(self, format_spec: str) -> str:
        return repr(self)

    def __reduce__(self) -> str:
        raise TypeError("a secret is not pickled")
