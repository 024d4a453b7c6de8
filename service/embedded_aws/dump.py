"""The whole account as one JSON document in a fixed order, so that two states can be compared byte for byte.

Secrets appear as hashes. What reading changes, such as last-used dates, is left out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from moto.iam.models import Group, ManagedPolicy, Role

from embedded_aws.account import Account, AccountUser
from embedded_aws.subjects.boundaries import boundary_fields


def dump_account(account: Account) -> dict[str, Any]:
    """Everything the account holds but AWS's own policies, which cannot change."""
    iam, groups_of = account.iam, account.memberships()
    return {
        "account_id": account.account_id,
        "aliases": sorted(iam.account_aliases),
        "groups": [_group(group) for group in _by_name(iam.groups.values())],
        "instance_profiles": sorted(profile.name for profile in iam.instance_profiles.values()),
        "password_policy": account.password_policy,
        "policies": [_policy(policy) for policy in sorted(account.customer_policies(), key=lambda p: p.arn)],
        "roles": [_role(role) for role in _by_name(iam.roles.values())],
        "server_certificates": sorted(iam.certificates),
        "users": [_user(account, user, groups_of[user.id]) for user in _by_name(account.users())],
        "virtual_mfa_devices": [
            {
                "serial_number": serial,
                "user": device.user.name if device.user else None,
                "seed_sha256": _sha256(device.base32_string_seed),
                "tags": {tag["Key"]: tag["Value"] for tag in account.tags_on(serial)},
            }
            for serial, device in sorted(iam.virtual_mfa_devices.items())
        ],
    }


def _user(account: Account, user: AccountUser, groups: list[Group]) -> dict[str, Any]:
    return {
        **_identity(user),
        "access_keys": [
            {"id": key.access_key_id, "status": key.status, "secret_sha256": _sha256(key.secret_access_key)}
            for key in sorted(user.access_keys, key=lambda key: key.access_key_id)
        ],
        "attached_policies": sorted(user.managed_policies),
        "boundary": (boundary_fields(user) or {}).get("PermissionsBoundaryArn"),
        "groups": sorted(group.name for group in groups),
        "inline_policies": _sorted(user.policies),
        "login_profile": _login_profile(user),
        "mfa_devices": sorted(user.mfa_devices),
        "service_specific_credentials": [
            {
                "id": credential.credential_id,
                "service": credential.service_name,
                "status": credential.status,
                "password_sha256": _sha256(credential.service_password),
            }
            for credential in sorted(user.service_specific_credentials, key=lambda c: c.credential_id)
        ],
        "signing_certificates": {
            certificate_id: certificate.status
            for certificate_id, certificate in sorted(user.signing_certificates.items())
        },
        "ssh_public_keys": {
            key.ssh_public_key_id: key.status
            for key in sorted(user.ssh_public_keys, key=lambda key: key.ssh_public_key_id)
        },
        "tags": {tag["Key"]: tag["Value"] for tag in account.tags_of(user)},
    }


def _group(group: Group) -> dict[str, Any]:
    return {
        **_identity(group),
        "attached_policies": sorted(group.managed_policies),
        "inline_policies": _sorted(group.policies),
        "members": sorted(user.name for user in group.users),
    }


def _role(role: Role) -> dict[str, Any]:
    return {
        **_identity(role),
        "attached_policies": sorted(role.managed_policies),
        "boundary": role.permissions_boundary_arn,
        "inline_policies": _sorted(role.policies),
        "tags": {tag["Key"]: tag["Value"] for tag in sorted(role.tags, key=lambda tag: tag["Key"])},
        "trust_policy": role.assume_role_policy_document,
    }


def _policy(policy: ManagedPolicy) -> dict[str, Any]:
    return {
        "arn": policy.arn,
        "id": policy.id,
        "attachment_count": policy.attachment_count,
        "default_version": policy.default_version_id,
        "description": policy.description,
        "tags": {tag["Key"]: tag["Value"] for _, tag in sorted(policy.tags.items())},
        "versions": {version.version_id: version.document for version in policy.versions},
    }


def _login_profile(user: AccountUser) -> dict[str, Any] | None:
    profile = user.login_profile
    if profile is None:
        return None
    return {
        "created": profile.create_date.isoformat(),
        "password_sha256": _sha256(f"{user.id}:{user.password}"),
        "reset_required": profile.reset_required,
    }


def _identity(entity: AccountUser | Group | Role) -> dict[str, Any]:
    return {
        "name": entity.name,
        "path": entity.path,
        "id": entity.id,
        "created": entity.create_date.isoformat(),
    }


def _by_name(entities: Iterable[Any]) -> list[Any]:
    return sorted(entities, key=lambda entity: entity.name)


def _sorted(documents: Mapping[str, str]) -> dict[str, str]:
    return dict(sorted(documents.items()))


def _sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
