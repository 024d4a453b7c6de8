"""The plan of ending console access: the password goes, everything else stays."""

from identity_service.domain.facts import UserFacts
from identity_service.domain.plan import Plan, WarningKind
from identity_service.domain.planning.user_draft import draft_for_existing
from identity_service.domain.request import ConsoleDisabling
from identity_service.domain.steps import DeleteLoginProfile


def plan_console_disabling(disabling: ConsoleDisabling, facts: UserFacts) -> Plan:
    """Plan the deletion of the console password, and say what the user can still do."""
    draft = draft_for_existing(facts, disabling.user_name)
    snapshot = facts.snapshot
    if snapshot is None:
        return draft.finish()
    step = DeleteLoginProfile(user_name=snapshot.user.user_name, user_arn=snapshot.user.arn, round=1)
    draft.do(step, satisfied=snapshot.login_profile is None)
    active = [key.access_key_id for key in snapshot.access_keys if key.active]
    if active:
        draft.warn(WarningKind.REMAINS, f"access keys still work: {', '.join(active)}")
    draft.warn(
        WarningKind.REMAINS, "permissions stay, and so does console access through roles that the user may assume"
    )
    return draft.finish()
