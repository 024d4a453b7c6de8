"""Whose a virtual MFA device is, and when it is abandoned."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from identity_service.domain import tags, target
from identity_service.domain.entities import MfaDeviceRecord, UserRecord, VirtualMfaDeviceRecord
from identity_service.domain.mfa_devices import is_abandoned, waits_for
from identity_service.domain.plan import Plan
from identity_service.domain.steps import CreateVirtualMfaDevice

PREFIX = "arn:aws:iam::123456789012:"
NOW = datetime(2026, 1, 2, tzinfo=UTC)
ANA = UserRecord("ana", "AIDA1", f"{PREFIX}user/ana", "/", NOW, tags={tags.OWNER: "web"})
PHONE = MfaDeviceRecord("GAHT12345678", NOW)


def pending(device_name: str, owner: str = "", user_name: str = "") -> VirtualMfaDeviceRecord:
    """Make a device that nobody enabled, tagged if it has an owner."""
    made = dict(tags.mfa_device_tags("row-1", owner, user_name)) if owner else {}
    return VirtualMfaDeviceRecord(f"{PREFIX}mfa/{device_name}", tags=made)


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        (pending("ana"), True),
        (pending("ANA"), True),
        (pending("ana-phone"), False),
        (pending("phone", "web", "ana"), True),
        (pending("phone", "web", "Ana"), True),
        (pending("ana", "web", "bo"), False),
        (pending("ana", "ops", "ana"), False),
        (replace(pending("ana"), user_name="bo"), False),
    ],
)
def test_tags_tell_before_the_name_does(device: VirtualMfaDeviceRecord, expected: bool) -> None:
    """A tagged device is its team's and its user's whatever it is called; one without tags goes by its name."""
    assert waits_for(device, "ana", "web") is expected


@pytest.mark.parametrize(
    ("device", "user", "enabled", "expected"),
    [
        (pending("p", "web", "ana"), ANA, (), False),
        (pending("p", "web", "ana"), None, (), True),
        (pending("p", "web", "ana"), ANA, (PHONE,), True),
        (pending("p", "ops", "ana"), ANA, (), True),
        (replace(pending("p", "web", "ana"), user_name="ana"), ANA, (PHONE,), False),
        (pending("ana"), None, (), False),
    ],
)
def test_what_nobody_will_enable_is_abandoned(
    device: VirtualMfaDeviceRecord, user: UserRecord | None, enabled: tuple[MfaDeviceRecord, ...], expected: bool
) -> None:
    """A pending device of ours is, whose user is absent, another team's by now, or has another device."""
    assert is_abandoned(device, user, enabled) is expected


@pytest.mark.parametrize("user_name", ["ana", "Lima,Ana", "a,b,c", "a+b=c.d@e_f-g"])
def test_every_user_name_fits_a_tag(user_name: str) -> None:
    """A tag's value may hold no comma, which a name may: it is written as a colon and read back."""
    made = dict(tags.mfa_device_tags("row-1", "web", user_name))
    assert "," not in made[tags.USER]
    assert tags.user_of(made) == user_name


def test_the_row_tag_of_a_device_is_not_part_of_what_is_reviewed() -> None:
    """Two plans that differ in the row alone have one digest and show the same; another owner is another plan."""

    def plan(row_id: str, owner: str) -> Plan:
        step = CreateVirtualMfaDevice(
            user_name="ana",
            user_arn=ANA.arn,
            round=1,
            device_name="ana",
            device_arn=f"{PREFIX}mfa/ana",
            tags=dict(tags.mfa_device_tags(row_id, owner, "ana")),
        )
        return Plan("123456789012", target.user("ana"), steps=(step,))

    assert plan("1", "web").digest == plan("2", "web").digest != plan("1", "ops").digest
    assert plan("1", "web").steps[0].details == {
        "tag identity-provisioning:owner": "web",
        "tag identity-provisioning:user": "ana",
    }
