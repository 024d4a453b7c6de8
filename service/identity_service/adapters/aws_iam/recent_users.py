"""The users made a moment ago, whom IAM may not find everywhere yet."""

from collections.abc import Callable

from identity_service.domain.names import name_key


class RecentUsers:
    """Remembers user names for a while; used by one event loop."""

    def __init__(self, window: float, clock: Callable[[], float]) -> None:
        self._window = window
        self._clock = clock
        self._made_at: dict[str, float] = {}

    def add(self, user_name: str) -> None:
        """Remember a user that was made just now."""
        earliest = self._clock() - self._window
        self._made_at = {name: at for name, at in self._made_at.items() if at > earliest}
        self._made_at[name_key(user_name)] = self._clock()

    def remove(self, user_name: str) -> None:
        """Forget a user, who was deleted."""
        self._made_at.pop(name_key(user_name), None)

    def __contains__(self, user_name: str) -> bool:
        made_at = self._made_at.get(name_key(user_name))
        return made_at is not None and self._clock() - made_at < self._window

    def __len__(self) -> int:
        return len(self._made_at)
