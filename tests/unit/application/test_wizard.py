"""The whole wizard through planner and executor: every choice leaves in the account just what it says."""

import json
from dataclasses import replace
from typing import Any

import pytest

from identity_service.domain import tags
from identity_service.domain.errors import IamError, IamErrorKind, Reason
from identity_service.domain.passwords import PasswordPolicy
from identity_service.domain.plan import Plan, WarningKind
from identity_service.domain.request import (
    Body,
    ConsoleDisabling,
    ConsolePassword,
    Credentials,
    GroupCreation,
    GroupDeletion,
    InlinePolicy,
    MfaDeviceDeletion,
    MfaDeviceEnabling,
    NewGroup,
    NewPolicy,
    NewUser,
    PermissionRevocation,
    Permissions,
    PolicyCreation,
    PolicyDeletion,
    SelfManagement,
    UserChange,
    UserDeletion,
    UserUpdate,
    VirtualMfaDevice,
)
from identity_service.domain.secret import Secret
from tests.contract.fake_iam import ALLOW_NOTHING
from tests.unit.application.fakes import COPY, OTHER
from tests.unit.application.worlds import DENIED, OWNED, THROTTLED, World, replace_action

READ = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}],
    },
    separators=(",", ":"),
)
PREFIX = "arn:aws:iam::123456789012:"


@pytest.fixture
def world() -> World:
    """Make a fresh world."""
    return World()


def new(**parts: Any) -> UserChange:
    """Ask for a new user ana."""
    return UserChange("ana", new_user=NewUser(), **parts)


async def warnings_of(world: World, body: Body) -> set[WarningKind]:
    """Review a request and return the kinds of its warnings."""
    plan = await world.ask(body, validate_only=True)
    assert isinstance(plan, Plan)
    return {warning.kind for warning in plan.warnings}


async def test_groups_and_policies_are_made_on_the_way(world: World) -> None:
    """A new policy as the boundary, one attached, a new group with policies: all are there, tagged where IAM can."""
    asked = Permissions(
        new_groups=(NewGroup("Readers", "/teams/", ("Deploy",)),),
        new_policies=(NewPolicy("Read", READ, description="reads"),),
        new_boundary=NewPolicy("Limit", READ),
    )
    await world.do(new(permissions=asked))
    user = await world.iam.get_user("ana")
    assert user is not None
    assert user.boundary_arn == f"{PREFIX}policy/Limit"
    group = await world.iam.get_group_details("Readers")
    assert group is not None
    assert group.member_names == ("ana",)
    assert [policy.policy_name for policy in group.attached_policies] == ["Deploy"]
    attached = await world.iam.list_attached_policies("ana")
    assert [policy.policy_arn for policy in attached] == [f"{PREFIX}policy/Read"]
    policy = await world.iam.get_policy_details(f"{PREFIX}policy/Read")
    assert policy is not None
    assert policy.tags[tags.OWNER] == "people-team"


@pytest.mark.parametrize("action", ["iam:CreateGroup", "iam:AttachGroupPolicy", "iam:CreateUser", "iam:AddUserToGroup"])
async def test_what_was_made_on_the_way_is_undone(world: World, action: str) -> None:
    """Whichever step fails, neither user nor group nor policy of the request stays."""
    asked = Permissions(new_groups=(NewGroup("Readers", "/", ("Deploy",)),), new_policies=(NewPolicy("Read", READ),))
    world.iam.inject(action, replace_action(DENIED, action))
    error = await world.refused(new(permissions=asked))
    assert error.metadata["remaining"] == "nothing"
    assert await world.iam.get_user("ana") is None
    assert await world.iam.get_group("Readers") is None
    assert await world.iam.get_policy(f"{PREFIX}policy/Read") is None


async def test_names_that_are_taken_are_refused(world: World) -> None:
    """A new group and a new policy need names of their own, in any letter case."""
    asked = Permissions(new_groups=(NewGroup("DEVELOPERS"),), new_policies=(NewPolicy("dEPLOY", READ),))
    error = await world.refused(new(permissions=asked))
    assert {violation.field for violation in error.field_violations} == {
        "permissions.new_groups[0].group_name",
        "permissions.new_policies[0].policy_name",
    }
    assert world.iam.mutations == []


