"""What is judged before anything is written: a plan, and the things that it is about as they are."""

from collections.abc import Mapping
from dataclasses import dataclass

from identity_service.domain.entities import UserRecord
from identity_service.domain.plan import Plan
from identity_service.domain.steps import DELETIONS, Step


@dataclass(frozen=True)
class Proposal:
    """The plan of an RPC, named by `action`, with what judging it needs to know.

    `user` is the user as it is, None for one that is to be made or is not touched. `target_tags` are the tags of what
    is changed, None where it bears none. `copied_from` is the user whose permissions the plan copies.
    """

    action: str
    plan: Plan
    user: UserRecord | None = None
    target_tags: Mapping[str, str] | None = None
    copied_from: UserRecord | None = None

    @property
    def judged(self) -> tuple[Step, ...]:
        """The steps that the caller must be allowed to have.

        What is so already counts as well, so that an answer does not tell what somebody has who may not be given it;
        but not what is gone already.
        """
        return (*self.plan.steps, *(step for step in self.plan.satisfied if not isinstance(step, DELETIONS)))
