"""What clients ask for, drawn from a seed, and what the account has to look like afterwards."""

import enum
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from identity_client import AsyncIdentityClient

TEAM = "try-out"
GROUPS = ("Developers", "Operators")
POLICIES = ("Deploy", "Observe")
BOUNDARY = "Boundary"
ACCOUNT_ID = "123456789012"
DOCUMENT: Mapping[str, object] = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["s3:*", "iam:ChangePassword"], "Resource": "*"}],
}


def policy_arn(name: str) -> str:
    """Name a policy of the account. By a mere name, each new server would read the 1,500 of AWS first."""
    return f"arn:aws:iam::{ACCOUNT_ID}:policy/{name}"


class Kind(enum.StrEnum):
    """What is asked about a user."""

    PERSON = "person"
    """A new user with everything: path, tags, boundary, groups, policies, password, access key, MFA device."""
    ROBOT = "robot"
    """A new user with an access key."""
    CREDENTIALS = "credentials"
    """An access key and a password for a user that is there, and has a key of somebody else's."""
    KEY = "key"
    """An access key for a user that is there and has none."""
    DEVICE = "device"
    """A virtual MFA device for a user that is there."""
    PERMISSIONS = "permissions"
    """Groups, policies and a boundary for a user that is there."""
    REVOCATION = "revocation"
    """The end of a group and a policy of a user that is there."""
    DELETION = "deletion"
    """The end of a user that is there."""
    UNBOUNDED = "unbounded"
    """A new user whose boundary IAM loses: it must not come to be."""
    TAKEN = "taken"
    """A new user of a name that somebody else's user has: that one must stay as it is."""
    KEY_AGAIN = "key-again"
    """An access key for a user that is there, and then by another request a second one."""
    PASSWORD_AGAIN = "password-again"
    """A password for a user that is there; others end its console access and set a password anew."""
    GRANT_AGAIN = "grant-again"
    """The end of a group and a policy of a user that is there, and then by another request both again."""


AGAIN = frozenset({Kind.KEY_AGAIN, Kind.PASSWORD_AGAIN, Kind.GRANT_AGAIN})
"""What is asked in several requests about the same user, each after the answer to the one before."""
THERE_BEFORE = AGAIN | {
    Kind.CREDENTIALS,
    Kind.KEY,
    Kind.DEVICE,
    Kind.PERMISSIONS,
    Kind.REVOCATION,
    Kind.DELETION,
    Kind.TAKEN,
}
"""What is asked about users that the harness itself makes first."""
REFUSALS: Mapping[Kind, str] = {Kind.UNBOUNDED: "BOUNDARY_NOT_KEPT", Kind.TAKEN: "USER_ALREADY_EXISTS"}
"""With which reason a wish has to be refused."""
WEIGHTS: Mapping[Kind, int] = {
    Kind.PERSON: 5,
    Kind.ROBOT: 4,
    Kind.CREDENTIALS: 2,
    Kind.KEY: 4,
    Kind.DEVICE: 2,
    Kind.PERMISSIONS: 2,
    Kind.REVOCATION: 1,
    Kind.DELETION: 2,
    Kind.UNBOUNDED: 1,
    Kind.TAKEN: 1,
    Kind.KEY_AGAIN: 2,
    Kind.PASSWORD_AGAIN: 2,
    Kind.GRANT_AGAIN: 2,
}


@dataclass(frozen=True)
class Expected:
    """How a user has to look; names of policies stand for their ARNs."""

    path: str = "/"
    tags: Mapping[str, str] = field(default_factory=dict)
    boundary: str = ""
    groups: frozenset[str] = frozenset()
    policies: frozenset[str] = frozenset()
    inline: frozenset[str] = frozenset()
    access_keys: int = 0
    password: bool = False
    mfa_device: bool = False

    @property
    def has_secrets(self) -> bool:
        """Whether its user gets secrets."""
        return bool(self.access_keys) or self.password or self.mfa_device


@dataclass(frozen=True)
class Wish:
    """One request about one user; `expected` is None where no user may be left.

    `method` is the client's; `then` is what is asked about the same user once this is granted.
    """

    kind: Kind
    user_name: str
    request_id: str
    sealed: bool
    expected: Expected | None
    method: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    then: "Wish | None" = None

    @property
    def refusal(self) -> str:
        """The reason that it has to be refused with; empty if it has to be granted."""
        return REFUSALS.get(self.kind, "")

    @property
    def makes_secrets(self) -> bool:
        """Whether its answer holds secrets."""
        return self.expected is not None and self.expected.has_secrets

    async def ask(self, client: AsyncIdentityClient, **more: Any) -> Any:
        """Send it."""
        asked = {**self.arguments, **more, "request_id": self.request_id}
        return await getattr(client, self.method)(self.user_name, **asked)

    def may_be_asked_anew(self, reason: str) -> bool:
        """Tell whether a refusal passes: a late key of the request before takes the second one's place for a while."""
        return self.kind is Kind.KEY_AGAIN and reason == "QUOTA_EXCEEDED"

    def anew(self) -> "Wish":
        """Ask the same by a request of its own."""
        return replace(self, request_id=str(uuid.uuid5(uuid.UUID(self.request_id), "anew")))

    def __str__(self) -> str:
        return f"{self.kind} {self.user_name}{' sealed' if self.sealed else ''}"


_METHODS: Mapping[Kind, str] = {
    Kind.PERSON: "provision_user",
    Kind.ROBOT: "provision_user",
    Kind.UNBOUNDED: "provision_user",
    Kind.TAKEN: "provision_user",
    Kind.CREDENTIALS: "create_credentials",
    Kind.KEY: "create_credentials",
    Kind.DEVICE: "create_mfa_device",
    Kind.PERMISSIONS: "assign_permissions",
    Kind.REVOCATION: "revoke_permissions",
    Kind.DELETION: "delete_user",
    Kind.KEY_AGAIN: "create_credentials",
    Kind.PASSWORD_AGAIN: "create_credentials",
    Kind.GRANT_AGAIN: "revoke_permissions",
}
"""What asks for a wish, or begins to."""


