"""What `IamAccount` promises, held against the fake and against the boto3 adapter alike."""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from identity_service.application.ports import IamAccount
from identity_service.domain.entities import AttachedPolicyRecord, PolicyRecord
from identity_service.domain.errors import IamErrorKind
from identity_service.domain.passwords import DEFAULT_POLICY, PasswordPolicy
from identity_service.domain.secret import Secret
from tests.contract.fake_iam import ALLOW_NOTHING
from tests.contract.support import ACCOUNT, DOCUMENT, MISSING_POLICY, Call, make_user, refusal
from tests.contract.worlds import World

GOOD_PASSWORD = Secret("Correct-Horse-1")
CODES = (Secret("123456"), Secret("654321"))
MISSING_DEVICE = f"arn:aws:iam::{ACCOUNT}:mfa/phone"

# The account.


async def test_the_account_tells_its_id_and_partition(iam: IamAccount) -> None:
    """Account id and partition are known without a call."""
    assert (iam.account_id, iam.partition) == (ACCOUNT, "aws")


async def test_summary_has_quotas_and_their_use(iam: IamAccount) -> None:
    """GetAccountSummary answers the limits of AWS, and what is used of them."""
    await make_user(iam)
    summary = await iam.get_account_summary()
    assert summary.used("Users") == 1
    assert summary.limit("UsersQuota", 0) == 5000
    assert summary.limit("GroupsPerUserQuota", 0) == 10
    assert summary.limit("AccessKeysPerUserQuota", 0) == 2


async def test_no_password_policy_means_the_default_one(iam: IamAccount) -> None:
    """Where the account has set no policy, AWS's default policy is in force."""
    assert await iam.get_password_policy() == DEFAULT_POLICY


async def test_password_policy_is_read_whole(world: World) -> None:
    """Every rule of the account's own policy arrives."""
    policy = PasswordPolicy(
        minimum_length=14,
        require_lowercase=True,
        require_uppercase=True,
        require_numbers=True,
        require_symbols=True,
        allow_users_to_change=True,
        maximum_age_days=90,
        hard_expiry=True,
        reuse_prevention=5,
    )
    world.set_password_policy(policy)
    assert await world.iam.get_password_policy() == policy


async def test_password_policy_with_nothing_but_a_length(world: World) -> None:
    """Rules that a policy leaves out do not hold: passwords do not expire and may come again."""
    policy = PasswordPolicy(minimum_length=6)
    world.set_password_policy(policy)
    assert await world.iam.get_password_policy() == policy


async def test_alias(world: World) -> None:
    """An account without an alias has the empty one."""
    assert await world.iam.get_alias() == ""
    world.set_alias("example-corp")
    assert await world.iam.get_alias() == "example-corp"


# Groups and policies.


async def test_group_is_found_in_any_letter_case(world: World) -> None:
    """GetGroup ignores letter case and answers the group's own spelling."""
    world.add_group("Developers")
    group = await world.iam.get_group("DEVELOPERS")
    assert group is not None
    assert group.group_name == "Developers"
    assert group.arn == f"arn:aws:iam::{ACCOUNT}:group/Developers"


async def test_absent_group_is_none(iam: IamAccount) -> None:
    """A group that is not there is None and no error."""
    assert await iam.get_group("nobody") is None


async def test_policy_by_arn(world: World) -> None:
    """GetPolicy answers what is needed to attach a policy and to read it."""
    arn = world.add_policy("readers", path="/team/")
    assert arn == f"arn:aws:iam::{ACCOUNT}:policy/team/readers"
    expected = PolicyRecord("readers", arn, attachable=True, default_version_id="v1")
    assert await world.iam.get_policy(arn) == expected


async def test_absent_policy_is_none(iam: IamAccount) -> None:
    """A policy that is not there is None and no error."""
    assert await iam.get_policy(MISSING_POLICY) is None


async def test_policy_document_is_compact_json_text(world: World) -> None:
    """The document of the default version comes as JSON without white space, whatever was stored."""
    arn = world.add_policy("readers", document=json.dumps(json.loads(DOCUMENT), indent=4))
    policy = await world.iam.get_policy(arn)
    assert policy is not None
    assert await world.iam.get_policy_document(policy) == DOCUMENT


