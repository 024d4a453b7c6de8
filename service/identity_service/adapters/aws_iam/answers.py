"""From AWS's answers to this service's records."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from identity_service.domain.entities import (
    AccessKeyRecord,
    AttachedPolicyRecord,
    GroupRecord,
    LoginProfileRecord,
    MfaDeviceRecord,
    PolicyRecord,
    UserRecord,
)
from identity_service.domain.passwords import PasswordPolicy

_MINIMUM_LENGTH_IF_LEFT_OUT = 6
"""AWS, UpdateAccountPasswordPolicy: what a policy demands that names no length."""

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
        tags={tag["Key"]: tag["Value"] for tag in fields.get("Tags", [])},
        password_last_used_at=in_utc(last_used) if last_used else None,
    )


def access_key(fields: Fields) -> AccessKeyRecord:
    """Read an AccessKeyMetadata."""
    return AccessKeyRecord(fields["AccessKeyId"], fields["Status"] == "Active", in_utc(fields["CreateDate"]))


def login_profile(fields: Fields) -> LoginProfileRecord:
    """Read a LoginProfile."""
    return LoginProfileRecord(in_utc(fields["CreateDate"]), fields.get("PasswordResetRequired", False))


def mfa_device(fields: Fields) -> MfaDeviceRecord:
    """Read an MFADevice."""
    return MfaDeviceRecord(fields["SerialNumber"], in_utc(fields["EnableDate"]))


def attached_policy(fields: Fields) -> AttachedPolicyRecord:
    """Read an AttachedPolicy."""
    return AttachedPolicyRecord(fields["PolicyName"], fields["PolicyArn"])


def group(fields: Fields) -> GroupRecord:
    """Read a Group."""
    return GroupRecord(fields["GroupName"], fields["Arn"])


def policy(fields: Fields) -> PolicyRecord:
    """Read a Policy."""
    return PolicyRecord(fields["PolicyName"], fields["Arn"], fields["IsAttachable"], fields["DefaultVersionId"])


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
