"""The one account: moto's storage, and what moto has no place for."""

from __future__ import annotations

import copy
import secrets
import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from threading import RLock
from typing import Any, TypeVar

from moto.iam.models import (
    AccessKey,
    AWSManagedPolicy,
    Group,
    IAMBackend,
    ManagedPolicy,
    Role,
    User,
    iam_backends,
)
from moto.sts.models import STSBackend, sts_backends
from moto.utilities.tagging_service import TaggingService

from embedded_aws.clock import Clock
from embedded_aws.errors import no_such_entity
from embedded_aws.history import History
from embedded_aws.name_table import NameTable
from embedded_aws.process import DEFAULT_PARTITION, REGIONS
from embedded_aws.quotas import Quotas

SIGNATURE_VALIDITY = 900.0
_T = TypeVar("_T")
_ID_ALPHABET = string.ascii_uppercase + "234567"


def unique_id(prefix: str, length: int = 21) -> str:
    """An id as IAM makes them: a prefix that tells the kind, then random capitals and digits."""
    return prefix + "".join(secrets.choice(_ID_ALPHABET) for _ in range(length - len(prefix)))


@dataclass(frozen=True, slots=True)
class Credentials:
    """An access key with its secret."""

    access_key_id: str
    secret_access_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Session:
    """Temporary credentials: of a role, of a user who may have shown an MFA code, or of a federated name.

    `policies` limit what the session may do; None is no limit. `mfa` is what the session knows of MFA. Those of its
    `tags` that `transitive_tags` holds as well go along when it opens another session.
    """

    credentials: Credentials
    token: str = field(repr=False)
    arn: str
    principal_id: str
    issued: datetime
    expires: datetime
    user: AccountUser | None = None
    role: Role | None = None
    federated: bool = False
    policies: list[dict[str, Any]] | None = None
    mfa: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)
    transitive_tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class KeptRole:
    """A role that outlasts a reset: its name, its inline policies, and what its one session signs with."""

    name: str
    documents: list[str]
    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)


@dataclass(slots=True)
class LoginProfile:
    """What belongs to a console password, which itself is moto's `User.password`.

    Earlier passwords are kept because the account may forbid their reuse.
    """

    create_date: datetime
    reset_required: bool
    earlier_passwords: list[str] = field(default_factory=list, repr=False)


@dataclass(slots=True)
class ServiceSpecificCredential:
    """A user name and password for one AWS service such as CodeCommit."""

    credential_id: str
    service_name: str
    service_user_name: str
    create_date: datetime
    service_password: str = field(repr=False)
    status: str = "Active"


class AccountUser(User):
    """moto's user with what it lacks: AWS's form of id, the boundary, a login profile, service passwords."""

    def __init__(self, account_id: str, region: str, name: str, path: str, create_date: datetime) -> None:
        """Make a user without permissions and credentials."""
        super().__init__(account_id, region, name, path)
        self.id = unique_id("AIDA")
        self.create_date = create_date
        self.permissions_boundary_arn: str | None = None
        self.login_profile: LoginProfile | None = None
        self.service_specific_credentials: list[ServiceSpecificCredential] = []

    @classmethod
    def create(cls, account: Account, name: str, path: str) -> AccountUser:
        """Make a user. Types see moto's users as abstract, CloudFormation being unfinished; `cls` is not."""
        return cls(account.account_id, account.region, name, path, account.now())