async def test_customer_policy_is_found_by_name(world: World) -> None:
    """A policy of the account is found in any letter case and on any path."""
    arn = world.add_policy("Team-Readers", path="/some/where/")
    found = await world.iam.find_customer_policy("team-READERS")
    assert found is not None
    assert found.arn == arn
    assert found.policy_name == "Team-Readers"


async def test_customer_policy_is_found_among_many(world: World) -> None:
    """The search does not end with IAM's usual page of a hundred."""
    for number in range(130):
        world.add_policy(f"policy-{number:03}")
    found = await world.iam.find_customer_policy("policy-129")
    assert found is not None
    assert found.policy_name == "policy-129"


async def test_policies_of_aws_are_no_customer_policies(world: World) -> None:
    """The two searches do not find each other's policies."""
    world.add_aws_policy("IAMUserChangePassword")
    world.add_policy("our-own")
    assert await world.iam.find_customer_policy("IAMUserChangePassword") is None
    assert await world.iam.find_aws_policy("our-own") is None


@pytest.mark.parametrize(
    ("policy_name", "path"),
    [
        ("IAMUserChangePassword", "/"),
        ("AWSLambdaBasicExecutionRole", "/service-role/"),
        ("ViewOnlyAccess", "/job-function/"),
        ("IAMAuditRootUserCredentials", "/root-task/"),
    ],
)
async def test_aws_policy_is_found_on_any_path(world: World, policy_name: str, path: str) -> None:
    """A policy of AWS is found by its name alone, in any letter case."""
    arn = world.add_aws_policy(policy_name, path=path)
    for spelling in (policy_name, policy_name.lower()):
        found = await world.iam.find_aws_policy(spelling)
        assert found is not None
        assert found.arn == arn


# Users.


async def test_created_user_has_path_boundary_and_tags(world: World) -> None:
    """CreateUser's own answer holds path, boundary and tags, and GetUser answers the same."""
    boundary = world.add_policy("limits")
    answer = await world.iam.create_user("maria", "/team/", boundary, {"team": "blue", "empty": ""})
    user = answer.value
    assert user.user_name == "maria"
    assert user.arn == f"arn:aws:iam::{ACCOUNT}:user/team/maria"
    assert (user.path, user.boundary_arn, user.tags) == ("/team/", boundary, {"team": "blue", "empty": ""})
    assert user.password_last_used_at is None
    assert user.user_id.startswith("AIDA")
    assert await world.iam.get_user("maria") == user


async def test_times_are_aware_and_in_utc(iam: IamAccount) -> None:
    """Creation times and receipts are in UTC, and just now."""
    answer = await iam.create_user("maria", "/", None, {})
    for moment in (answer.value.created_at, answer.receipt.completed_at):
        assert moment.tzinfo is UTC
        assert abs(datetime.now(UTC) - moment) < timedelta(minutes=1)


async def test_every_receipt_has_a_request_id_of_its_own(iam: IamAccount) -> None:
    """AWS's request id is in the receipt of each call."""
    made = await iam.create_user("maria", "/", None, {})
    deleted = await iam.delete_user("maria")
    assert made.receipt.request_id
    assert deleted.request_id
    assert made.receipt.request_id != deleted.request_id


async def test_dropped_boundary_shows_in_the_answer(world: World) -> None:
    """Where the boundary was lost on the way, CreateUser's answer has none, so that the caller can tell."""
    boundary = world.add_policy("limits")
    world.drop_boundary()
    answer = await world.iam.create_user("maria", "/", boundary, {})
    assert answer.value.boundary_arn is None


async def test_user_is_found_in_any_letter_case(iam: IamAccount) -> None:
    """User names are compared without letter case, and keep the spelling that they were made with."""
    await make_user(iam, "Maria")
    user = await iam.get_user("mARIA")
    assert user is not None
    assert user.user_name == "Maria"
    assert (await refusal(iam.create_user("maria", "/", None, {}))).kind is IamErrorKind.ALREADY_EXISTS


async def test_absent_user_and_login_profile_are_none(iam: IamAccount) -> None:
    """What is not there is None where the type says so."""
    assert await iam.get_user("nobody") is None
    assert await iam.get_login_profile("nobody") is None
    await make_user(iam)
    assert await iam.get_login_profile("maria") is None


