"""The file of `--seed`: what an account holds at the start, made by the same rules as if it had been asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

from moto.iam.models import AccessKey
from pydantic import BaseModel, ConfigDict, Field

from embedded_aws.account import Account
from embedded_aws.errors import AwsError
from embedded_aws.service import Service
from embedded_aws.yaml_files import FileError, Place, YamlFile

Document = dict[str, Any]
_Tags = Annotated[dict[str, str], Field(default_factory=dict)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class PasswordPolicy(_Part):
    """The account's password policy."""

    minimum_length: int = 6
    require_uppercase: bool = False
    require_lowercase: bool = False
    require_numbers: bool = False
    require_symbols: bool = False
    users_may_change: bool = False
    max_age_days: int | None = None
    remember: int | None = None


class Policy(_Part):
    """A managed policy of the account's own."""

    name: str
    path: str = "/"
    description: str | None = None
    tags: _Tags
    document: Document


class _Holder(_Part):
    name: str
    path: str = "/"
    policies: list[str] = Field(default_factory=list)
    inline_policies: dict[str, Document] = Field(default_factory=dict)


class Group(_Holder):
    """A group."""


class Role(_Holder):
    """A role and whom it trusts."""

    trust: Document
    boundary: str | None = None
    tags: _Tags


class Password(_Part):
    """A console password."""

    value: str = Field(repr=False)
    must_reset: bool = False


class Key(_Part):
    """An access key that is known beforehand."""

    id: str = Field(pattern=r"^AKIA[A-Z0-9]{16}$")
    secret: str = Field(min_length=16, repr=False)


class User(_Holder):
    """A user with all that hangs on it."""

    boundary: str | None = None
    tags: _Tags
    groups: list[str] = Field(default_factory=list)
    password: Password | None = None
    access_keys: list[Key] = Field(default_factory=list)


class Seed(_Part):
    """The whole file."""

    alias: str | None = None
    password_policy: PasswordPolicy | None = None
    policies: list[Policy] = Field(default_factory=list)
    groups: list[Group] = Field(default_factory=list)
    roles: list[Role] = Field(default_factory=list)
    users: list[User] = Field(default_factory=list)


def plant_seed(service: Service, account: Account, path: Path) -> None:
    """Make everything that the file names; FileError with the line of the first thing that IAM would refuse."""
    file = YamlFile(path)
    _Planter(service, account, file).plant(file.as_(Seed))


class _Planter:
    """Plants in the order in which things need each other."""

    def __init__(self, service: Service, account: Account, file: YamlFile) -> None:
        self._service, self._account, self._file = service, account, file
        self._arns: dict[str, str] = {}

    def plant(self, seed: Seed) -> None:
        if seed.alias is not None:
            self._do(("alias",), "CreateAccountAlias", AccountAlias=seed.alias)
        if seed.password_policy is not None:
            self._plant_password_policy(seed.password_policy)
        for number, policy in enumerate(seed.policies):
            self._plant_policy(("policies", number), policy)
        for number, group in enumerate(seed.groups):
            place = ("groups", number)
            self._do(place, "CreateGroup", GroupName=group.name, Path=group.path)
            self._grant(place, "Group", group)
        for number, role in enumerate(seed.roles):
            self._plant_role(("roles", number), role)
        for number, user in enumerate(seed.users):
            self._plant_user(("users", number), user)

    def _plant_password_policy(self, policy: PasswordPolicy) -> None:
        self._do(
            ("password_policy",),
            "UpdateAccountPasswordPolicy",
            MinimumPasswordLength=policy.minimum_length,
            RequireUppercaseCharacters=policy.require_uppercase,
            RequireLowercaseCharacters=policy.require_lowercase,
            RequireNumbers=policy.require_numbers,
            RequireSymbols=policy.require_symbols,
            AllowUsersToChangePassword=policy.users_may_change,
            MaxPasswordAge=policy.max_age_days,
            PasswordReusePrevention=policy.remember,
        )

    def _plant_policy(self, place: Place, policy: Policy) -> None:
        made = self._do(
            place,
            "CreatePolicy",
            PolicyName=policy.name,
            Path=policy.path,
            Description=policy.description,
            Tags=_tags(policy.tags),
            PolicyDocument=json.dumps(policy.document),
        )
        self._arns[policy.name] = made["Policy"]["Arn"]

    def _plant_role(self, place: Place, role: Role) -> None:
        self._do(
            place,
            "CreateRole",
            RoleName=role.name,
            Path=role.path,
            AssumeRolePolicyDocument=json.dumps(role.trust),
            PermissionsBoundary=self._arn(role.boundary),
            Tags=_tags(role.tags),
        )
        self._grant(place, "Role", role)

    def _plant_user(self, place: Place, user: User) -> None:
        self._do(
            place,
            "CreateUser",
            UserName=user.name,
            Path=user.path,
            PermissionsBoundary=self._arn(user.boundary),
            Tags=_tags(user.tags),
        )
        self._grant(place, "User", user)
        for number, group in enumerate(user.groups):
            self._do((*place, "groups", number), "AddUserToGroup", GroupName=group, UserName=user.name)
        if user.password is not None:
            self._do(
                (*place, "password"),
                "CreateLoginProfile",
                UserName=user.name,
                Password=user.password.value,
                PasswordResetRequired=user.password.must_reset,
            )
        for number, key in enumerate(user.access_keys):
            self._plant_key((*place, "access_keys", number), user, key)

    def _plant_key(self, place: Place, user: User, key: Key) -> None:
        """IAM chooses ids and secrets itself, so the key is made by its rules and then given the known ones."""
        if self._account.knows_key(key.id):
            raise FileError(self._file.complaint(place, f"the key {key.id} exists already"))
        made = self._do(place, "CreateAccessKey", UserName=user.name)
        held: AccessKey = self._account.iam.access_keys.pop(made["AccessKey"]["AccessKeyId"])
        held.access_key_id, held.secret_access_key = key.id, key.secret
        self._account.iam.access_keys[key.id] = held

    def _grant(self, place: Place, kind: str, holder: _Holder) -> None:
        named = {f"{kind}Name": holder.name}
        for number, policy in enumerate(holder.policies):
            step = (*place, "policies", number)
            self._do(step, f"Attach{kind}Policy", **named, PolicyArn=self._arn(policy))
        for name, document in holder.inline_policies.items():
            step = (*place, "inline_policies", name)
            self._do(step, f"Put{kind}Policy", **named, PolicyName=name, PolicyDocument=json.dumps(document))

    def _arn(self, policy: str | None) -> str | None:
        """The ARN of a policy of this file; anything else is taken for an ARN already."""
        return None if policy is None else self._arns.get(policy, policy)

    def _do(self, place: Place, operation: str, **params: Any) -> Any:
        given = {name: value for name, value in params.items() if value not in (None, [])}
        try:
            return self._service.perform(self._account, operation, given)
        except AwsError as error:
            raise FileError(self._file.complaint(place, f"IAM refuses {operation}: {error}")) from None


def _tags(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
