"""From AWS's answers to this service's records."""

import base64
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from identity_service.application.ports import MintedAccessKey, MintedMfaDevice
from identity_service.domain.entities import (
    AccessKeyRecord,
    AttachedPolicyRecord,
    GroupDetails,
    GroupRecord,
    LoginProfileRecord,
    MfaDeviceRecord,
    PolicyDetails,
    PolicyRecord,
    PolicyUsage,
    UserRecord,
    VirtualMfaDeviceRecord,
)
from identity_service.domain.passwords import PasswordPolicy
from identity_service.domain.secret import Secret

_MINIMUM_LENGTH_IF_LEFT_OUT = 6
"""AWS, UpdateAccountPasswordPolicy: what a policy demands that names no length."""
_ROOT = "<root_account>"
"""AWS's own name for the root in its credential report; no user can have it."""

Fields = Mapping[str, Any]


def user(fields: Fields) -> UserRecord:
    """Read a User."""
    last_used = fields.get("PasswordLastUsed")
    return UserRecord(
        user_name=fields["UserName"],
        user_id=fields["UserId"],
        arn=fields["Arn"],
        path=fields["Path"],
        created_at=in_utc(fields["CreateDate"]),
        boundary_arn=fields.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn"),
        tags=tags(fields),
        password_last_used_at=in_utc(last_used) if last_used else None,
    )


def access_key(fields: Fields) -> AccessKeyRecord:
    """Read an AccessKeyMetadata."""
    return AccessKeyRecord(fields["AccessKeyId"], fields["Status"] == "Active", in_utc(fields["CreateDate"]))


def minted_access_key(fields: Fields) -> MintedAccessKey:
    """Read an AccessKey, which holds the secret."""
    return MintedAccessKey(fields["AccessKeyId"], Secret(fields["SecretAccessKey"]), in_utc(fields["CreateDate"]))


def login_profile(fields: Fields) -> LoginProfileRecord:
    """Read a LoginProfile."""
    return LoginProfileRecord(in_utc(fields["CreateDate"]), fields.get("PasswordResetRequired", False))


def mfa_device(fields: Fields) -> MfaDeviceRecord:
    """Read an MFADevice."""
    return MfaDeviceRecord(fields["SerialNumber"], in_utc(fields["EnableDate"]))


def minted_mfa_device(fields: Fields) -> MintedMfaDevice:
    """Read a VirtualMFADevice, which holds the seed: boto3 gives it and the image as bytes."""
    # "replace": a decoding error would carry the seed along.
    seed = fields["Base32StringSeed"].decode("ascii", "replace")
    image = base64.b64encode(fields["QRCodePNG"]).decode("ascii")
    return MintedMfaDevice(fields["SerialNumber"], Secret(seed), Secret(image))


def virtual_mfa_device(fields: Fields) -> VirtualMfaDeviceRecord:
    """Read a VirtualMFADevice of a listing; the root is a user without a name."""
    user_name = fields["User"].get("UserName", _ROOT) if "User" in fields else None
    return VirtualMfaDeviceRecord(fields["SerialNumber"], user_name)


def attached_policy(fields: Fields) -> AttachedPolicyRecord:
    """Read an AttachedPolicy."""
    return AttachedPolicyRecord(fields["PolicyName"], fields["PolicyArn"])


def group(fields: Fields) -> GroupRecord:
    """Read a Group."""
    return GroupRecord(fields["GroupName"], fields["Arn"])


def group_details(
    fields: Fields,
    attached: Iterable[Fields] = (),
    inline_names: Iterable[str] = (),
    members: Iterable[Fields] = (),
) -> GroupDetails:
    """Read a Group, with what was listed of it."""
    return GroupDetails(
        group_name=fields["GroupName"],
        group_id=fields["GroupId"],
        arn=fields["Arn"],
        path=fields["Path"],
        created_at=in_utc(fields["CreateDate"]),
        attached_policies=tuple(attached_policy(policy) for policy in attached),
        inline_policy_names=tuple(inline_names),
        member_names=tuple(member["UserName"] for member in members),
    )


def group_detail(fields: Fields) -> GroupDetails:
    """Read a GroupDetail of GetAccountAuthorizationDetails, which holds policies and no members."""
    inline_names = (policy["PolicyName"] for policy in fields.get("GroupPolicyList", []))
    return group_details(fields, fields.get("AttachedManagedPolicies", []), inline_names)


def policy(fields: Fields) -> PolicyRecord:
    """Read a Policy."""
    return PolicyRecord(fields["PolicyName"], fields["Arn"], fields["IsAttachable"], fields["DefaultVersionId"])


def policy_details(fields: Fields) -> PolicyDetails:
    """Read a Policy with everything that the answer says of it."""
    return PolicyDetails(
        policy_name=fields["PolicyName"],
        policy_id=fields["PolicyId"],
        arn=fields["Arn"],
        path=fields["Path"],
        default_version_id=fields["DefaultVersionId"],
        attachment_count=fields.get("AttachmentCount", 0),
        boundary_usage_count=fields.get("PermissionsBoundaryUsageCount", 0),
        created_at=in_utc(fields["CreateDate"]),
        updated_at=in_utc(fields["UpdateDate"]),
        description=fields.get("Description", ""),
        tags=tags(fields),
    )


def policy_usage(attached: Iterable[Fields], bounding: Iterable[Fields]) -> PolicyUsage:
    """Read the pages of two ListEntitiesForPolicy: for permissions, and as a boundary. No group has a boundary."""
    attached, bounding = list(attached), list(bounding)
    return PolicyUsage(
        users=_names(attached, "PolicyUsers", "UserName"),
        groups=_names(attached, "PolicyGroups", "GroupName"),
        roles=_names(attached, "PolicyRoles", "RoleName"),
        bounded_users=_names(bounding, "PolicyUsers", "UserName"),
        bounded_roles=_names(bounding, "PolicyRoles", "RoleName"),
    )


def password_policy(fields: Fields) -> PasswordPolicy:
    """Read a PasswordPolicy; an age counts only where passwords expire."""
    expires = fields.get("ExpirePasswords", False)
    return PasswordPolicy(
        minimum_length=fields.get("MinimumPasswordLength", _MINIMUM_LENGTH_IF_LEFT_OUT),
        require_lowercase=fields.get("RequireLowercaseCharacters", False),
        require_uppercase=fields.get("RequireUppercaseCharacters", False),
        require_numbers=fields.get("RequireNumbers", False),
        require_symbols=fields.get("RequireSymbols", False),
        allow_users_to_change=fields.get("AllowUsersToChangePassword", False),
        maximum_age_days=fields.get("MaxPasswordAge", 0) if expires else 0,
        hard_expiry=fields.get("HardExpiry", False),
        reuse_prevention=fields.get("PasswordReusePrevention", 0),
    )


def document(decoded: object) -> str:
    """Return a policy document as compact JSON; boto3 has decoded it, unless it is no JSON."""
    return decoded if isinstance(decoded, str) else json.dumps(decoded, separators=(",", ":"), ensure_ascii=False)


def in_utc(moment: datetime) -> datetime:
    """Bring boto3's local time to UTC."""
    return moment.astimezone(UTC)


def tags(fields: Fields) -> Mapping[str, str]:
    """Read Tags; none where the answer has none."""
    return {tag["Key"]: tag["Value"] for tag in fields.get("Tags", [])}


def _names(pages: Iterable[Fields], result_key: str, name: str) -> tuple[str, ...]:
    return tuple(entity[name] for page in pages for entity in page.get(result_key, []))