async def test_user_made_again_has_another_id(iam: IamAccount) -> None:
    """A user who was deleted and made again has the same ARN and another UserId."""
    first = (await iam.create_user("maria", "/", None, {})).value
    await iam.delete_user("maria")
    second = (await iam.create_user("maria", "/", None, {})).value
    assert first.arn == second.arn
    assert first.user_id != second.user_id


@pytest.mark.parametrize(
    ("user_name", "path", "tags"),
    [
        ("with space", "/", {}),
        ("x" * 65, "/", {}),
        ("maria", "no-slashes", {}),
        ("maria", "/", {"aws:reserved": "x"}),
        ("maria", "/", {"Team": "a", "team": "b"}),
        ("maria", "/", {f"key-{number}": "" for number in range(51)}),
    ],
)
async def test_malformed_user_is_invalid_input(
    iam: IamAccount, user_name: str, path: str, tags: dict[str, str]
) -> None:
    """IAM's constraints on names, paths and tags are INVALID_INPUT, and nothing is made."""
    error = await refusal(iam.create_user(user_name, path, None, tags))
    assert error.kind is IamErrorKind.INVALID_INPUT
    assert (await iam.get_account_summary()).used("Users") == 0


async def test_user_with_a_missing_boundary_is_not_made(iam: IamAccount) -> None:
    """A boundary that is not there is NOT_FOUND, and the user is not there either."""
    error = await refusal(iam.create_user("maria", "/", MISSING_POLICY, {}))
    assert error.kind is IamErrorKind.NOT_FOUND
    assert await iam.get_user("maria") is None


async def test_account_full_of_users(world: World) -> None:
    """One user more than the account may have is LIMIT_EXCEEDED."""
    world.set_quota("UsersQuota", 1)
    await make_user(world.iam)
    assert (await refusal(world.iam.create_user("noor", "/", None, {}))).kind is IamErrorKind.LIMIT_EXCEEDED


# Console passwords.


@pytest.mark.parametrize("reset_required", [True, False])
async def test_login_profile(iam: IamAccount, reset_required: bool) -> None:
    """A password is set once, shows whether it has to be reset, and can be deleted."""
    await make_user(iam)
    await iam.create_login_profile("maria", GOOD_PASSWORD, reset_required)
    profile = await iam.get_login_profile("maria")
    assert profile is not None
    assert profile.reset_required is reset_required
    again = iam.create_login_profile("maria", GOOD_PASSWORD, reset_required)
    assert (await refusal(again)).kind is IamErrorKind.ALREADY_EXISTS
    await iam.delete_login_profile("maria")
    assert await iam.get_login_profile("maria") is None


@pytest.mark.parametrize("password", ["short1A", "alllowercaseletters", "lower-and-symbol"])
async def test_weak_password_is_refused(iam: IamAccount, password: str) -> None:
    """The default policy demands eight characters and three of the four classes."""
    await make_user(iam)
    error = await refusal(iam.create_login_profile("maria", Secret(password), reset_required=False))
    assert error.kind is IamErrorKind.PASSWORD_REFUSED
    assert password not in repr(error) + str(error)


async def test_accounts_own_policy_is_in_force(world: World) -> None:
    """A password that the default policy accepts is refused by a stricter one."""
    world.set_password_policy(PasswordPolicy(minimum_length=30))
    await make_user(world.iam)
    error = await refusal(world.iam.create_login_profile("maria", GOOD_PASSWORD, reset_required=False))
    assert error.kind is IamErrorKind.PASSWORD_REFUSED


# Access keys.


async def test_access_keys(iam: IamAccount) -> None:
    """A key is minted with its secret, listed without, and can be deleted; two are the limit."""
    await make_user(iam)
    first = (await iam.create_access_key("maria")).value
    second = (await iam.create_access_key("maria")).value
    assert first.access_key_id.startswith("AKIA")
    assert first.secret.reveal()
    assert first.secret.reveal() != second.secret.reveal()
    assert first.secret.reveal() not in repr(first)
    keys = await iam.list_access_keys("maria")
    assert {key.access_key_id for key in keys} == {first.access_key_id, second.access_key_id}
    assert all(key.active for key in keys)
    assert (await refusal(iam.create_access_key("maria"))).kind is IamErrorKind.LIMIT_EXCEEDED
    await iam.delete_access_key("maria", first.access_key_id)
    assert [key.access_key_id for key in await iam.list_access_keys("maria")] == [second.access_key_id]


