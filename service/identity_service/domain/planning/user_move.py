"""The plan of a new name or path: what moves along with the user, and what does not follow.

Source: AWS, "Rename an IAM user": what is on the user stays on it; policies that name it as the principal are updated
by IAM, those that name it as a resource are not.
"""

from collections.abc import Iterator, Mapping, Sequence

from identity_service.domain import tags
from identity_service.domain.entities import UserRecord, UserSnapshot, VirtualMfaDeviceRecord
from identity_service.domain.facts import UserFacts
from identity_service.domain.names import user_arn
from identity_service.domain.plan import WarningKind
from identity_service.domain.planning.draft import Draft
from identity_service.domain.planning.self_management import (
    INLINE_POLICY_NAME,
    self_management_document,
    self_management_level,
)
from identity_service.domain.planning.user_mentions import Designation, stale_places
from identity_service.domain.request import UserUpdate
from identity_service.domain.steps import PutUserPolicy, TagMfaDevice, UpdateUser

MOVE, FOLLOW = 2, 3
"""After the tags: a user with another name is another user to the steps that were planned for it."""


def is_moved(update: UserUpdate, user: UserRecord) -> bool:
    """Tell whether the user gets a name or a path that it does not have."""
    return bool(_new_name(update, user) or _new_path(update, user))


def plan_move(draft: Draft, update: UserUpdate, facts: UserFacts, documents: Mapping[str, str]) -> None:
    """Plan the move. `documents` holds what else grants the user something: documents by what a reader calls them."""
    before = facts.snapshot
    if before is None or not (update.new_user_name or update.new_path):
        return
    user = before.user
    name, path = _new_name(update, user), _new_path(update, user)
    moved = bool(name or path)
    step = UpdateUser(
        user_name=user.user_name,
        user_arn=user.arn,
        round=MOVE,
        new_user_name=name if moved else update.new_user_name,
        new_path=path if moved else update.new_path,
    )
    draft.do(step, satisfied=not moved)
    if moved:
        name, path = name or user.user_name, path or user.path
        after = Designation(name, user_arn(facts.partition, facts.account_id, path, name))
        if after.user_name != user.user_name:
            _move_pending_devices(draft, before, after)
        rewritten = _move_self_management(draft, facts, before, after)
        inline = {f"inline policy {key}": text for key, text in before.inline_policies.items() if key not in rewritten}
        _warn(draft, before, after, {**inline, **documents})


def _new_name(update: UserUpdate, user: UserRecord) -> str | None:
    return update.new_user_name if update.new_user_name != user.user_name else None


def _new_path(update: UserUpdate, user: UserRecord) -> str | None:
    return update.new_path if update.new_path != user.path else None


def _move_pending_devices(draft: Draft, held: UserSnapshot, after: Designation) -> None:
    """Plan that the devices which this service made for the user wait for the new name, and name those that do not."""
    owner = tags.owner_of(held.user.tags)
    for device in held.pending_mfa_devices:
        if _is_ours(device):
            draft.do(
                TagMfaDevice(
                    user_name=after.user_name,
                    user_arn=after.arn,
                    round=FOLLOW,
                    serial_number=device.serial_number,
                    tags=dict(tags.waiting_tags(owner, after.user_name)),
                )
            )
        else:
            draft.warn(WarningKind.REMAINS, f"does not follow: {_named_by_nobody(device)}", "new_user_name")
    if held.pending_mfa_truncated:
        message = "the account has more pending MFA devices than are looked at; one that waits for the user may be left"
        draft.warn(WarningKind.REMAINS, message, "new_user_name")


def _is_ours(device: VirtualMfaDeviceRecord) -> bool:
    return bool(tags.owner_of(device.tags))


def _named_by_nobody(device: VirtualMfaDeviceRecord) -> str:
    return (
        f"the pending MFA device {device.serial_number}, which bears the old name and which this service did not make"
    )


def _move_self_management(draft: Draft, facts: UserFacts, before: UserSnapshot, after: Designation) -> tuple[str, ...]:
    """Plan self-management on the new ARN: on the old one it would be about whoever gets that name next.

    Returns the names of the inline policies that follow by it.
    """
    held = before.inline_policies.get(INLINE_POLICY_NAME)
    level = self_management_level(held, facts.partition, facts.account_id, before.user.arn) if held else None
    if level is None:
        return ()
    document = self_management_document(level, facts.partition, facts.account_id, after.arn)
    draft.do(
        PutUserPolicy(
            user_name=after.user_name,
            user_arn=after.arn,
            round=FOLLOW,
            policy_name=INLINE_POLICY_NAME,
            document=document,
        )
    )
    return (INLINE_POLICY_NAME,)


def _warn(draft: Draft, held: UserSnapshot, after: Designation, documents: Mapping[str, str]) -> None:
    """Say of each thing whether it moves along."""
    before = Designation(held.user.user_name, held.user.arn)
    at = "new_user_name" if after.user_name != before.user_name else "new_path"
    for message in _moving_along(held, after):
        draft.tell(WarningKind.REMAINS, message, at)
    for message in _left_behind(before, after, documents):
        draft.warn(WarningKind.REMAINS, message, at)
    message = (
        f"does not follow, and is not looked at: policies elsewhere that name {before.arn} as a resource or in a "
        "condition; those that name it as the principal are updated by IAM"
    )
    draft.tell(WarningKind.REMAINS, message, at)


def _moving_along(held: UserSnapshot, after: Designation) -> Iterator[str]:
    kinds: dict[str, Sequence[str]] = {
        "groups": [group.group_name for group in held.groups],
        "access keys": [key.access_key_id for key in held.access_keys],
        "MFA devices": [device.serial_number for device in held.mfa_devices],
        "attached policies": [policy.policy_arn for policy in held.attached_policies],
        "inline policies": list(held.inline_policies),
        "permissions boundary": [held.user.boundary_arn] if held.user.boundary_arn else [],
    }
    for kind, names in kinds.items():
        if names:
            yield f"moves along: {kind} ({len(names)}): {', '.join(names)}"
    if held.login_profile:
        yield f"moves along: the console password, for signing in as {after.user_name}"
    yield "moves along, without being listed: tags, certificates, SSH keys, service-specific credentials"


def _left_behind(before: Designation, after: Designation, documents: Mapping[str, str]) -> Iterator[str]:
    for holder, document in documents.items():
        places = stale_places(document, before, after)
        if places:
            yield f"does not follow: {holder} speaks of {before.user_name} or {before.arn} in {', '.join(places)}"
