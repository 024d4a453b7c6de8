"""What each call cannot do without."""

import pytest

from identity_service.adapters.aws_iam.needs import entities_needed_by
from identity_service.adapters.aws_iam.operations import EFFECTS, Effect
from identity_service.adapters.aws_iam.recent_entities import Entity

ARN = "arn:aws:iam::123456789012:policy/readers"
PHONE = "arn:aws:iam::123456789012:mfa/phone"
NAMES = {
    "UserName": "Maria",
    "GroupName": "Ops",
    "PolicyArn": ARN,
    "PermissionsBoundary": ARN,
    "SerialNumber": PHONE,
}
USER, GROUP, POLICY, DEVICE = Entity.user("maria"), Entity.group("ops"), Entity.policy(ARN), Entity.mfa_device(PHONE)


@pytest.mark.parametrize(
    ("operation", "names", "needed"),
    [
        ("CreateAccessKey", ("UserName",), {USER}),
        ("AddUserToGroup", ("UserName", "GroupName"), {USER, GROUP}),
        ("AttachGroupPolicy", ("GroupName", "PolicyArn"), {GROUP, POLICY}),
        ("PutUserPermissionsBoundary", ("UserName", "PermissionsBoundary"), {USER, POLICY}),
        ("EnableMFADevice", ("UserName", "SerialNumber"), {USER, DEVICE}),
        ("CreateUser", ("UserName", "PermissionsBoundary"), {POLICY}),
        ("CreateUser", ("UserName",), set()),
        ("CreateGroup", ("GroupName",), set()),
        ("CreatePolicy", (), set()),
        ("DeleteUser", ("UserName",), {USER}),
        ("DeleteGroup", ("GroupName",), {GROUP}),
        ("DeletePolicy", ("PolicyArn",), {POLICY}),
        ("DeleteVirtualMFADevice", ("SerialNumber",), {DEVICE}),
        ("DetachUserPolicy", ("UserName", "PolicyArn"), set()),
        ("DeactivateMFADevice", ("UserName", "SerialNumber"), set()),
    ],
)
def test_needs(operation: str, names: tuple[str, ...], needed: set[Entity]) -> None:
    """A write needs all that it names but what it makes; a deletion what it deletes."""
    assert set(entities_needed_by(operation, {name: NAMES[name] for name in names})) == needed


@pytest.mark.parametrize("operation", [operation for operation, effect in EFFECTS.items() if effect is Effect.READ])
def test_reads_need_nothing(operation: str) -> None:
    """What a read does not find is not there."""
    assert entities_needed_by(operation, NAMES) == ()
