"""The plan of a change of a user's tags, path or name. Goes forward only."""

from collections.abc import Mapping

from identity_service.domain import tags
from identity_service.domain.errors import Reason, Resource
from identity_service.domain.facts import UserFacts
from identity_service.domain.names import name_key
from identity_service.domain.plan import Plan
from identity_service.domain.planning.draft import Draft
from identity_service.domain.planning.user_draft import draft_for_existing
from identity_service.domain.planning.user_move import plan_move
from identity_service.domain.request import UserUpdate
from identity_service.domain.steps import TagUser, UntagUser

RETAG = 1
"""Tags first: after a rename the user has another name."""


def plan_user_update(
    update: UserUpdate, facts: UserFacts, *, new_name_taken: bool, held_documents: Mapping[str, str]
) -> Plan:
    """Plan the change; `new_name_taken` tells that another user has the new name.

    `held_documents` holds the customer managed policies and the groups' inline policies that grant the user something,
    each by what a reader calls it; they matter only to a user who gets another name or path.
    """
    draft = draft_for_existing(facts, update.user_name)
    _plan_tags(draft, update, facts)
    if new_name_taken:
        draft.stop(
            Reason.USER_ALREADY_EXISTS,
            f"there is a user {update.new_user_name}; names are unique in any letter case",
            "new_user_name",
            Resource("iam:User", update.new_user_name or ""),
        )
    plan_move(draft, update, facts, held_documents)
    return draft.finish()


def _plan_tags(draft: Draft, update: UserUpdate, facts: UserFacts) -> None:
    held = dict(facts.snapshot.user.tags) if facts.snapshot else {}
    for violation in tags.violations(update.set_tags, "set_tags"):
        draft.stop(Reason.INVALID_FIELD, violation.message, violation.field)
    for index, key in enumerate(update.remove_tag_keys):
        at = f"remove_tag_keys[{index}]"
        if key.lower().startswith(tags.RESERVED_PREFIXES):
            draft.stop(Reason.INVALID_FIELD, "the tag is not the caller's to remove", at)
        if key.lower() in {name.lower() for name, _ in update.set_tags}:
            draft.stop(Reason.INVALID_FIELD, "the tag is to be set and to be removed", at)
    changed = {key: value for key, value in update.set_tags if held.get(key) != value}
    removed = {name_key(key) for key in update.remove_tag_keys}
    there = tuple(key for key in held if name_key(key) in removed)
    if facts.snapshot is None:
        return
    name, arn = facts.snapshot.user.user_name, facts.snapshot.user.arn
    if update.set_tags:
        asked = changed or dict(update.set_tags)
        draft.do(TagUser(user_name=name, user_arn=arn, round=RETAG, tags=asked), satisfied=not changed)
    if update.remove_tag_keys:
        keys = there or update.remove_tag_keys
        draft.do(UntagUser(user_name=name, user_arn=arn, round=RETAG, tag_keys=keys), satisfied=not there)
    after = ({name_key(key) for key in held} - removed) | {name_key(key) for key, _ in update.set_tags}
    if len(after) != len(held):
        draft.use_quota("TagsPerUser", len(held), len(after), "set_tags", limit=tags.MAXIMUM_TAGS)
