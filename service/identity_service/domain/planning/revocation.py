"""The plan of taking permissions from a user. Converges; goes forward only; a boundary is never taken off."""

from identity_service.domain.entities import UserSnapshot
from identity_service.domain.errors import Reason
from identity_service.domain.facts import UserFacts
from identity_service.domain.names import group_arn, is_arn, name_key
from identity_service.domain.plan import Plan
from identity_service.domain.planning.draft import Draft
from identity_service.domain.planning.user_draft import draft_for_existing
from identity_service.domain.request import PermissionRevocation
from identity_service.domain.steps import DeleteUserPolicy, DetachUserPolicy, RemoveUserFromGroup

REVOKE = 1


def plan_revocation(revocation: PermissionRevocation, facts: UserFacts) -> Plan:
    """Plan what is taken; what the user does not have is noted as satisfied."""
    draft = draft_for_existing(facts, revocation.user_name)
    if facts.snapshot:
        _plan_groups(draft, revocation, facts, facts.snapshot)
        _plan_policies(draft, revocation, facts.snapshot)
        _plan_inline(draft, revocation, facts.snapshot)
    return draft.finish()


def _plan_groups(draft: Draft, revocation: PermissionRevocation, facts: UserFacts, snapshot: UserSnapshot) -> None:
    user = snapshot.user
    held = {name_key(group.group_name): group for group in snapshot.groups}
    for name in revocation.group_names:
        group = held.get(name_key(name))
        step = RemoveUserFromGroup(
            user_name=user.user_name,
            user_arn=user.arn,
            round=REVOKE,
            group_name=group.group_name if group else name,
            group_arn=group.arn if group else group_arn(facts.partition, facts.account_id, "/", name),
        )
        draft.do(step, satisfied=group is None)


def _plan_policies(draft: Draft, revocation: PermissionRevocation, snapshot: UserSnapshot) -> None:
    user = snapshot.user
    attached = snapshot.attached_policies
    for index, reference in enumerate(revocation.managed_policies):
        found = [
            policy.policy_arn
            for policy in attached
            if policy.policy_arn == reference
            or (not is_arn(reference) and name_key(policy.policy_name) == name_key(reference))
        ]
        if len(found) > 1:
            at = f"managed_policies[{index}]"
            draft.stop(Reason.POLICY_AMBIGUOUS, f"two policies {reference} are attached; use the ARN", at)
        step = DetachUserPolicy(
            user_name=user.user_name,
            user_arn=user.arn,
            round=REVOKE,
            policy_arn=found[0] if found else reference,
        )
        draft.do(step, satisfied=not found)


def _plan_inline(draft: Draft, revocation: PermissionRevocation, snapshot: UserSnapshot) -> None:
    user = snapshot.user
    for name in revocation.inline_policy_names:
        step = DeleteUserPolicy(user_name=user.user_name, user_arn=user.arn, round=REVOKE, policy_name=name)
        draft.do(step, satisfied=name not in snapshot.inline_policies)
