"""The known ways to more rights in IAM, as calls that whoever holds the service's role would send.

docs/escalation.md has a row for each, under the same name.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.security.role_world import ACCOUNT, ADMINISTRATOR, BOUNDARY, EVERYTHING, OURS, OWNER, PREFIX, TRUST

OTHER_BOUNDARY = f"{PREFIX}policy/Shared"
OUR_OWNER = [{"Key": OWNER, "Value": "payments"}]
OTHER_OWNER = [{"Key": OWNER, "Value": "attackers"}]
BOSS_DEVICE = f"{PREFIX}mfa/boss"


@dataclass(frozen=True)
class Path:
    """A way to more rights: its row in the document, the statement that stops it, and the call.

    `guard` is empty where no statement allows the action, so that there is none to take away.
    """

    row: str
    guard: str
    call: Callable[[Any], object]


def _paths() -> list[Path]:
    never, owned, new = "NeverEscalate", "OwnedUsers", "NewUsers"
    document = {"PolicyName": "x", "PolicyDocument": EVERYTHING}
    key_body = {"UserName": "ana", "SSHPublicKeyBody": "ssh-rsa " + "A" * 372}
    return [
        # Policies that others have.
        Path(
            "new policy version",
            never,
            lambda iam: iam.create_policy_version(
                PolicyArn=f"{PREFIX}policy/Shared", PolicyDocument=EVERYTHING, SetAsDefault=True
            ),
        ),
        Path(
            "other default version",
            never,
            lambda iam: iam.set_default_policy_version(PolicyArn=f"{PREFIX}policy/Shared", VersionId="v1"),
        ),
        Path(
            "policy deleted and made again",
            "OwnedPolicies",
            lambda iam: iam.delete_policy(PolicyArn=f"{PREFIX}policy/Shared"),
        ),
        Path("policy without an owner", "NewPolicies", lambda iam: iam.create_policy(**document)),
        # Others' credentials.
        Path("access key for another user", owned, lambda iam: iam.create_access_key(UserName="boss")),
        Path("access key for another user", owned, lambda iam: iam.create_access_key(UserName="chief")),
        Path(
            "access key switched on",
            "",
            lambda iam: iam.update_access_key(UserName="boss", AccessKeyId="AKIAIOSFODNN7EXAMPLE", Status="Active"),
        ),
        Path(
            "password for another user",
            owned,
            lambda iam: iam.create_login_profile(UserName="boss", Password="Correct-Horse-2"),
        ),
        Path(
            "another user's password",
            "",
            lambda iam: iam.update_login_profile(UserName="boss", Password="Correct-Horse-2"),
        ),
        Path(
            "signing certificate",
            never,
            lambda iam: iam.upload_signing_certificate(UserName="ana", CertificateBody="x"),
        ),
        Path("SSH key", never, lambda iam: iam.upload_ssh_public_key(**key_body)),
        Path(
            "service-specific credential",
            never,
            lambda iam: iam.create_service_specific_credential(UserName="ana", ServiceName="codecommit.amazonaws.com"),
        ),
        Path(
            "service-specific credential",
            never,
            lambda iam: iam.reset_service_specific_credential(
                UserName="ana", ServiceSpecificCredentialId="ACCA" + "A" * 16
            ),
        ),
        # Others' MFA.
        Path(
            "own MFA device for another user",
            owned,
            lambda iam: iam.enable_mfa_device(
                UserName="boss", SerialNumber=BOSS_DEVICE, AuthenticationCode1="123456", AuthenticationCode2="654321"
            ),
        ),
        Path(
            "MFA device taken off",
            owned,
            lambda iam: iam.deactivate_mfa_device(UserName="boss", SerialNumber=BOSS_DEVICE),
        ),
        Path(
            "MFA device resynchronised",
            never,
            lambda iam: iam.resync_mfa_device(
                UserName="boss", SerialNumber=BOSS_DEVICE, AuthenticationCode1="123456", AuthenticationCode2="654321"
            ),
        ),
        Path(
            "MFA device without an owner",
            "NewMfaDevices",
            lambda iam: iam.create_virtual_mfa_device(VirtualMFADeviceName="boss"),
        ),
        # Rights for a user.
        Path(
            "managed policy on a user",
            "GrantManaged",
            lambda iam: iam.attach_user_policy(UserName="ana", PolicyArn=ADMINISTRATOR),
        ),
        Path(
            "managed policy on a user",
            "GrantManaged",
            lambda iam: iam.attach_user_policy(UserName="chief", PolicyArn=f"{PREFIX}policy/Deploy"),
        ),
        Path(
            "managed policy on a user",
            "GrantManaged",
            lambda iam: iam.attach_user_policy(UserName="bare", PolicyArn=f"{PREFIX}policy/Deploy"),
        ),
        Path("inline policy on a user", "GrantInline", lambda iam: iam.put_user_policy(UserName="boss", **document)),
        Path("inline policy on a user", "GrantInline", lambda iam: iam.put_user_policy(UserName="bare", **document)),
        Path(
            "denying policy taken off a user",
            owned,
            lambda iam: iam.delete_user_policy(UserName="chief", PolicyName="deny"),
        ),
        Path(
            "denying policy taken off a user",
            owned,
            lambda iam: iam.detach_user_policy(UserName="chief", PolicyArn=ADMINISTRATOR),
        ),
        # Groups.
        Path(
            "joining a group",
            "GroupMembers",
            lambda iam: iam.add_user_to_group(UserName="ana", GroupName="Administrators"),
        ),
        Path(
            "leaving a denying group",
            "GroupMembers",
            lambda iam: iam.remove_user_from_group(UserName="ana", GroupName="Quarantine"),
        ),
        Path(
            "managed policy on a group",
            "GrantToGroups",
            lambda iam: iam.attach_group_policy(GroupName="Developers", PolicyArn=ADMINISTRATOR),
        ),
        Path(
            "managed policy on a group",
            "GrantToGroups",
            lambda iam: iam.attach_group_policy(GroupName="Administrators", PolicyArn=f"{PREFIX}policy/Deploy"),
        ),
        Path("inline policy on a group", never, lambda iam: iam.put_group_policy(GroupName="Developers", **document)),
        Path(
            "denying policy taken off a group",
            "Groups",
            lambda iam: iam.delete_group_policy(GroupName="Quarantine", PolicyName="deny"),
        ),
        Path("group made or renamed", "Groups", lambda iam: iam.create_group(GroupName="Auditors")),
        Path(
            "group made or renamed",
            never,
            lambda iam: iam.update_group(GroupName="Developers", NewGroupName="Auditors"),
        ),
        # Boundaries.
        Path(
            "boundary removed", "NeverRemoveABoundary", lambda iam: iam.delete_user_permissions_boundary(UserName="ana")
        ),
        Path(
            "other boundary",
            "GrantInline",
            lambda iam: iam.put_user_permissions_boundary(UserName="ana", PermissionsBoundary=OTHER_BOUNDARY),
        ),
        Path("boundary's policy changed", "NeverTouchABoundary", lambda iam: iam.delete_policy(PolicyArn=BOUNDARY)),
        # Users.
        Path(
            "user outside the path",
            new,
            lambda iam: iam.create_user(UserName="eve", PermissionsBoundary=BOUNDARY, Tags=OURS),
        ),
        Path("user without our boundary", new, lambda iam: iam.create_user(UserName="eve", Path="/people/", Tags=OURS)),
        Path(
            "user without our boundary",
            new,
            lambda iam: iam.create_user(UserName="eve", Path="/people/", PermissionsBoundary=OTHER_BOUNDARY, Tags=OURS),
        ),
        Path(
            "user without an owner",
            new,
            lambda iam: iam.create_user(UserName="eve", Path="/people/", PermissionsBoundary=BOUNDARY),
        ),
        Path("user moved or renamed", owned, lambda iam: iam.update_user(UserName="ana", NewPath="/admins/")),
        Path("user moved or renamed", owned, lambda iam: iam.update_user(UserName="boss", NewPath="/people/")),
        Path("user deleted and made again", owned, lambda iam: iam.delete_user(UserName="chief")),
        # Tags.
        Path("owner changed", "NeverChangeTheOwner", lambda iam: iam.tag_user(UserName="ana", Tags=OTHER_OWNER)),
        Path(
            "owner changed",
            "NeverChangeTheOwner",
            lambda iam: iam.tag_policy(PolicyArn=f"{PREFIX}policy/OwnedBoundary", Tags=OTHER_OWNER),
        ),
        Path(
            "our tags taken off",
            "NeverTakeOurTagsOff",
            lambda iam: iam.untag_user(UserName="ana", TagKeys=["Identity-Provisioning:Owner"]),
        ),
        Path(
            "tag that a policy looks at",
            owned,
            lambda iam: iam.tag_user(UserName="chief", Tags=[{"Key": "department", "Value": "security"}]),
        ),
        Path("owner claimed", "TagNewUsers", lambda iam: iam.tag_user(UserName="boss", Tags=OURS)),
        Path(
            "owner claimed",
            "AdoptUsers",
            lambda iam: iam.tag_user(UserName="chief", Tags=[*OUR_OWNER, {"Key": "department", "Value": "security"}]),
        ),
        Path(
            "adopting an administrator without the right",
            "AdoptUsers",
            lambda iam: iam.tag_user(UserName="boss", Tags=OUR_OWNER),
        ),
        Path(
            "adopting another team's user",
            "NeverChangeTheOwner",
            lambda iam: iam.tag_user(UserName="theirs", Tags=OUR_OWNER),
        ),
        # Roles, and what stands for them.
        Path(
            "role's trust changed",
            never,
            lambda iam: iam.update_assume_role_policy(RoleName="deployer", PolicyDocument=TRUST),
        ),
        Path(
            "managed policy on a role",
            never,
            lambda iam: iam.attach_role_policy(RoleName="deployer", PolicyArn=ADMINISTRATOR),
        ),
        Path(
            "inline policy on a role", never, lambda iam: iam.put_role_policy(RoleName="identity-service", **document)
        ),
        Path(
            "inline policy on a role",
            never,
            lambda iam: iam.delete_role_policy(RoleName="identity-service", PolicyName="policy-1"),
        ),
        Path(
            "role's boundary changed",
            never,
            lambda iam: iam.put_role_permissions_boundary(RoleName="deployer", PermissionsBoundary=ADMINISTRATOR),
        ),
        Path("role made", never, lambda iam: iam.create_role(RoleName="eve", AssumeRolePolicyDocument=TRUST)),
        Path(
            "role passed to a machine",
            never,
            lambda iam: iam.add_role_to_instance_profile(InstanceProfileName="machine", RoleName="deployer"),
        ),
        Path(
            "identity provider",
            never,
            lambda iam: iam.create_open_id_connect_provider(Url="https://attacker.example", ThumbprintList=["0" * 40]),
        ),
        # The account.
        Path("weaker password policy", never, lambda iam: iam.update_account_password_policy(MinimumPasswordLength=6)),
        Path("weaker password policy", never, lambda iam: iam.delete_account_password_policy()),
        Path("other sign-in address", never, lambda iam: iam.create_account_alias(AccountAlias="attackers")),
    ]


PATHS = _paths()

PASSED = (
    "iam:PassRole",
    "ec2:RunInstances",
    "lambda:CreateFunction",
    "lambda:InvokeFunction",
    "lambda:UpdateFunctionCode",
    "lambda:CreateEventSourceMapping",
    "glue:CreateDevEndpoint",
    "glue:UpdateDevEndpoint",
    "cloudformation:CreateStack",
    "datapipeline:CreatePipeline",
    "codestar:CreateProject",
    "sagemaker:CreateNotebookInstance",
    "ecs:RunTask",
    "ssm:SendCommand",
    "sts:AssumeRole",
)
"""Rights of other services by which a role is passed on or taken; IAM is asked what the policy says of each."""
ANY_ROLE = f"arn:aws:iam::{ACCOUNT}:role/deployer"
