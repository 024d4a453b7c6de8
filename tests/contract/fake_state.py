"""What the fake account holds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from identity_service.domain.entities import (
    AccessKeyRecord,
    GroupRecord,
    LoginProfileRecord,
    MfaDeviceRecord,
    PolicyRecord,
    UserRecord,
)
from identity_service.domain.errors import IamError
from tests.contract.fake_rules import now, unique_id

ALLOW_NOTHING = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}'


@dataclass
class UserState:
    """A user and what hangs on it."""

    record: UserRecord
    login_profile: LoginProfileRecord | None = None
    access_keys: list[AccessKeyRecord] = field(default_factory=list)
    group_keys: set[str] = field(default_factory=set)
    attached: set[str] = field(default_factory=set)
    inline: dict[str, str] = field(default_factory=dict)
    mfa_devices: list[MfaDeviceRecord] = field(default_factory=list)
    certificates: list[str] = field(default_factory=list)
    ssh_keys: list[str] = field(default_factory=list)
    service_credentials: list[str] = field(default_factory=list)


@dataclass
class GroupState:
    """A group and its policies; who is a member is written at the user."""

    record: GroupRecord
    path: str
    attached: set[str] = field(default_factory=set)
    inline: dict[str, str] = field(default_factory=dict)
    group_id: str = field(default_factory=lambda: unique_id("AGPA", 21))
    created_at: datetime = field(default_factory=now)


@dataclass
class RoleState:
    """A role, as far as it uses policies."""

    role_name: str
    attached: set[str]
    boundary_arn: str | None


@dataclass
class PolicyState:
    """A managed policy; `old_versions` are the ids of those that are not the default one."""

    record: PolicyRecord
    path: str
    document: str
    description: str
    tags: Mapping[str, str]
    old_versions: list[str] = field(default_factory=list)
    policy_id: str = field(default_factory=lambda: unique_id("ANPA", 21))
    created_at: datetime = field(default_factory=now)


@dataclass
class Fault:
    """A planted failure."""

    action: str
    error: IamError
    after_effect: bool
    times: int