async def test_last_use_of_an_unused_key_is_none(iam: IamAccount) -> None:
    """A key that nobody has used has no last use."""
    await make_user(iam)
    key = (await iam.create_access_key("maria")).value
    assert await iam.get_access_key_last_used(key.access_key_id) is None


async def test_last_use_of_an_unknown_key_is_none(iam: IamAccount) -> None:
    """A key that is not known has no last use."""
    assert await iam.get_access_key_last_used("AKIAAAAAAAAAAAAAAAAA") is None


# Memberships, policies and boundary of a user.


async def test_memberships(world: World) -> None:
    """A user is added once however often one asks, listed, and taken out likewise."""
    world.add_group("Developers")
    await make_user(world.iam)
    for _ in range(2):
        await world.iam.add_user_to_group("maria", "developers")
    groups = await world.iam.list_groups("maria")
    assert [(group.group_name, group.arn) for group in groups] == [
        ("Developers", f"arn:aws:iam::{ACCOUNT}:group/Developers")
    ]
    for _ in range(2):
        await world.iam.remove_user_from_group("maria", "Developers")
    assert await world.iam.list_groups("maria") == ()


async def test_eleventh_group_is_over_the_limit(world: World) -> None:
    """A user is a member of ten groups at most."""
    await make_user(world.iam)
    for number in range(11):
        world.add_group(f"group-{number:02}")
    for number in range(10):
        await world.iam.add_user_to_group("maria", f"group-{number:02}")
    assert len(await world.iam.list_groups("maria")) == 10
    assert (await refusal(world.iam.add_user_to_group("maria", "group-10"))).kind is IamErrorKind.LIMIT_EXCEEDED


async def test_more_than_a_page_of_groups(world: World) -> None:
    """A listing is read to its end: 130 memberships make two pages."""
    world.set_quota("GroupsPerUserQuota", 200)
    await make_user(world.iam)
    names = [f"group-{number:03}" for number in range(130)]
    for name in names:
        world.add_group(name, grants_nothing=True)
        await world.iam.add_user_to_group("maria", name)
    assert [group.group_name for group in await world.iam.list_groups("maria")] == names


async def test_attached_policies(world: World) -> None:
    """A policy is attached once however often one asks, listed, and detached once."""
    arn = world.add_policy("readers")
    await make_user(world.iam)
    for _ in range(2):
        await world.iam.attach_user_policy("maria", arn)
    assert await world.iam.list_attached_policies("maria") == (AttachedPolicyRecord("readers", arn),)
    await world.iam.detach_user_policy("maria", arn)
    assert await world.iam.list_attached_policies("maria") == ()
    assert (await refusal(world.iam.detach_user_policy("maria", arn))).kind is IamErrorKind.NOT_FOUND


async def test_eleventh_attachment_is_over_the_limit(world: World) -> None:
    """A user has ten attached policies at most."""
    await make_user(world.iam)
    arns = [world.add_policy(f"policy-{number:02}") for number in range(11)]
    for arn in arns[:10]:
        await world.iam.attach_user_policy("maria", arn)
    assert (await refusal(world.iam.attach_user_policy("maria", arns[10]))).kind is IamErrorKind.LIMIT_EXCEEDED


async def test_inline_policies(iam: IamAccount) -> None:
    """Inline policies come as compact JSON by name, are replaced by name, and can be deleted."""
    await make_user(iam)
    await iam.put_user_policy("maria", "reading", ALLOW_NOTHING)
    await iam.put_user_policy("maria", "reading", json.dumps(json.loads(DOCUMENT), indent=2))
    await iam.put_user_policy("maria", "also", DOCUMENT)
    assert await iam.list_inline_policies("maria") == {"also": DOCUMENT, "reading": DOCUMENT}
    await iam.delete_user_policy("maria", "reading")
    assert await iam.list_inline_policies("maria") == {"also": DOCUMENT}


@pytest.mark.parametrize("document", ["{not json", "[]", '{"Version":"2012-10-17"}'])
async def test_malformed_document(iam: IamAccount, document: str) -> None:
    """What is no policy is MALFORMED_DOCUMENT."""
    await make_user(iam)
    error = await refusal(iam.put_user_policy("maria", "broken", document))
    assert error.kind is IamErrorKind.MALFORMED_DOCUMENT