async def copied(world: World, **more: Any) -> Permissions:
    """Put a user there who has everything that is copied, and ask for a copy."""
    world.iam.add_user("model", boundary_arn=f"{PREFIX}policy/Boundary")
    world.iam.add_membership("model", "Developers")
    world.iam.add_attachment("model", f"{PREFIX}policy/Deploy")
    world.iam.add_inline_policy("model", "read", READ)
    return Permissions(copy_from="model", **more)


async def test_a_copy_has_what_the_model_has(world: World) -> None:
    """Groups, attached and inline policies and the boundary are copied, and shown expanded in the plan."""
    asked = await copied(world)
    plan = await world.ask(new(permissions=asked), validate_only=True)
    assert isinstance(plan, Plan)
    assert {step.iam_action for step in plan.steps} == {
        "iam:CreateUser",
        "iam:AddUserToGroup",
        "iam:AttachUserPolicy",
        "iam:PutUserPolicy",
    }
    await world.do(new(permissions=asked))
    user = await world.iam.get_user("ana")
    assert user is not None
    assert user.boundary_arn == f"{PREFIX}policy/Boundary"
    assert await world.iam.list_inline_policies("ana") == {"read": READ}


async def test_what_is_asked_for_comes_before_what_is_copied(world: World) -> None:
    """An explicit inline policy takes the place of a copied one; a boundary that differs is refused."""
    asked = await copied(world, inline_policies=(InlinePolicy("read", ALLOW_NOTHING),))
    await world.do(new(permissions=asked))
    assert await world.iam.list_inline_policies("ana") == {"read": ALLOW_NOTHING}
    error = await world.refused(UserChange("bo", NewUser(), permissions=replace(asked, boundary="Deploy")))
    assert error.field_violations[0].field == "permissions.copy_from_user_name"


async def test_copying_needs_a_right_of_its_own(world: World) -> None:
    """Whoever may have everything else, but may not copy that user, is refused before anything is written."""
    asked = await copied(world)
    world.authorizer.forbidden_steps.add(COPY)
    assert (await world.refused(new(permissions=asked))).reason is Reason.CALLER_NOT_ALLOWED
    assert world.iam.mutations == []


async def test_an_absent_model_is_named(world: World) -> None:
    """Copying from nobody names the field."""
    error = await world.refused(new(permissions=Permissions(copy_from="nobody")))
    assert (error.reason, error.field_violations[0].field) == (
        Reason.USER_NOT_FOUND,
        "permissions.copy_from_user_name",
    )


@pytest.mark.parametrize(
    ("level", "allowed", "with_mfa"),
    [
        (SelfManagement.PASSWORD, {"iam:ChangePassword"}, set()),
        (SelfManagement.CREDENTIALS, {"iam:ChangePassword", "iam:*AccessKey*", "iam:DeactivateMFADevice"}, set()),
        (
            SelfManagement.CREDENTIALS_WITH_MFA,
            {"iam:ChangePassword", "iam:EnableMFADevice"},
            {"iam:*AccessKey*", "iam:DeactivateMFADevice"},
        ),
    ],
)
async def test_self_management_is_granted_on_the_real_arn(
    world: World, level: SelfManagement, allowed: set[str], with_mfa: set[str]
) -> None:
    """Each level names the user's own ARN, path included, and asks for MFA where it should."""
    await world.do(UserChange("ana", NewUser("/people/"), permissions=Permissions(self_management=level)))
    (document,) = (await world.iam.list_inline_policies("ana")).values()
    own = [each for each in json.loads(document)["Statement"] if each["Resource"] == f"{PREFIX}user/people/ana"]
    plain = {action for each in own if "Condition" not in each for action in each["Action"]}
    conditioned = {action for each in own if "Condition" in each for action in each["Action"]}
    assert allowed <= plain
    assert with_mfa <= conditioned
    assert not (with_mfa & plain)


