"""A strict AWS account, IAM and STS, in one process: `EmbeddedAws` starts it, `Fault` disturbs it."""

from embedded_aws.faults import (
    AnswerError,
    AnswerHtml,
    CloseConnection,
    Delay,
    DropParameter,
    Effect,
    Fault,
    FreshPassword,
    Hang,
    Hold,
    KeyNotReady,
    KeyOutlivesDeletion,
    LoseReply,
    NotFoundYet,
    StaleRead,
    Throttle,
    throttled,
)
from embedded_aws.process import AdministratorKey, EmbeddedAws, EmbeddedAwsError, RoleKey
from embedded_aws.records import RecordedCall
from embedded_aws.totp import consecutive_codes, current_code

__all__ = [
    "AdministratorKey",
    "AnswerError",
    "AnswerHtml",
    "CloseConnection",
    "Delay",
    "DropParameter",
    "Effect",
    "EmbeddedAws",
    "EmbeddedAwsError",
    "Fault",
    "FreshPassword",
    "Hang",
    "Hold",
    "KeyNotReady",
    "KeyOutlivesDeletion",
    "LoseReply",
    "NotFoundYet",
    "RecordedCall",
    "RoleKey",
    "StaleRead",
    "Throttle",
    "consecutive_codes",
    "current_code",
    "throttled",
]
