"""What a caller asks for, in the service's own terms."""

from dataclasses import dataclass, field

from identity_service.domain.secret import Secret
from identity_service.domain.tags import Tag


@dataclass(frozen=True)
class NewUser:
    """A user to be made."""

    path: str = "/"
    tags: tuple[Tag, ...] = ()


@dataclass(frozen=True)
class ConsolePassword:
    """A console password to be made: the caller's own, or a generated one if `custom` is None."""

    custom: Secret | None = None
    require_reset: bool = False


@dataclass(frozen=True)
class Credentials:
    """The credentials to be made."""

    access_key: bool = False
    console_password: ConsolePassword | None = None


@dataclass(frozen=True)
class InlinePolicy:
    """An inline policy to be put on the user."""

    policy_name: str
    document: str


@dataclass(frozen=True)
class Permissions:
    """The permissions to be given: groups by name, managed policies and the boundary by ARN or name."""

    group_names: tuple[str, ...] = ()
    managed_policies: tuple[str, ...] = ()
    inline_policies: tuple[InlinePolicy, ...] = ()
    boundary: str | None = None


@dataclass(frozen=True)
class RequestFields:
    """Where the parts stand in the caller's message, so that a problem can name its field."""

    user_name: str = "user_name"
    path: str = "path"
    tags: str = "tags"
    boundary: str = "permissions_boundary"
    permissions: str = "permissions"
    credentials: str = "credentials"


@dataclass(frozen=True)
class UserChange:
    """A change of one user: the one request behind ProvisionUser, CreateUser, CreateCredentials, AssignPermissions.

    `new_user` is None where the user has to be there already.
    """

    user_name: str
    new_user: NewUser | None = None
    credentials: Credentials = field(default_factory=Credentials)
    permissions: Permissions = field(default_factory=Permissions)
    fields: RequestFields = field(default_factory=RequestFields)


@dataclass(frozen=True)
class UserDeletion:
    """A deletion of one user with everything on it."""

    user_name: str


@dataclass(frozen=True)
class Mutation:
    """What every mutation brings: the RPC's name, the account ("" for the only one), and how to run it.

    `request_id` is a UUID in canonical form; an empty `expected_plan_digest` expects nothing.
    """

    action: str
    account_id: str
    request_id: str
    validate_only: bool
    expected_plan_digest: str
    body: UserChange | UserDeletion

    @property
    def creates_user(self) -> bool:
        """Whether the user must not be there yet."""
        return isinstance(self.body, UserChange) and self.body.new_user is not None