async def test_deadlocks_at_the_first_sign_in_are_warned_of(world: World) -> None:
    """A reset that MFA stands before is warned of, wherever the policy that denies it comes from."""
    denies = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Deny",
                    "NotAction": ["iam:EnableMFADevice"],
                    "Resource": "*",
                    "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}},
                }
            ],
        }
    )
    world.iam.add_policy("ForceMfa", document=denies)
    reset = Credentials(console_password=ConsolePassword(require_reset=True))
    inline = Permissions(inline_policies=(InlinePolicy("force", denies),))
    attached = Permissions(managed_policies=("ForceMfa",))
    assert WarningKind.MFA_DEADLOCK in await warnings_of(world, new(credentials=reset, permissions=inline))
    assert WarningKind.MFA_DEADLOCK in await warnings_of(world, new(credentials=reset, permissions=attached))
    assert WarningKind.MFA_DEADLOCK not in await warnings_of(world, new(credentials=reset))


async def test_escalation_and_wildcards_are_found(world: World) -> None:
    """A policy with which its holder can gain more is warned of before it is made."""
    everything = READ.replace("s3:GetObject", "iam:*").replace("arn:aws:s3:::b/*", "*")
    kinds = await warnings_of(world, PolicyCreation(NewPolicy("Admin", everything)))
    assert {WarningKind.ESCALATION, WarningKind.WILDCARD} <= kinds
    assert await warnings_of(world, PolicyCreation(NewPolicy("Read", READ))) == set()


async def test_a_pending_device_is_made_with_its_seed(world: World) -> None:
    """The device waits to be enabled; one of its name that nobody enabled is replaced."""
    asked = Credentials(mfa_device=VirtualMfaDevice())
    made = await world.do(new(credentials=asked))
    assert made.credentials is not None
    assert made.credentials.mfa_device is not None
    assert made.credentials.mfa_device.serial_number == f"{PREFIX}mfa/ana"
    assert made.credentials.mfa_device.seed is not None
    again = UserChange("ana", credentials=asked)
    assert WarningKind.ABANDONED_MFA_DEVICE in await warnings_of(world, again)
    replaced = await world.do(again)
    assert replaced.credentials is not None
    assert len(await world.iam.list_virtual_mfa_devices()) == 1


async def test_a_device_is_enabled_and_deleted(world: World) -> None:
    """Two codes enable it; a wrong one says so and leaves it pending; deleting takes it off and away."""
    await world.do(new(credentials=Credentials(mfa_device=VirtualMfaDevice())))
    serial = f"{PREFIX}mfa/ana"
    wrong = IamError(IamErrorKind.WRONG_CODE, "iam:EnableMFADevice", "InvalidAuthenticationCode", 403, "r")
    world.iam.inject("iam:EnableMFADevice", wrong)
    enabling = MfaDeviceEnabling("ana", serial, Secret("123456"), Secret("654321"))
    assert (await world.refused(enabling)).reason is Reason.INVALID_MFA_CODE
    (device,) = await world.iam.list_virtual_mfa_devices()
    assert device.user_name is None
    enabled = await world.do(enabling)
    assert enabled.mfa_device is not None
    assert (await world.do(enabling)).steps[0].unchanged
    await world.do(MfaDeviceDeletion("ana", serial))
    assert await world.iam.list_virtual_mfa_devices() == ()
    assert (await world.refused(MfaDeviceDeletion("ana", serial))).reason is Reason.MFA_DEVICE_NOT_FOUND


async def test_console_access_ends_and_says_what_remains(world: World) -> None:
    """The password goes; keys and permissions stay and are named; the second time nothing is done."""
    await world.do(new(credentials=Credentials(access_key=True, console_password=ConsolePassword())))
    assert WarningKind.REMAINS in await warnings_of(world, ConsoleDisabling("ana"))
    ended = await world.do(ConsoleDisabling("ana"))
    assert await world.iam.get_login_profile("ana") is None
    assert len(ended.access_keys) == 1
    assert (await world.do(ConsoleDisabling("ana"))).steps[0].unchanged


