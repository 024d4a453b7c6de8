"""The plan of adopting a user: the owner tag and nothing else. Goes forward only."""

from identity_service.domain import tags
from identity_service.domain.facts import UserFacts
from identity_service.domain.plan import Plan, WarningKind
from identity_service.domain.planning.user_draft import draft_for_existing
from identity_service.domain.request import UserAdoption
from identity_service.domain.steps import TagUser


def plan_adoption(adoption: UserAdoption, facts: UserFacts, team: str) -> Plan:
    """Plan the adoption; whether the team may have the user is not judged here."""
    draft = draft_for_existing(facts, adoption.user_name)
    if facts.snapshot is None:
        return draft.finish()
    user = facts.snapshot.user
    owned = tags.owner_of(user.tags) == team
    step = TagUser(user_name=user.user_name, user_arn=user.arn, round=1, tags={tags.OWNER: team})
    draft.do(step, satisfied=owned)
    if not owned:
        after = len({*user.tags, tags.OWNER})
        draft.use_quota("TagsPerUser", len(user.tags), after, "user_name", limit=tags.MAXIMUM_TAGS)
        draft.warn(
            WarningKind.REMAINS,
            "credentials and permissions stay as they are: whoever has the user's keys or password keeps them",
            "user_name",
        )
    return draft.finish()
