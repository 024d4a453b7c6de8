"""Warnings of what policies say, wherever a user has them from: groups, named or copied, count as attachments do."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from identity_service.domain.entities import (
    AccountSummary,
    AttachedPolicyRecord,
    GroupPolicies,
    GroupRecord,
    LoginProfileRecord,
    PolicyRecord,
    UserRecord,
    UserSnapshot,
)
from identity_service.domain.facts import GroupFact, PolicyFact, UserFacts
from identity_service.domain.plan import PlanWarning, WarningKind
from identity_service.domain.planning.user_change import plan_change
from identity_service.domain.request import (
    ConsolePassword,
    Credentials,
    InlinePolicy,
    NewGroup,
    NewPolicy,
    NewUser,
    Permissions,
    UserChange,
)

ACCOUNT = "123456789012"
NOW = datetime(2026, 1, 2, tzinfo=UTC)
OPS = GroupRecord("Ops", f"arn:aws:iam::{ACCOUNT}:group/Ops")
DEPLOY = PolicyRecord("Deploy", f"arn:aws:iam::{ACCOUNT}:policy/Deploy", attachable=True, default_version_id="v1")
ATTACHED = AttachedPolicyRecord("Deploy", DEPLOY.arn)
RESET = Credentials(console_password=ConsolePassword(require_reset=True))


def statement(effect: str, action: str, **more: object) -> str:
    """Write a document of one statement about everything."""
    one = {"Effect": effect, "Action": action, "Resource": "*", **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [one]})


READ = statement("Allow", "s3:GetObject")
ADMIN = statement("Allow", "*")
MINT = statement("Allow", "iam:CreateAccessKey")
DENY = statement("Deny", "iam:*")
NEEDS_MFA = statement("Deny", "*", Condition={"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}})


def ana(*, awaits_reset: bool = False, **parts: object) -> UserSnapshot:
    """Make a user who is there, with a password that is still to be reset or without any."""
    user = UserRecord("ana", "AIDA1", f"arn:aws:iam::{ACCOUNT}:user/ana", "/", NOW)
    profile = LoginProfileRecord(NOW, reset_required=True) if awaits_reset else None
    return replace(UserSnapshot(user, login_profile=profile), **parts)  # type: ignore[arg-type]  # the parts are its own


def granting(*, inline: Mapping[str, str] | None = None, attached: tuple[AttachedPolicyRecord, ...] = ()) -> GroupFact:
    """Make the group Ops with policies."""
    return GroupFact(OPS, GroupPolicies(attached, inline or {}))


def warnings(
    change: UserChange,
    *,
    there: UserSnapshot | None = None,
    copied: UserSnapshot | None = None,
    group: GroupFact | None = None,
    managed: str = READ,
    boundary: str | None = None,
) -> list[PlanWarning]:
    """Plan in an account with one group and one managed policy, and return what is warned of."""
    facts = UserFacts(
        account_id=ACCOUNT,
        partition="aws",
        summary=AccountSummary({}),
        snapshot=there,
        copied=copied,
        groups={"Ops": group or granting(inline={"read": READ}), "Readers": GroupFact(None)},
        policies={"Deploy": PolicyFact(DEPLOY)},
        managed_documents={DEPLOY.arn: managed},
        boundary_document=boundary,
    )
    return list(plan_change(change, facts, "row-1", "people-team").warnings)


def found(made: list[PlanWarning], kind: WarningKind) -> list[tuple[str, str]]:
    """Return the warnings of a kind: words and field."""
    return [(warning.message, warning.field) for warning in made if warning.kind is kind]


def new(**parts: object) -> UserChange:
    """Ask for a new user ana."""
    return UserChange("ana", new_user=NewUser(), **parts)  # type: ignore[arg-type]  # the parts are a change's


def assign(**parts: object) -> UserChange:
    """Ask for more permissions for a user who is there."""
    return UserChange("ana", permissions=Permissions(**parts))  # type: ignore[arg-type]  # the parts are permissions


IN_OPS = Permissions(group_names=("Ops",))
AS_MODEL = Permissions(copy_from="model")
MODEL = ana(groups=(OPS,))


@pytest.mark.parametrize(
    ("permissions", "field"),
    [(IN_OPS, "permissions.group_names[0]"), (AS_MODEL, "permissions.copy_from_user_name")],
)
@pytest.mark.parametrize(
    ("group", "name"),
    [
        (granting(inline={"all": ADMIN}), "inline policy all of group Ops"),
        (granting(attached=(ATTACHED,)), f"policy {DEPLOY.arn} of group Ops"),
    ],
)
def test_a_group_that_grants_everything_is_named(
    permissions: Permissions, field: str, group: GroupFact, name: str
) -> None:
    """Inline or managed, named or copied: the warning says which policy of which group it is about."""
    made = warnings(new(permissions=permissions), copied=MODEL, group=group, managed=ADMIN)
    words = f"{name}: statement 1 allows every action on every resource"
    assert found(made, WarningKind.WILDCARD) == [(words, field)]
    ((message, at),) = found(made, WarningKind.ESCALATION)
    assert message.startswith(f"with {name} a user can gain more rights: iam:AddUserToGroup, ")
    assert at == field


def test_a_group_with_one_dangerous_right_is_named() -> None:
    """A group need not grant everything to lead to everything."""
    made = warnings(new(permissions=IN_OPS), group=granting(inline={"keys": MINT, "read": READ}))
    assert found(made, WarningKind.WILDCARD) == []
    assert found(made, WarningKind.ESCALATION) == [
        (
            "with inline policy keys of group Ops a user can gain more rights: iam:CreateAccessKey",
            "permissions.group_names[0]",
        )
    ]


def test_a_group_that_is_made_on_the_way_is_named() -> None:
    """What a new group gets is looked at as well."""
    made = warnings(new(permissions=Permissions(new_groups=(NewGroup("Readers", "/", ("Deploy",)),))), managed=MINT)
    ((message, at),) = found(made, WarningKind.ESCALATION)
    assert message.startswith(f"with policy {DEPLOY.arn} of group Readers ")
    assert at == "permissions.new_groups[0].managed_policies[0]"


def test_a_harmless_group_is_not_warned_of() -> None:
    """Reading is neither everything nor a way to more."""
    made = warnings(new(permissions=IN_OPS, credentials=RESET), group=granting(inline={"read": READ}))
    assert made == []


def test_a_group_without_policies_is_still_empty() -> None:
    """A group grants nothing if it has neither managed nor inline policies."""
    made = warnings(new(permissions=IN_OPS), group=granting())
    assert [warning.kind for warning in made] == [WarningKind.EMPTY_GROUP]


@pytest.mark.parametrize("permissions", [IN_OPS, AS_MODEL])
@pytest.mark.parametrize(
    ("group", "name"),
    [
        (lambda text: granting(inline={"no": text}), "inline policy no of group Ops"),
        (lambda text: granting(attached=(ATTACHED,)), f"policy {DEPLOY.arn} of group Ops"),
    ],
)
@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        (DENY, WarningKind.RESET_DEADLOCK, "denies iam:ChangePassword"),
        (NEEDS_MFA, WarningKind.MFA_DEADLOCK, "denies iam:ChangePassword without MFA"),
    ],
)
def test_a_groups_denial_locks_out(
    permissions: Permissions, group: object, name: str, text: str, kind: WarningKind, words: str
) -> None:
    """A forced reset that a policy of a group stands before is warned of, whoever the group comes from."""
    fact = group(text)  # type: ignore[operator]  # a way to make the group
    made = warnings(new(permissions=permissions, credentials=RESET), copied=MODEL, group=fact, managed=text)
    assert [message for message, _ in found(made, kind)] == [
        f"the password must be reset at first sign-in, but {name} {words}"
    ]


def test_a_groups_denial_matters_for_a_reset_alone() -> None:
    """Without a password to be reset nobody is locked out."""
    for change in (new(permissions=IN_OPS), new(permissions=IN_OPS, credentials=Credentials(access_key=True))):
        assert warnings(change, group=granting(inline={"no": DENY})) == []


@pytest.mark.parametrize(
    "there",
    [ana(groups=(OPS,)), ana(attached_policies=(ATTACHED,)), ana(inline_policies={"no": DENY})],
    ids=["group", "attached", "inline"],
)
def test_what_the_user_has_locks_out_of_a_new_password(there: UserSnapshot) -> None:
    """Who gets a password to be reset runs into denials of the permissions that were there before."""
    change = UserChange("ana", credentials=RESET)
    made = warnings(change, there=there, group=granting(inline={"no": DENY}), managed=DENY)
    ((message, at),) = found(made, WarningKind.RESET_DEADLOCK)
    assert "denies iam:ChangePassword" in message
    assert at == "credentials.console_password.require_reset"


def test_a_policy_that_is_written_anew_locks_nobody_out() -> None:
    """Only what the user will have counts, not the document that an explicit one replaces."""
    there = ana(inline_policies={"p": DENY})
    change = UserChange("ana", credentials=RESET, permissions=Permissions(inline_policies=(InlinePolicy("p", READ),)))
    assert found(warnings(change, there=there), WarningKind.RESET_DEADLOCK) == []


@pytest.mark.parametrize(
    ("change", "group", "field"),
    [
        (assign(group_names=("Ops",)), granting(inline={"no": DENY}), "permissions.group_names[0]"),
        (assign(group_names=("Ops",)), granting(attached=(ATTACHED,)), "permissions.group_names[0]"),
        (assign(managed_policies=("Deploy",)), None, "permissions.managed_policies[0]"),
        (assign(inline_policies=(InlinePolicy("no", DENY),)), None, "permissions.inline_policies[0]"),
        (assign(new_policies=(NewPolicy("No", DENY),)), None, "permissions.new_policies[0]"),
        (assign(copy_from="model"), granting(inline={"no": DENY}), "permissions.copy_from_user_name"),
    ],
    ids=["inline of group", "managed of group", "managed", "inline", "new policy", "copied"],
)
def test_permissions_that_lock_out_who_has_yet_to_reset(
    change: UserChange, group: GroupFact | None, field: str
) -> None:
    """New permissions of a user whose reset is still to come are warned of, and of nobody else's."""
    made = warnings(change, there=ana(awaits_reset=True), copied=MODEL, group=group, managed=DENY)
    ((message, at),) = found(made, WarningKind.RESET_DEADLOCK)
    assert message.endswith("denies iam:ChangePassword")
    assert at == field
    assert (
        found(warnings(change, there=ana(), copied=MODEL, group=group, managed=DENY), WarningKind.RESET_DEADLOCK) == []
    )


@pytest.mark.parametrize(
    "change",
    [
        assign(boundary="Deploy"),
        assign(new_boundary=NewPolicy("Limit", READ)),
        assign(copy_from="model"),
    ],
    ids=["named", "made", "copied"],
)
def test_a_boundary_that_locks_out_who_has_yet_to_reset(change: UserChange) -> None:
    """A boundary that does not allow the reset is warned of where it is set."""
    model = ana()
    model = replace(model, user=replace(model.user, boundary_arn=DEPLOY.arn))
    there = ana(awaits_reset=True)
    assert len(found(warnings(change, there=there, copied=model, boundary=READ), WarningKind.RESET_DEADLOCK)) == 1
    assert not found(warnings(change, there=there, copied=model, boundary=ADMIN), WarningKind.RESET_DEADLOCK)


def test_what_was_so_before_is_not_this_changes_doing() -> None:
    """A deadlock that harmless permissions neither make nor lift is not held against them."""
    there = ana(awaits_reset=True, inline_policies={"no": DENY})
    there = replace(there, user=replace(there.user, boundary_arn=DEPLOY.arn))
    assert warnings(assign(group_names=("Ops",)), there=there, boundary=READ) == []
