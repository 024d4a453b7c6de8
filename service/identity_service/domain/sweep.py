"""What an account holds of this service's making and the store does not vouch for, and what to do about each thing.

Needed after the store was lost or restored from an old backup. Nothing here decides: a finding shows what a person
needs to tell the good from the half-made, and names the command that comes next.
"""

import enum
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from identity_service.domain import tags
from identity_service.domain.entities import (
    AccessKeyRecord,
    PolicyDetails,
    UserRecord,
    UserSnapshot,
    VirtualMfaDeviceRecord,
)

IDENTITYCTL = "identityctl "
RECENT = timedelta(hours=1)
"""What is younger may have been in the making when the store was lost."""


class FindingKind(enum.StrEnum):
    """What a finding is about."""

    REQUEST = "request"
    USER = "user"
    ACCESS_KEY = "access-key"
    MFA_DEVICE = "mfa-device"
    POLICY = "policy"


class Doubt(enum.StrEnum):
    """Why the store does not vouch for something that bears a row's tag."""

    UNKNOWN = "the store knows no request that made it"
    FAILED = "the request that made it failed"


@dataclass(frozen=True)
class Finding:
    """One thing to look at: the name of a user or policy, or a request's target; IAM's id of it, or the request's row.

    `signs` tell why it may be half-made; without any it looks complete. `created_at` is None where IAM does not tell.
    `account_id` is that of what was swept.
    """

    kind: FindingKind
    name: str
    identifier: str
    owner_team: str
    created_at: datetime | None
    why: str
    signs: tuple[str, ...]
    advice: str
    command: str
    account_id: str = ""


def is_ours(its_tags: Mapping[str, str]) -> bool:
    """Tell whether tags are those of something that this service has made or was given."""
    return tags.ROW in its_tags or tags.OWNER in its_tags


def of_user(snapshot: UserSnapshot, doubt: Doubt, now: datetime) -> Finding:
    """Describe a user that the store does not vouch for."""
    user = snapshot.user
    signs = []
    if not (snapshot.groups or snapshot.attached_policies or snapshot.inline_policies):
        signs.append("no group and no policy")
    if not (snapshot.access_keys or snapshot.login_profile):
        signs.append("no credentials")
    signs += _youth(user.created_at, now)
    return Finding(
        kind=FindingKind.USER,
        name=user.user_name,
        identifier=user.user_id,
        owner_team=tags.owner_of(user.tags),
        created_at=user.created_at,
        why=f"{doubt}; it has {_possessions(snapshot)}",
        signs=tuple(signs),
        advice="if its caller was told nothing of it, delete it and provision it anew"
        if signs
        else "it looks complete; keep it if its team has its credentials",
        command=_with_name("identityctl delete" if signs else "identityctl get", user.user_name),
    )


def of_access_key(user: UserRecord, key: AccessKeyRecord, now: datetime) -> Finding:
    """Describe an access key that no request of the store has made, and that no request has found there."""
    signs = [] if key.last_used_at else ["never used"]
    signs += _youth(key.created_at, now)
    words = f"--access-key-id={key.access_key_id}"
    return Finding(
        kind=FindingKind.ACCESS_KEY,
        name=user.user_name,
        identifier=key.access_key_id,
        owner_team=tags.owner_of(user.tags),
        created_at=key.created_at,
        why="the store knows no request that made it; "
        + (f"last used {key.last_used_at:%Y-%m-%dT%H:%MZ}" if key.last_used_at else "IAM knows of no use"),
        signs=tuple(signs),
        advice="somebody uses it: keep it" if key.last_used_at else "if nobody has its secret, delete it",
        command=f"aws iam get-access-key-last-used {words}"
        if key.last_used_at
        else f"aws iam delete-access-key {shlex.quote(f'--user-name={user.user_name}')} {words}",
    )


def of_mfa_device(device: VirtualMfaDeviceRecord, doubt: Doubt) -> Finding:
    """Describe a virtual MFA device that the store does not vouch for."""
    user_name = device.user_name or tags.user_of(device.tags)
    return Finding(
        kind=FindingKind.MFA_DEVICE,
        name=user_name,
        identifier=device.serial_number,
        owner_team=tags.owner_of(device.tags),
        created_at=None,
        why=f"{doubt}; it is {'pending' if device.is_pending else 'enabled'}",
        signs=("pending",) if device.is_pending else (),
        advice="if nobody has its seed, delete it" if device.is_pending else "it is enabled: keep it",
        command=f"{_with_name('identityctl mfa delete', user_name)} {shlex.quote(device.serial_number)}"
        if device.is_pending
        else _with_name("identityctl get", user_name),
    )


def of_policy(policy: PolicyDetails, doubt: Doubt, now: datetime) -> Finding:
    """Describe a managed policy that the store does not vouch for."""
    used = policy.attachment_count + policy.boundary_usage_count
    return Finding(
        kind=FindingKind.POLICY,
        name=policy.policy_name,
        identifier=policy.arn,
        owner_team=tags.owner_of(policy.tags),
        created_at=policy.created_at,
        why=f"{doubt}; it is {f'in use {used} times' if used else 'not in use'}",
        signs=(*(() if used else ("not in use",)), *_youth(policy.created_at, now)),
        advice="it is in use: keep it" if used else "if nobody needs it, delete it",
        command=shlex.join(
            ("aws", "iam", "list-entities-for-policy", "--policy-arn", policy.arn)
            if used
            else ("identityctl", "policies", "delete", policy.arn)
        ),
    )


def in_account(found: Finding, account_id: str, *, one_of_several: bool) -> Finding:
    """Say in which account something was found; the command says so too where there are several."""
    command = found.command
    if one_of_several and command.startswith(IDENTITYCTL):
        command = f"{IDENTITYCTL}--account {account_id} {command.removeprefix(IDENTITYCTL)}"
    return replace(found, account_id=account_id, command=command)


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Sort: unfinished requests, then the rest, what has the most signs of being half-made first; then by name."""
    return tuple(
        sorted(
            findings,
            key=lambda found: (
                found.kind is not FindingKind.REQUEST,
                -len(found.signs),
                found.name.casefold(),
                list(FindingKind).index(found.kind),
                found.identifier,
            ),
        )
    )


def _youth(created_at: datetime, now: datetime) -> tuple[str, ...]:
    return ("made within the last hour",) if created_at > now - RECENT else ()


def _possessions(snapshot: UserSnapshot) -> str:
    counts = (
        (len(snapshot.groups), "group"),
        (len(snapshot.attached_policies), "attached policy"),
        (len(snapshot.inline_policies), "inline policy"),
        (len(snapshot.access_keys), "access key"),
        (int(snapshot.login_profile is not None), "console password"),
        (len(snapshot.mfa_devices), "MFA device"),
    )
    return ", ".join(f"{count} x {what}" for count, what in counts if count) or "nothing"


def _with_name(command: str, name: str) -> str:
    # A name of IAM may begin with a hyphen.
    return f"{command} {'-- ' if name.startswith('-') else ''}{shlex.quote(name)}"