async def test_too_much_inline_policy(iam: IamAccount) -> None:
    """All inline policies of a user share 2,048 characters."""
    await make_user(iam)
    long_document = DOCUMENT.replace("a/*", "a/" + "x" * 1200)
    await iam.put_user_policy("maria", "first", long_document)
    error = await refusal(iam.put_user_policy("maria", "second", long_document))
    assert error.kind is IamErrorKind.LIMIT_EXCEEDED


async def test_boundary_is_put_and_deleted(world: World) -> None:
    """The boundary is set, replaced and taken off; there is none to take off twice."""
    first, second = world.add_policy("first"), world.add_policy("second")
    await make_user(world.iam)
    for boundary in (first, second):
        await world.iam.put_user_permissions_boundary("maria", boundary)
        user = await world.iam.get_user("maria")
        assert user is not None
        assert user.boundary_arn == boundary
    await world.iam.delete_user_permissions_boundary("maria")
    user = await world.iam.get_user("maria")
    assert user is not None
    assert user.boundary_arn is None
    assert (await refusal(world.iam.delete_user_permissions_boundary("maria"))).kind is IamErrorKind.NOT_FOUND


# What only a deletion cares for.


async def test_mfa_device(world: World) -> None:
    """A virtual device is deleted only after it was deactivated."""
    await make_user(world.iam)
    serial_number = world.add_mfa_device("maria")
    (device,) = await world.iam.list_mfa_devices("maria")
    assert device.serial_number == serial_number
    assert device.is_virtual
    assert (await refusal(world.iam.delete_virtual_mfa_device(serial_number))).kind is IamErrorKind.IN_USE
    await world.iam.deactivate_mfa_device("maria", serial_number)
    assert await world.iam.list_mfa_devices("maria") == ()
    await world.iam.delete_virtual_mfa_device(serial_number)
    assert (await refusal(world.iam.delete_virtual_mfa_device(serial_number))).kind is IamErrorKind.NOT_FOUND


async def test_signing_certificates(world: World) -> None:
    """Signing certificates are listed by id and deleted."""
    await make_user(world.iam)
    certificate_id = world.add_signing_certificate("maria")
    assert await world.iam.list_signing_certificates("maria") == (certificate_id,)
    await world.iam.delete_signing_certificate("maria", certificate_id)
    assert await world.iam.list_signing_certificates("maria") == ()


async def test_ssh_public_keys(world: World) -> None:
    """SSH keys are listed by id and deleted."""
    await make_user(world.iam)
    key_id = world.add_ssh_public_key("maria")
    assert await world.iam.list_ssh_public_keys("maria") == (key_id,)
    await world.iam.delete_ssh_public_key("maria", key_id)
    assert await world.iam.list_ssh_public_keys("maria") == ()


async def test_service_specific_credentials(world: World) -> None:
    """Service-specific credentials are listed by id and deleted."""
    await make_user(world.iam)
    credential_id = world.add_service_specific_credential("maria")
    assert await world.iam.list_service_specific_credentials("maria") == (credential_id,)
    await world.iam.delete_service_specific_credential("maria", credential_id)
    assert await world.iam.list_service_specific_credentials("maria") == ()


HOLDS: dict[str, Callable[[World], Awaitable[object]]] = {
    "login profile": lambda world: world.iam.create_login_profile("maria", GOOD_PASSWORD, reset_required=False),
    "access key": lambda world: world.iam.create_access_key("maria"),
    "group": lambda world: world.iam.add_user_to_group("maria", "staff"),
    "attached policy": lambda world: world.iam.attach_user_policy("maria", world.add_policy("readers")),
    "inline policy": lambda world: world.iam.put_user_policy("maria", "reading", DOCUMENT),
}


@pytest.mark.parametrize("what", HOLDS)
async def test_user_with_something_on_it_is_not_deleted(world: World, what: str) -> None:
    """DeleteUser is refused with IN_USE while anything hangs on the user, who stays."""
    world.add_group("staff")
    await make_user(world.iam)
    await HOLDS[what](world)
    assert (await refusal(world.iam.delete_user("maria"))).kind is IamErrorKind.IN_USE
    assert await world.iam.get_user("maria") is not None