async def test_revoking_converges(world: World) -> None:
    """What the user has is taken, what it does not have is reported as unchanged."""
    granted = Permissions(("Developers",), ("Deploy",), (InlinePolicy("read", READ),))
    await world.do(new(permissions=granted))
    taking = PermissionRevocation("ana", ("developers",), ("Deploy", "Boundary"), ("read", "other"))
    taken = await world.do(taking)
    assert sorted(step.unchanged for step in taken.steps) == [False, False, False, True, True]
    assert len({step.description for step in taken.steps}) == 5
    assert await world.iam.list_groups("ana") == ()
    assert await world.iam.list_attached_policies("ana") == ()
    assert await world.iam.list_inline_policies("ana") == {}
    assert all(step.unchanged for step in (await world.do(taking)).steps)


async def test_a_user_is_retagged_moved_and_renamed(world: World) -> None:
    """Tags, path and name change together, and the answer is the user as IAM has it then."""
    await world.do(UserChange("ana", NewUser("/", (("team", "a"), ("old", "x")))))
    update = UserUpdate("ana", "ana.lima", "/people/", (("team", "b"),), ("OLD",))
    outcome = await world.do(update)
    assert outcome.user is not None
    assert outcome.user.arn == f"{PREFIX}user/people/ana.lima"
    kept = {key: value for key, value in outcome.user.tags.items() if not key.startswith(tags.PREFIX)}
    assert kept == {"team": "b"}
    assert tags.owner_of(outcome.user.tags) == "people-team"
    assert await world.iam.get_user("ana") is None


async def test_an_update_keeps_our_tags_and_others_names(world: World) -> None:
    """Our own tags cannot be set or removed, and a name that is taken is refused."""
    await world.do(new())
    world.iam.add_user("Bo")
    for update, field in (
        (UserUpdate("ana", set_tags=(("Identity-Provisioning:owner", "me"),)), "set_tags[0].key"),
        (UserUpdate("ana", remove_tag_keys=("identity-provisioning:OWNER",)), "remove_tag_keys[0]"),
        (UserUpdate("ana", new_user_name="bO"), "new_user_name"),
    ):
        error = await world.refused(update)
        assert field in {violation.field for violation in error.field_violations}


async def test_groups_are_made_and_deleted(world: World) -> None:
    """A group comes with its policies and goes with them; one with members stays."""
    made = await world.do(GroupCreation(NewGroup("Readers", "/", ("Deploy",))))
    assert made.group is not None
    assert made.group.group_name == "Readers"
    assert (await world.refused(GroupCreation(NewGroup("READERS")))).reason is Reason.GROUP_ALREADY_EXISTS
    await world.do(new(permissions=Permissions(("Readers",))))
    refused = await world.refused(GroupDeletion("Readers"))
    assert refused.reason is Reason.IN_USE
    assert "ana" in refused.message
    await world.do(PermissionRevocation("ana", ("Readers",)))
    await world.do(GroupDeletion("readers"))
    assert await world.iam.get_group("Readers") is None


async def test_policies_are_made_and_deleted(world: World) -> None:
    """A policy that is in use is not deleted and its uses are named; another team's is not deleted at all."""
    made = await world.do(PolicyCreation(NewPolicy("Read", READ, "/teams/", "reads")))
    assert made.policy is not None
    arn = made.policy.arn
    assert (await world.refused(PolicyCreation(NewPolicy("READ", READ)))).reason is Reason.POLICY_ALREADY_EXISTS
    await world.do(new(permissions=Permissions(managed_policies=(arn,))))
    refused = await world.refused(PolicyDeletion(arn))
    assert refused.reason is Reason.IN_USE
    assert "attached to user ana" in refused.message
    await world.do(PermissionRevocation("ana", (), (arn,)))
    assert (await world.refused(PolicyDeletion(arn), caller=OTHER)).reason is Reason.NOT_OWNER
    await world.do(PolicyDeletion(arn))
    assert await world.iam.get_policy(arn) is None


