"""What can go wrong, in this service's own terms.

    Exception
    ├── IdentityError      what a caller is told: a reason, words for people, typed details
    └── IamError           what IAM answered to one call, before anybody knows what it means for the request

`Reason` is the enum of the contract (`error.proto`) without its prefix; a test holds the two together.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field


class Reason(enum.Enum):
    """Why a call failed; the words and the gRPC status of each stand in `error.proto`."""

    INVALID_FIELD = enum.auto()
    MALFORMED_POLICY_DOCUMENT = enum.auto()
    PASSWORD_POLICY_VIOLATION = enum.auto()
    NOT_BUILT_YET = enum.auto()
    CALLER_UNKNOWN = enum.auto()
    CALLER_NOT_ALLOWED = enum.auto()
    NOT_OWNER = enum.auto()
    ACCOUNT_NOT_FOUND = enum.auto()
    USER_NOT_FOUND = enum.auto()
    GROUP_NOT_FOUND = enum.auto()
    POLICY_NOT_FOUND = enum.auto()
    POLICY_AMBIGUOUS = enum.auto()
    POLICY_NOT_ATTACHABLE = enum.auto()
    USER_ALREADY_EXISTS = enum.auto()
    PASSWORD_ALREADY_EXISTS = enum.auto()
    QUOTA_EXCEEDED = enum.auto()
    PLAN_CHANGED = enum.auto()
    REQUEST_ID_REUSED = enum.auto()
    IN_PROGRESS = enum.auto()
    CONFLICT = enum.auto()
    THROTTLED = enum.auto()
    AWS_UNAVAILABLE = enum.auto()
    AWS_CREDENTIALS_REFUSED = enum.auto()
    AWS_ACCESS_DENIED = enum.auto()
    BOUNDARY_NOT_KEPT = enum.auto()
    STORE_UNAVAILABLE = enum.auto()
    SHUTTING_DOWN = enum.auto()
    DEADLINE_EXCEEDED = enum.auto()
    INTERNAL = enum.auto()
    INVALID_MFA_CODE = enum.auto()
    IN_USE = enum.auto()
    CREDENTIAL_USED = enum.auto()
    OPERATION_NOT_FOUND = enum.auto()
    ACCESS_KEY_NOT_FOUND = enum.auto()
    MFA_DEVICE_NOT_FOUND = enum.auto()
    OVERLOADED = enum.auto()
    GROUP_ALREADY_EXISTS = enum.auto()
    POLICY_ALREADY_EXISTS = enum.auto()
    UNDO_INCOMPLETE = enum.auto()
    INTERRUPTED = enum.auto()
    WRONG_STATE = enum.auto()


ANSWER_LOST: Mapping[str, str] = {"answer_lost": "true"}
"""Metadata of an error that leaves the request to somebody else: it may be done, and nobody is told its secrets."""

TRANSIENT = frozenset(
    {
        Reason.THROTTLED,
        Reason.AWS_UNAVAILABLE,
        Reason.CONFLICT,
        Reason.STORE_UNAVAILABLE,
        Reason.SHUTTING_DOWN,
        Reason.IN_PROGRESS,
        Reason.OVERLOADED,
        Reason.INTERRUPTED,
    }
)
"""Reasons that may be gone when the same request comes again."""


@dataclass(frozen=True)
class FieldViolation:
    """A field of the request, as a path such as `user.tags[0].key`, and what is wrong with it."""

    field: str
    message: str


@dataclass(frozen=True)
class QuotaViolation:
    """An IAM quota, as GetAccountSummary names it, that a request would exceed."""

    quota_name: str
    used: int
    needed: int
    limit: int


@dataclass(frozen=True)
class Resource:
    """The thing that a failure is about: its type, such as `iam:Group`, and its name or ARN."""

    type: str
    name: str


@dataclass(eq=False)
class IdentityError(Exception):
    """What a caller is told. Holds no secret, and no text that AWS or a library wrote.

    `message` is for people, `metadata` holds the dynamic values for programs, `retry_after` is in seconds.
    """

    reason: Reason
    message: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    field_violations: tuple[FieldViolation, ...] = ()
    quota_violations: tuple[QuotaViolation, ...] = ()
    resource: Resource | None = None
    retry_after: float | None = None

    def __str__(self) -> str:
        return f"{self.reason.name}: {self.message}"

    @property
    def transient(self) -> bool:
        """Whether the same request may work later."""
        return self.reason in TRANSIENT


class IamErrorKind(enum.Enum):
    """What IAM's refusal of one call amounts to."""

    NOT_FOUND = enum.auto()
    ALREADY_EXISTS = enum.auto()
    LIMIT_EXCEEDED = enum.auto()
    IN_USE = enum.auto()
    """DeleteConflict: something still hangs on the entity."""
    BUSY = enum.auto()
    """EntityTemporarilyUnmodifiable, ConcurrentModification: right away it does not work, later it does."""
    INVALID_INPUT = enum.auto()
    MALFORMED_DOCUMENT = enum.auto()
    PASSWORD_REFUSED = enum.auto()
    NOT_ATTACHABLE = enum.auto()
    WRONG_CODE = enum.auto()
    """InvalidAuthenticationCode of an MFA device."""
    ACCESS_DENIED = enum.auto()
    CREDENTIALS_REFUSED = enum.auto()
    THROTTLED = enum.auto()
    UNAVAILABLE = enum.auto()
    """No answer, 5xx, or an answer out of form."""


@dataclass(eq=False)
class IamError(Exception):
    """IAM's refusal of one call.

    `action` is the IAM action such as `iam:CreateUser`, `code` AWS's error code ("" if there was no answer),
    `request_id` AWS's id of the request ("" if there was no answer). `outcome_unknown` is true where the call may
    have been carried out all the same: a lost answer, a timeout, a 5xx.
    """

    kind: IamErrorKind
    action: str
    code: str = ""
    http_status: int = 0
    request_id: str = ""
    outcome_unknown: bool = False

    def __str__(self) -> str:
        return f"{self.action}: {self.kind.name} ({self.code or 'no answer'})"
