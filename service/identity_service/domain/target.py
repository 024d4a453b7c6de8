"""What a mutation changes: a user, a group or a managed policy, by name."""

import enum
from dataclasses import dataclass

from identity_service.domain.names import name_key


class TargetKind(enum.Enum):
    """The kinds of things that are changed."""

    USER = "user"
    GROUP = "group"
    POLICY = "policy"


@dataclass(frozen=True)
class Target:
    """One thing in an account; `name` is a policy's ARN where it has one already."""

    kind: TargetKind
    name: str

    @property
    def key(self) -> str:
        """What is the same for every spelling of the name, which IAM does not tell apart by letter case."""
        return f"{self.kind.value}/{name_key(self.name)}"

    def __str__(self) -> str:
        return f"{self.kind.value}/{self.name}"


def user(name: str) -> Target:
    """Return a user as a target."""
    return Target(TargetKind.USER, name)