async def test_user_with_a_device_is_not_deleted(world: World) -> None:
    """The things that the service itself does not make keep a user as well."""
    await make_user(world.iam)
    for add in (
        world.add_mfa_device,
        world.add_signing_certificate,
        world.add_ssh_public_key,
        world.add_service_specific_credential,
    ):
        add("maria")
        assert (await refusal(world.iam.delete_user("maria"))).kind is IamErrorKind.IN_USE


async def test_user_with_a_boundary_is_deleted(world: World) -> None:
    """A boundary and tags are no obstacle to DeleteUser."""
    await world.iam.create_user("maria", "/", world.add_policy("limits"), {"team": "blue"})
    await world.iam.delete_user("MARIA")
    assert await world.iam.get_user("maria") is None


# What is absent, for every call that names something.

ABSENT_USER: dict[str, Call] = {
    "ListAccessKeys": lambda iam: iam.list_access_keys("nobody"),
    "ListGroupsForUser": lambda iam: iam.list_groups("nobody"),
    "ListAttachedUserPolicies": lambda iam: iam.list_attached_policies("nobody"),
    "ListUserPolicies": lambda iam: iam.list_inline_policies("nobody"),
    "ListMFADevices": lambda iam: iam.list_mfa_devices("nobody"),
    "ListSigningCertificates": lambda iam: iam.list_signing_certificates("nobody"),
    "ListSSHPublicKeys": lambda iam: iam.list_ssh_public_keys("nobody"),
    "ListServiceSpecificCredentials": lambda iam: iam.list_service_specific_credentials("nobody"),
    "DeleteUser": lambda iam: iam.delete_user("nobody"),
    "CreateLoginProfile": lambda iam: iam.create_login_profile("nobody", GOOD_PASSWORD, reset_required=False),
    "DeleteLoginProfile": lambda iam: iam.delete_login_profile("nobody"),
    "CreateAccessKey": lambda iam: iam.create_access_key("nobody"),
    "DeleteAccessKey": lambda iam: iam.delete_access_key("nobody", "AKIAAAAAAAAAAAAAAAAA"),
    "AddUserToGroup": lambda iam: iam.add_user_to_group("nobody", "staff"),
    "RemoveUserFromGroup": lambda iam: iam.remove_user_from_group("nobody", "staff"),
    "AttachUserPolicy": lambda iam: iam.attach_user_policy("nobody", "arn:aws:iam::aws:policy/IAMUserChangePassword"),
    "DetachUserPolicy": lambda iam: iam.detach_user_policy("nobody", "arn:aws:iam::aws:policy/IAMUserChangePassword"),
    "PutUserPolicy": lambda iam: iam.put_user_policy("nobody", "reading", DOCUMENT),
    "DeleteUserPolicy": lambda iam: iam.delete_user_policy("nobody", "reading"),
    "PutUserPermissionsBoundary": lambda iam: iam.put_user_permissions_boundary(
        "nobody", "arn:aws:iam::aws:policy/IAMUserChangePassword"
    ),
    "DeleteUserPermissionsBoundary": lambda iam: iam.delete_user_permissions_boundary("nobody"),
    "DeleteSigningCertificate": lambda iam: iam.delete_signing_certificate("nobody", "A" * 32),
    "DeleteSSHPublicKey": lambda iam: iam.delete_ssh_public_key("nobody", "APKAAAAAAAAAAAAAAAAA"),
    "DeleteServiceSpecificCredential": lambda iam: iam.delete_service_specific_credential("nobody", "ACCA" + "A" * 17),
    "DeactivateMFADevice": lambda iam: iam.deactivate_mfa_device("nobody", f"arn:aws:iam::{ACCOUNT}:mfa/phone"),
    "EnableMFADevice": lambda iam: iam.enable_mfa_device("nobody", MISSING_DEVICE, *CODES),
    "UpdateUser": lambda iam: iam.update_user("nobody", "somebody", None),
    "TagUser": lambda iam: iam.tag_user("nobody", {"team": "blue"}),
    "UntagUser": lambda iam: iam.untag_user("nobody", ["team"]),
}

