"""What planning a mutation comes to."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from identity_service.domain.entities import UserRecord, UserSnapshot
from identity_service.domain.passwords import DEFAULT_POLICY, PasswordPolicy
from identity_service.domain.plan import Plan


@dataclass(frozen=True)
class PlannedMutation:
    """A plan with what judging it and carrying it out needs.

    `before` is the pre-image of the user that has to be there already, `target_tags` the tags of what is changed
    (None where it bears none, or is to be made), `owned_device` the MFA device that bears them where that is not the
    plan's target, `copied_from` the user whose permissions the plan copies.
    """

    plan: Plan
    before: UserSnapshot | None = None
    target_tags: Mapping[str, str] | None = None
    owned_device: str = ""
    copied_from: UserRecord | None = None
    password_policy: PasswordPolicy = field(default=DEFAULT_POLICY)
    sign_in_url: str = ""