class Account:
    """An AWS account as the rules and answers see it. Whoever reads or changes it holds `lock`."""

    def __init__(
        self,
        account_id: str,
        *,
        partition: str = DEFAULT_PARTITION,
        access_control: bool = False,
        lock: RLock | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Open moto's storage for this account and make the administrator's key.

        Accounts that know each other share lock and clock.
        """
        self.account_id = account_id
        self.partition, self.region = partition, REGIONS[partition]
        self.lock = lock or RLock()
        self.clock = clock or Clock()
        self.history = History()
        self.sessions: dict[str, Session] = {}
        self.kept_roles: dict[str, KeptRole] = {}
        # Seconds after which a signature is too old.
        self.signature_validity = SIGNATURE_VALIDITY
        self.access_control = self._access_control_at_start = access_control
        self.administrator = Credentials(unique_id("AKIA", 20), secrets.token_urlsafe(30))
        self.quotas = Quotas()
        self.password_policy: dict[str, Any] | None = None
        self.iam: IAMBackend = iam_backends[account_id][partition]
        self.sts: STSBackend = sts_backends[account_id][partition]
        self.iam.users, self.iam.groups = NameTable(), NameTable()
        self._pristine = {name: copy.copy(value) for name, value in vars(self.iam).items()}

    def reset(self) -> None:
        """Empty the account. AWS managed policies stay: parsing them anew would take 120 ms."""
        for name, value in self._pristine.items():
            if isinstance(value, dict | list):
                setattr(self.iam, name, copy.copy(value))
        self.iam.users, self.iam.groups = NameTable(), NameTable()
        for policy in self.iam.managed_policies.values():
            policy.attachment_count = 0
        self.iam.tagger = TaggingService()
        self.iam.credential_report = None
        self.sts.assumed_roles.clear()
        self.sessions.clear()
        self.history = History()
        self.clock.restore()
        self.signature_validity = SIGNATURE_VALIDITY
        self.password_policy = None
        self.quotas.restore()
        self.access_control = self._access_control_at_start

    def now(self) -> datetime:
        """The account's time."""
        return self.clock.now()

    @property
    def root_arn(self) -> str:
        """The ARN of the account itself, which is also its administrator's."""
        return f"arn:{self.partition}:iam::{self.account_id}:root"

    def arn(self, kind: str, path: str, name: str) -> str:
        """The ARN of a thing of this account."""
        return f"arn:{self.partition}:iam::{self.account_id}:{kind}{path}{name}"

    def users(self) -> list[AccountUser]:
        """Every user."""
        return [user for user in self.iam.users.values() if isinstance(user, AccountUser)]

    def find_user(self, name: str) -> AccountUser | None:
        """The user of that name; IAM does not tell names apart by case."""
        found = _ignoring_case(self.iam.users, name)
        return found if isinstance(found, AccountUser) else None

    def user(self, name: str) -> AccountUser:
        """The user of that name, or NoSuchEntity."""
        if (user := self.find_user(name)) is None:
            raise no_such_entity(f"The user with name {name} cannot be found.")
        return user

    def find_group(self, name: str) -> Group | None:
        """The group of that name, whatever its case."""
        return _ignoring_case(self.iam.groups, name)

    def group(self, name: str) -> Group:
        """The group of that name, or NoSuchEntity."""
        if (group := self.find_group(name)) is None:
            raise no_such_entity(f"The group with name {name} cannot be found.")
        return group

    def groups_of(self, user: AccountUser) -> list[Group]:
        """The groups that a user is a member of."""
        return [group for group in self.iam.groups.values() if user in group.users]

    def memberships(self) -> dict[str, list[Group]]:
        """The groups of every user at once, by the user's id."""
        groups_of: dict[str, list[Group]] = {user.id: [] for user in self.users()}
        for group in self.iam.groups.values():
            for user in group.users:
                groups_of[user.id].append(group)
        return groups_of

    def find_role(self, name: str) -> Role | None:
        """The role of that name, whatever its case."""
        return _ignoring_case({role.name: role for role in self.iam.roles.values()}, name)

    def find_role_by_arn(self, arn: str) -> Role | None:
        """The role of that ARN."""
        return next((role for role in self.iam.roles.values() if role.arn == arn), None)

    def policy(self, arn: str) -> ManagedPolicy:
        """The managed policy of that ARN, or NoSuchEntity."""
        if (policy := self.iam.managed_policies.get(arn)) is None:
            raise no_such_entity(f"Policy {arn} was not found.")
        return policy

    def customer_policies(self) -> list[ManagedPolicy]:
        """The managed policies that are the account's own."""
        return [p for p in self.iam.managed_policies.values() if not isinstance(p, AWSManagedPolicy)]

    def access_key(self, access_key_id: str) -> AccessKey | None:
        """The access key of that id, of whichever user."""
        return self.iam.access_keys.get(access_key_id)

    def knows_key(self, access_key_id: str) -> bool:
        """Whether a key of any kind belongs, or until just now belonged, to this account."""
        return (
            access_key_id == self.administrator.access_key_id
            or access_key_id in self.iam.access_keys
            or access_key_id in self.sessions
            or access_key_id in self.history.deleted_keys
            or self.sts.get_assumed_role_from_access_key(access_key_id) is not None
        )

    def tags_of(self, user: AccountUser) -> list[dict[str, str]]:
        """A user's tags, sorted by key as IAM lists them."""
        return self.tags_on(user.arn)

    def tags_on(self, arn: str) -> list[dict[str, str]]:
        """The tags of whatever has this ARN, sorted by key."""
        tags: list[dict[str, str]] = self.iam.tagger.list_tags_for_resource(arn)["Tags"]
        return sorted(tags, key=lambda tag: tag["Key"])


def _ignoring_case(named: Mapping[str, _T], name: str) -> _T | None:
    """Look up by name; the exact spelling is the common case and needs no scan."""
    if name in named:
        return named[name]
    if isinstance(named, NameTable):
        found: _T | None = named.find(name)
        return found
    folded = name.casefold()
    return next((item for stored, item in named.items() if stored.casefold() == folded), None)


def non_white_space(documents: Iterable[str]) -> int:
    """How many characters of policy documents count against a quota."""
    return sum(len("".join(document.split())) for document in documents)