ABSENT_THING: dict[str, Call] = {
    "GetPolicyVersion": lambda iam: iam.get_policy_document(PolicyRecord("missing", MISSING_POLICY, True, "v1")),
    "DeleteLoginProfile": lambda iam: iam.delete_login_profile("maria"),
    "DeleteAccessKey": lambda iam: iam.delete_access_key("maria", "AKIAAAAAAAAAAAAAAAAA"),
    "RemoveUserFromGroup": lambda iam: iam.remove_user_from_group("maria", "nobody"),
    "DetachUserPolicy": lambda iam: iam.detach_user_policy("maria", MISSING_POLICY),
    "DeleteUserPolicy": lambda iam: iam.delete_user_policy("maria", "reading"),
    "DeleteSigningCertificate": lambda iam: iam.delete_signing_certificate("maria", "A" * 32),
    "DeleteSSHPublicKey": lambda iam: iam.delete_ssh_public_key("maria", "APKAAAAAAAAAAAAAAAAA"),
    "DeleteServiceSpecificCredential": lambda iam: iam.delete_service_specific_credential("maria", "ACCA" + "A" * 17),
    "DeactivateMFADevice": lambda iam: iam.deactivate_mfa_device("maria", f"arn:aws:iam::{ACCOUNT}:mfa/phone"),
    "DeleteVirtualMFADevice": lambda iam: iam.delete_virtual_mfa_device(f"arn:aws:iam::{ACCOUNT}:mfa/phone"),
    "EnableMFADevice": lambda iam: iam.enable_mfa_device("maria", MISSING_DEVICE, *CODES),
    "TagMFADevice": lambda iam: iam.tag_mfa_device(MISSING_DEVICE, {"team": "blue"}),
    "DeleteGroup": lambda iam: iam.delete_group("nobody"),
    "AttachGroupPolicy": lambda iam: iam.attach_group_policy("nobody", MISSING_POLICY),
    "DetachGroupPolicy": lambda iam: iam.detach_group_policy("nobody", MISSING_POLICY),
    "DeleteGroupPolicy": lambda iam: iam.delete_group_policy("nobody", "some"),
    "ListPolicyVersions": lambda iam: iam.list_policy_versions(MISSING_POLICY),
    "ListEntitiesForPolicy": lambda iam: iam.get_policy_usage(MISSING_POLICY),
    "DeletePolicyVersion": lambda iam: iam.delete_policy_version(MISSING_POLICY, "v2"),
    "DeletePolicy": lambda iam: iam.delete_policy(MISSING_POLICY),
}


@pytest.mark.parametrize("operation", ABSENT_USER)
async def test_absent_user_is_not_found(world: World, operation: str) -> None:
    """Every call on a user who is not there is NOT_FOUND, and names its IAM action."""
    world.add_group("staff")
    world.add_aws_policy("IAMUserChangePassword")
    error = await refusal(ABSENT_USER[operation](world.iam))
    assert error.kind is IamErrorKind.NOT_FOUND
    assert error.action == f"iam:{operation}"
    assert (error.code, error.http_status) == ("NoSuchEntity", 404)
    assert error.request_id
    assert not error.outcome_unknown


@pytest.mark.parametrize("operation", ABSENT_THING)
async def test_absent_thing_is_not_found(world: World, operation: str) -> None:
    """Removing or reading what is not there is NOT_FOUND at the first sending."""
    await make_user(world.iam)
    error = await refusal(ABSENT_THING[operation](world.iam))
    assert error.kind is IamErrorKind.NOT_FOUND
    assert not error.outcome_unknown


@pytest.mark.parametrize(
    "call",
    [
        lambda iam: iam.get_policy("readers"),
        lambda iam: iam.get_policy_details("readers"),
        lambda iam: iam.get_policy_usage("readers"),
        lambda iam: iam.delete_policy("readers"),
        lambda iam: iam.attach_user_policy("maria", "readers"),
        lambda iam: iam.put_user_permissions_boundary("maria", "arn:aws:s3:::a-bucket-and-no-policy"),
    ],
)
async def test_malformed_arn_is_invalid_input(iam: IamAccount, call: Call) -> None:
    """An ARN that cannot be a policy's is INVALID_INPUT, and not an absent policy."""
    await make_user(iam)
    assert (await refusal(call(iam))).kind is IamErrorKind.INVALID_INPUT
