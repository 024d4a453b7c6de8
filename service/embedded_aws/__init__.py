"""A strict AWS account, IAM and STS, in one process: `EmbeddedAws` starts it, `Fault` disturbs it."""

from embedded_aws.faults import (
    AnswerError,
    AnswerHtml,
    CloseConnection,
    Delay,
    DropParameter,
    Effect,
    Fault,
    Hold,
    LoseReply,
    throttled,
)
from embedded_aws.process import EmbeddedAws, EmbeddedAwsError
from embedded_aws.records import RecordedCall
from embedded_aws.totp import consecutive_codes

__all__ = [
    "AnswerError",
    "AnswerHtml",
    "CloseConnection",
    "Delay",
    "DropParameter",
    "Effect",
    "EmbeddedAws",
    "EmbeddedAwsError",
    "Fault",
    "Hold",
    "LoseReply",
    "RecordedCall",
    "consecutive_codes",
    "throttled",
]