def draw(
    chance: Random, number: int, count: int, recipients: Sequence[str], *, always_sealed: bool = False
) -> tuple[Wish, ...]:
    """Draw the wishes of a run: half of them, or all, name the recipients."""
    kinds = chance.choices(list(WEIGHTS), weights=list(WEIGHTS.values()), k=count)
    return tuple(
        make(kind, chance, f"r{number}-{kind}-{place}", recipients if chance.random() < 0.5 or always_sealed else ())
        for place, kind in enumerate(kinds)
    )


def make(kind: Kind, chance: Random, user_name: str, recipients: Sequence[str] = ()) -> Wish:
    """Make a wish of a kind, with those that follow it; what makes no secrets is never sealed."""
    wish: Wish | None = None
    for method, (arguments, expected) in reversed(((_METHODS[kind], _MAKERS[kind]()), *_NEXT.get(kind, ()))):
        sealed = bool(recipients) and expected is not None and expected.has_secrets
        if sealed:
            arguments = {**arguments, "recipients": list(recipients)}
        request_id = str(uuid.UUID(int=chance.getrandbits(128), version=4))
        wish = Wish(kind, user_name, request_id, sealed, expected, method, arguments, wish)
    assert wish is not None  # there is a maker for every kind
    return wish


def without_credentials(wish: Wish) -> Wish:
    """Ask for the same user without anything secret, as an operation without recipients has to."""
    arguments = {name: value for name, value in wish.arguments.items() if name not in _CREDENTIALS}
    expected = wish.expected and replace(wish.expected, access_keys=0, password=False, mfa_device=False)
    return replace(wish, sealed=False, expected=expected, arguments=arguments)


_CREDENTIALS = frozenset({"access_key", "console_password", "mfa_device", "recipients"})
Made = tuple[dict[str, Any], Expected | None]


def _person() -> Made:
    arguments = {
        "path": "/people/",
        "tags": {"cost-center": "4711"},
        "groups": list(GROUPS),
        "policies": [policy_arn(name) for name in POLICIES],
        "inline_policies": {"read": json.dumps(DOCUMENT)},
        "boundary": policy_arn(BOUNDARY),
        "access_key": True,
        "console_password": True,
        "mfa_device": True,
    }
    expected = Expected(
        path="/people/",
        tags={"cost-center": "4711"},
        boundary=BOUNDARY,
        groups=frozenset(GROUPS),
        policies=frozenset(POLICIES),
        inline=frozenset({"read"}),
        access_keys=1,
        password=True,
        mfa_device=True,
    )
    return arguments, expected


def _robot() -> Made:
    arguments = {"path": "/machines/", "groups": [GROUPS[0]], "access_key": True}
    return arguments, Expected(path="/machines/", groups=frozenset({GROUPS[0]}), access_keys=1)


def _unbounded() -> Made:
    return {"boundary": policy_arn(BOUNDARY), "access_key": True}, None


def _taken() -> Made:
    return {"groups": [GROUPS[0]], "access_key": True}, Expected()


def _credentials() -> Made:
    return {"access_key": True, "console_password": True}, Expected(access_keys=1, password=True)


def _key() -> Made:
    return {"access_key": True}, Expected(access_keys=1)


def _device() -> Made:
    return {}, Expected(mfa_device=True)


def _permissions() -> Made:
    arguments = {"groups": [GROUPS[0]], "policies": [policy_arn(POLICIES[0])], "boundary": policy_arn(BOUNDARY)}
    expected = Expected(boundary=BOUNDARY, groups=frozenset({GROUPS[0]}), policies=frozenset({POLICIES[0]}))
    return arguments, expected


def _revocation() -> Made:
    arguments = {"groups": [GROUPS[0]], "policies": [policy_arn(POLICIES[0])]}
    return arguments, Expected(groups=frozenset({GROUPS[1]}), policies=frozenset({POLICIES[1]}))


def _deletion() -> Made:
    return {}, None


def _password() -> Made:
    return {"console_password": True}, Expected(password=True)


def _no_password() -> Made:
    return {}, Expected()


def _second_key() -> Made:
    return {"access_key": True}, Expected(access_keys=2)


def _grant_again() -> Made:
    arguments, _ = _revocation()
    return arguments, Expected(groups=frozenset(GROUPS), policies=frozenset(POLICIES))


_MAKERS: Mapping[Kind, Callable[[], Made]] = {
    Kind.PERSON: _person,
    Kind.ROBOT: _robot,
    Kind.UNBOUNDED: _unbounded,
    Kind.TAKEN: _taken,
    Kind.CREDENTIALS: _credentials,
    Kind.KEY: _key,
    Kind.DEVICE: _device,
    Kind.PERMISSIONS: _permissions,
    Kind.REVOCATION: _revocation,
    Kind.DELETION: _deletion,
    Kind.KEY_AGAIN: _key,
    Kind.PASSWORD_AGAIN: _password,
    Kind.GRANT_AGAIN: _revocation,
}
_NEXT: Mapping[Kind, Sequence[tuple[str, Made]]] = {
    Kind.KEY_AGAIN: (("create_credentials", _second_key()),),
    Kind.PASSWORD_AGAIN: (("disable_console_access", _no_password()), ("create_credentials", _password())),
    Kind.GRANT_AGAIN: (("assign_permissions", _grant_again()),),
}
"""What asks for the wishes that follow the first one of a kind."""
