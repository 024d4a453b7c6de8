"""A plan for one user in the making."""

from identity_service.domain import target
from identity_service.domain.entities import UserSnapshot
from identity_service.domain.errors import Reason, Resource
from identity_service.domain.facts import UserFacts
from identity_service.domain.names import user_arn
from identity_service.domain.planning.draft import Draft
from identity_service.domain.request import UserChange


def draft_for_existing(facts: UserFacts, user_name: str, at: str = "user_name") -> Draft:
    """Begin a plan for a user who has to be there, with the problem if there is no such user."""
    if facts.snapshot is not None:
        return Draft(facts, target.user(facts.snapshot.user.user_name), facts.snapshot.user.user_id)
    draft = Draft(facts, target.user(user_name))
    draft.stop(Reason.USER_NOT_FOUND, f"there is no user {user_name}", at, Resource("iam:User", user_name))
    return draft


class UserDraft(Draft):
    """What the plan of a `UserChange` has so far."""

    def __init__(self, change: UserChange, facts: UserFacts, row_id: str, team: str) -> None:
        self.change = change
        self.user_facts = facts
        self.row_id = row_id
        self.team = team
        super().__init__(facts, target.user(self.user_name), self.before.user.user_id if self.before else "")

    @property
    def before(self) -> UserSnapshot | None:
        """The user as it is; None for one that is to be made, whoever has the name."""
        return None if self.change.new_user else self.user_facts.snapshot

    @property
    def user_name(self) -> str:
        """The user's name as IAM has it, or as it is asked for."""
        return self.before.user.user_name if self.before else self.change.user_name

    @property
    def path(self) -> str:
        """The path that the user has or will have."""
        if self.change.new_user:
            return self.change.new_user.path
        return self.before.user.path if self.before else "/"

    @property
    def user_arn(self) -> str:
        """The ARN that the user has or will have."""
        facts = self.user_facts
        return user_arn(facts.partition, facts.account_id, self.path, self.user_name)
