"""The plan of a change of a user's tags, path or name. Goes forward only."""

from identity_service.domain import tags
from identity_service.domain.entities import UserSnapshot
from identity_service.domain.errors import Reason, Resource
from identity_service.domain.facts import UserFacts
from identity_service.domain.names import name_key, user_arn
from identity_service.domain.plan import Plan, WarningKind
from identity_service.domain.planning.draft import Draft
from identity_service.domain.planning.self_management import (
    INLINE_POLICY_NAME,
    self_management_document,
    self_management_level,
)
from identity_service.domain.planning.user_draft import draft_for_existing
from identity_service.domain.request import UserUpdate
from identity_service.domain.steps import PutUserPolicy, TagUser, UntagUser, UpdateUser

RETAG, MOVE, FOLLOW = 1, 2, 3
"""Tags first: after a rename the user has another name."""


def plan_user_update(update: UserUpdate, facts: UserFacts, *, new_name_taken: bool) -> Plan:
    """Plan the change; `new_name_taken` tells that another user has the new name."""
    draft = draft_for_existing(facts, update.user_name)
    _plan_tags(draft, update, facts)
    if new_name_taken:
        draft.stop(
            Reason.USER_ALREADY_EXISTS,
            f"there is a user {update.new_user_name}; names are unique in any letter case",
            "new_user_name",
            Resource("iam:User", update.new_user_name or ""),
        )
    _plan_move(draft, update, facts)
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


def _plan_move(draft: Draft, update: UserUpdate, facts: UserFacts) -> None:
    if facts.snapshot is None or not (update.new_user_name or update.new_path):
        return
    user = facts.snapshot.user
    name = update.new_user_name if update.new_user_name != user.user_name else None
    path = update.new_path if update.new_path != user.path else None
    step = UpdateUser(
        user_name=user.user_name,
        user_arn=user.arn,
        round=MOVE,
        new_user_name=name if name or path else update.new_user_name,
        new_path=path if name or path else update.new_path,
    )
    draft.do(step, satisfied=not (name or path))
    if name or path:
        _move_self_management(draft, facts, facts.snapshot, name or user.user_name, path or user.path)
        draft.warn(
            WarningKind.REMAINS,
            "keys, password, groups, policies and MFA devices move along; documents that name the old ARN do not",
            "new_user_name" if name else "new_path",
        )


def _move_self_management(draft: Draft, facts: UserFacts, before: UserSnapshot, name: str, path: str) -> None:
    """Plan self-management on the new ARN: on the old one it would be about whoever gets that name next."""
    held = before.inline_policies.get(INLINE_POLICY_NAME)
    level = self_management_level(held, facts.partition, facts.account_id, before.user.arn) if held else None
    if level is None:
        return
    arn = user_arn(facts.partition, facts.account_id, path, name)
    document = self_management_document(level, facts.partition, facts.account_id, arn)
    draft.do(
        PutUserPolicy(user_name=name, user_arn=arn, round=FOLLOW, policy_name=INLINE_POLICY_NAME, document=document)
    )