async def test_an_old_request_deletes_no_policy_of_another_team(world: World) -> None:
    """A failed deletion that is repeated when another team has a policy of the same ARN by now is NOT_OWNER."""
    new_policy = PolicyCreation(NewPolicy("Audit", READ))
    await world.do(new_policy)
    deletion = PolicyDeletion("arn:aws:iam::123456789012:policy/Audit")
    world.iam.inject("iam:DeletePolicy", replace_action(THROTTLED, "iam:DeletePolicy"))
    request_id = "0b7c6f0e-5a53-4f27-9a0e-2d4f1f6f3c11"
    assert (await world.refused(deletion, request_id=request_id)).reason is Reason.THROTTLED
    await world.do(deletion)
    await world.do(new_policy, caller=OTHER)
    assert (await world.refused(deletion, request_id=request_id)).reason is Reason.NOT_OWNER
    policy = await world.iam.get_policy_details(deletion.policy_arn)
    assert policy is not None
    assert policy.tags[tags.OWNER] == OTHER.team


async def test_a_policy_that_is_too_long_is_refused(world: World) -> None:
    """A managed policy has 6,144 characters at most."""
    long = READ.replace("arn:aws:s3:::b/*", "arn:aws:s3:::" + "b" * 6144)
    error = await world.refused(PolicyCreation(NewPolicy("Long", long)))
    assert (error.reason, error.quota_violations[0].quota_name) == (Reason.QUOTA_EXCEEDED, "PolicySizeQuota")


async def test_a_reset_needs_no_warning_where_the_account_allows_it(world: World) -> None:
    """Without deadlock there is no warning of one."""
    world.iam.set_password_policy(PasswordPolicy(allow_users_to_change=True))
    world.iam.add_group_policy("Developers", "some", READ)
    reset = Credentials(console_password=ConsolePassword(require_reset=True))
    kinds = await warnings_of(world, new(credentials=reset, permissions=Permissions(("Developers",))))
    assert not kinds & {WarningKind.MFA_DEADLOCK, WarningKind.RESET_DEADLOCK}


@pytest.mark.parametrize(
    "body",
    [
        UserUpdate("ana", new_path="/x/"),
        PermissionRevocation("ana", ("Developers",)),
        ConsoleDisabling("ana"),
        MfaDeviceDeletion("ana", f"{PREFIX}mfa/ana"),
    ],
    ids=lambda body: type(body).__name__,
)
async def test_nothing_of_this_is_done_to_another_teams_user(world: World, body: Body) -> None:
    """Every mutation of a user asks for the owner tag first."""
    world.iam.add_user("ana", tags={tags.OWNER: OTHER.team})
    assert (await world.refused(body)).reason is Reason.NOT_OWNER
    assert OWNED[tags.OWNER] != OTHER.team
    assert world.iam.mutations == []


async def test_a_copy_of_self_management_is_about_the_copy(world: World) -> None:
    """Who is made like a user with self-management manages the own credentials, not the model's."""
    level = SelfManagement.CREDENTIALS
    await world.do(UserChange("model", NewUser("/people/"), permissions=Permissions(self_management=level)))
    await world.do(UserChange("ana", NewUser("/people/"), permissions=Permissions(copy_from="model")))
    (document,) = (await world.iam.list_inline_policies("ana")).values()
    assert "user/people/model" not in document
    assert f"{PREFIX}user/people/ana" in document


async def test_self_management_that_was_changed_by_hand_is_not_copied(world: World) -> None:
    """What is about the model's credentials and cannot be rewritten is refused."""
    world.iam.add_user("model")
    world.iam.add_inline_policy("model", "identity-provisioning-self-management", READ)
    error = await world.refused(new(permissions=Permissions(copy_from="model")))
    assert error.field_violations[0].field == "permissions.copy_from_user_name"


