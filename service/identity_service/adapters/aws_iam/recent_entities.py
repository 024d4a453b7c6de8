"""The entities made a moment ago, which IAM may not find everywhere yet."""

import enum
from collections.abc import Callable
from dataclasses import dataclass

from identity_service.domain.names import name_key


class EntityKind(enum.Enum):
    """What IAM lets one make, and takes a moment to find."""

    USER = enum.auto()
    GROUP = enum.auto()
    POLICY = enum.auto()
    MFA_DEVICE = enum.auto()


@dataclass(frozen=True)
class Entity:
    """Something in IAM: users and groups by name, policies by ARN, MFA devices by serial number."""

    kind: EntityKind
    identifier: str

    @classmethod
    def user(cls, user_name: str) -> "Entity":
        """Name a user, in any letter case."""
        return cls(EntityKind.USER, name_key(user_name))

    @classmethod
    def group(cls, group_name: str) -> "Entity":
        """Name a group, in any letter case."""
        return cls(EntityKind.GROUP, name_key(group_name))

    @classmethod
    def policy(cls, policy_arn: str) -> "Entity":
        """Name a managed policy."""
        return cls(EntityKind.POLICY, policy_arn)

    @classmethod
    def mfa_device(cls, serial_number: str) -> "Entity":
        """Name an MFA device."""
        return cls(EntityKind.MFA_DEVICE, serial_number)


class RecentEntities:
    """Remembers entities for a while; used by one event loop."""

    def __init__(self, window: float, clock: Callable[[], float]) -> None:
        self._window = window
        self._clock = clock
        self._made_at: dict[Entity, float] = {}

    def add(self, entity: Entity) -> None:
        """Remember something that was made just now."""
        earliest = self._clock() - self._window
        self._made_at = {known: at for known, at in self._made_at.items() if at > earliest}
        self._made_at[entity] = self._clock()

    def remove(self, entity: Entity) -> None:
        """Forget something that was deleted."""
        self._made_at.pop(entity, None)

    def __contains__(self, entity: Entity) -> bool:
        made_at = self._made_at.get(entity)
        return made_at is not None and self._clock() - made_at < self._window

    def __len__(self) -> int:
        return len(self._made_at)