async def test_self_management_follows_a_rename(world: World) -> None:
    """After a rename the rights are on the new ARN, so that the next bearer of the old name is nobody's to manage."""
    level = SelfManagement.PASSWORD
    await world.do(new(permissions=Permissions(self_management=level)))
    await world.do(UserUpdate("ana", "anna", "/staff/"))
    (document,) = (await world.iam.list_inline_policies("anna")).values()
    assert f"{PREFIX}user/staff/anna" in document
    assert "user/ana" not in document


async def test_our_policy_names_are_not_a_callers(world: World) -> None:
    """An inline policy of the caller cannot take the name of one that this service makes."""
    asked = Permissions(inline_policies=(InlinePolicy("Identity-Provisioning-self-management", READ),))
    error = await world.refused(new(permissions=asked))
    assert error.field_violations[0].field == "permissions.inline_policies[0].policy_name"


async def test_a_pending_device_of_somebody_else_is_not_touched(world: World) -> None:
    """A device that waits to be enabled and bears another name is neither deleted nor replaced."""
    await world.do(UserChange("bo", NewUser(), credentials=Credentials(mfa_device=VirtualMfaDevice())))
    await world.do(new())
    serial = f"{PREFIX}mfa/bo"
    assert (await world.refused(MfaDeviceDeletion("ana", serial))).reason is Reason.MFA_DEVICE_NOT_FOUND
    taking = UserChange("ana", credentials=Credentials(mfa_device=VirtualMfaDevice("bo")))
    assert (await world.refused(taking)).reason is Reason.IN_USE


async def test_a_deletion_takes_the_pending_device_along(world: World) -> None:
    """A device that nobody enabled does not outlive the user that it was made for."""
    await world.do(new(credentials=Credentials(mfa_device=VirtualMfaDevice())))
    await world.do(UserDeletion("ana"))
    assert await world.iam.list_virtual_mfa_devices() == ()


async def test_a_reset_that_a_policy_denies_is_warned_of(world: World) -> None:
    """An outright denial of the password change, made on the way or inline, would lock the user out."""
    denies = READ.replace("Allow", "Deny").replace("s3:GetObject", "iam:*").replace("arn:aws:s3:::b/*", "*")
    reset = Credentials(console_password=ConsolePassword(require_reset=True))
    for asked in (
        Permissions(inline_policies=(InlinePolicy("no", denies),)),
        Permissions(new_policies=(NewPolicy("No", denies),)),
    ):
        assert WarningKind.RESET_DEADLOCK in await warnings_of(world, new(credentials=reset, permissions=asked))


async def test_an_empty_group_is_warned_of_in_a_copy_too(world: World) -> None:
    """A group that grants nothing is named, whether it is asked for or copied."""
    world.iam.add_group("Nothing", grants_nothing=True)
    world.iam.add_user("model")
    world.iam.add_membership("model", "Nothing")
    assert WarningKind.EMPTY_GROUP in await warnings_of(world, new(permissions=Permissions(copy_from="model")))
    assert WarningKind.EMPTY_GROUP in await warnings_of(world, new(permissions=Permissions(("Nothing",))))


async def test_what_a_managed_policy_grants_is_looked_at(world: World) -> None:
    """A policy that allows everything, or leads to more rights, is named, whether it is attached or copied."""
    everything = READ.replace("s3:GetObject", "*").replace("arn:aws:s3:::b/*", "*")
    world.iam.add_policy("Admin", document=everything)
    world.iam.add_policy("Minter", document=everything.replace('"Action":"*"', '"Action":"iam:CreateAccessKey"'))
    world.iam.add_user("model")
    world.iam.add_attachment("model", f"{PREFIX}policy/Admin")
    wide = {WarningKind.WILDCARD, WarningKind.ESCALATION}
    named = await warnings_of(world, new(permissions=Permissions(managed_policies=("Admin",))))
    assert wide <= named
    assert wide <= await warnings_of(world, new(permissions=Permissions(copy_from="model")))
    minter = await warnings_of(world, new(permissions=Permissions(managed_policies=("Minter",))))
    assert WarningKind.ESCALATION in minter
    assert WarningKind.WILDCARD not in minter
    assert not wide & await warnings_of(world, new(permissions=Permissions(managed_policies=("Deploy",))))
