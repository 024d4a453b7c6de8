"""The error table: every row, what is not in it, and that no text of a failure gets through."""

from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    ProxyConnectionError,
    ReadTimeoutError,
    SSLError,
)
from botocore.parsers import ResponseParserError

from identity_service.adapters.aws_iam.errors import KINDS, to_iam_error
from identity_service.domain.errors import IamErrorKind

URL = "http://127.0.0.1"

ROWS: list[tuple[str, int, IamErrorKind]] = [
    ("NoSuchEntity", 404, IamErrorKind.NOT_FOUND),
    ("EntityAlreadyExists", 409, IamErrorKind.ALREADY_EXISTS),
    ("LimitExceeded", 409, IamErrorKind.LIMIT_EXCEEDED),
    ("DeleteConflict", 409, IamErrorKind.IN_USE),
    ("EntityTemporarilyUnmodifiable", 409, IamErrorKind.BUSY),
    ("ConcurrentModification", 409, IamErrorKind.BUSY),
    ("InvalidInput", 400, IamErrorKind.INVALID_INPUT),
    ("InvalidParameterCombination", 400, IamErrorKind.INVALID_INPUT),
    ("InvalidParameterValue", 400, IamErrorKind.INVALID_INPUT),
    ("MissingParameter", 400, IamErrorKind.INVALID_INPUT),
    ("ValidationError", 400, IamErrorKind.INVALID_INPUT),
    ("MalformedPolicyDocument", 400, IamErrorKind.MALFORMED_DOCUMENT),
    ("PasswordPolicyViolation", 400, IamErrorKind.PASSWORD_REFUSED),
    ("PolicyNotAttachable", 400, IamErrorKind.NOT_ATTACHABLE),
    ("UnmodifiableEntity", 400, IamErrorKind.NOT_ATTACHABLE),
    ("InvalidAuthenticationCode", 403, IamErrorKind.WRONG_CODE),
    ("AccessDenied", 403, IamErrorKind.ACCESS_DENIED),
    ("AccessDeniedException", 403, IamErrorKind.ACCESS_DENIED),
    ("UnauthorizedOperation", 403, IamErrorKind.ACCESS_DENIED),
    ("AuthFailure", 401, IamErrorKind.CREDENTIALS_REFUSED),
    ("ExpiredToken", 403, IamErrorKind.CREDENTIALS_REFUSED),
    ("ExpiredTokenException", 400, IamErrorKind.CREDENTIALS_REFUSED),
    ("IncompleteSignature", 400, IamErrorKind.CREDENTIALS_REFUSED),
    ("InvalidAccessKeyId", 403, IamErrorKind.CREDENTIALS_REFUSED),
    ("InvalidClientTokenId", 403, IamErrorKind.CREDENTIALS_REFUSED),
    ("MissingAuthenticationToken", 403, IamErrorKind.CREDENTIALS_REFUSED),
    ("RequestExpired", 400, IamErrorKind.CREDENTIALS_REFUSED),
    ("SignatureDoesNotMatch", 403, IamErrorKind.CREDENTIALS_REFUSED),
    ("UnrecognizedClient", 400, IamErrorKind.CREDENTIALS_REFUSED),
    ("UnrecognizedClientException", 400, IamErrorKind.CREDENTIALS_REFUSED),
    ("RequestLimitExceeded", 503, IamErrorKind.THROTTLED),
    ("RequestThrottled", 400, IamErrorKind.THROTTLED),
    ("RequestThrottledException", 400, IamErrorKind.THROTTLED),
    ("Throttling", 400, IamErrorKind.THROTTLED),
    ("ThrottlingException", 400, IamErrorKind.THROTTLED),
    ("TooManyRequests", 429, IamErrorKind.THROTTLED),
    ("TooManyRequestsException", 429, IamErrorKind.THROTTLED),
    ("InternalError", 500, IamErrorKind.UNAVAILABLE),
    ("InternalFailure", 500, IamErrorKind.UNAVAILABLE),
    ("ServiceFailure", 500, IamErrorKind.UNAVAILABLE),
    ("ServiceUnavailable", 503, IamErrorKind.UNAVAILABLE),
    ("ServiceUnavailableException", 503, IamErrorKind.UNAVAILABLE),
]

UNKNOWN_CODES = [
    (400, IamErrorKind.INVALID_INPUT),
    (401, IamErrorKind.CREDENTIALS_REFUSED),
    (403, IamErrorKind.ACCESS_DENIED),
    (404, IamErrorKind.NOT_FOUND),
    (409, IamErrorKind.BUSY),
    (418, IamErrorKind.INVALID_INPUT),
    (429, IamErrorKind.THROTTLED),
    (500, IamErrorKind.UNAVAILABLE),
    (502, IamErrorKind.UNAVAILABLE),
    (599, IamErrorKind.UNAVAILABLE),
]


def answered(code: str, http_status: int, operation: str = "CreateUser") -> ClientError:
    """Build the exception that boto3 raises for an error answer."""
    response: Any = {
        "Error": {"Code": code, "Message": "words that AWS may change"},
        "ResponseMetadata": {"RequestId": "request-1", "HTTPStatusCode": http_status},
    }
    return ClientError(response, operation)


def test_the_rows_below_are_all_rows() -> None:
    """No code is in the table without being tested."""
    assert {code for code, _, _ in ROWS} == set(KINDS)


@pytest.mark.parametrize(("code", "http_status", "kind"), ROWS)
def test_row(code: str, http_status: int, kind: IamErrorKind) -> None:
    """Each code of AWS has its kind; only where AWS failed is it unknown whether the call was carried out."""
    error = to_iam_error("iam:CreateUser", answered(code, http_status))
    assert error.kind is kind
    assert (error.action, error.code, error.http_status) == ("iam:CreateUser", code, http_status)
    assert error.request_id == "request-1"
    assert error.outcome_unknown is (kind is IamErrorKind.UNAVAILABLE)


@pytest.mark.parametrize(("http_status", "kind"), UNKNOWN_CODES)
def test_unknown_code_is_judged_by_its_status(http_status: int, kind: IamErrorKind) -> None:
    """A code that the table does not have takes the kind of its HTTP status."""
    error = to_iam_error("iam:CreateUser", answered("SomethingNew", http_status))
    assert error.kind is kind
    assert error.outcome_unknown is (http_status >= 500)


def test_answer_without_any_metadata() -> None:
    """An answer that lacks code and status is UNAVAILABLE with its outcome unknown."""
    error = to_iam_error("iam:CreateUser", ClientError({}, "CreateUser"))
    assert error.kind is IamErrorKind.UNAVAILABLE
    assert error.outcome_unknown


@pytest.mark.parametrize(
    "failure",
    [
        ReadTimeoutError(endpoint_url=URL),
        ConnectionClosedError(endpoint_url=URL),
        HTTPClientError(error="reset"),
        SSLError(endpoint_url=URL, error=OSError("record")),
        ResponseParserError("unable to parse"),
        KeyError("CreateUserResult"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
        ConnectionResetError(),
    ],
)
def test_lost_answers_leave_the_outcome_unknown(failure: Exception) -> None:
    """Where the request may have arrived, it may have been carried out."""
    error = to_iam_error("iam:CreateUser", failure)
    assert error.kind is IamErrorKind.UNAVAILABLE
    assert error.outcome_unknown
    assert (error.code, error.http_status, error.request_id) == ("", 0, "")


@pytest.mark.parametrize(
    "failure",
    [
        ConnectTimeoutError(endpoint_url=URL),
        EndpointConnectionError(endpoint_url=URL),
        ProxyConnectionError(proxy_url=URL),
    ],
)
def test_what_was_never_sent_was_not_carried_out(failure: Exception) -> None:
    """Without a connection nothing was done."""
    error = to_iam_error("iam:CreateUser", failure)
    assert error.kind is IamErrorKind.UNAVAILABLE
    assert not error.outcome_unknown


@pytest.mark.parametrize(
    "failure",
    [
        NoCredentialsError(),
        PartialCredentialsError(provider="env", cred_var="secret"),
        CredentialRetrievalError(provider="sso", error_msg="expired"),
    ],
)
def test_missing_credentials(failure: Exception) -> None:
    """No credentials are refused credentials, and nothing was sent."""
    error = to_iam_error("iam:CreateUser", failure)
    assert error.kind is IamErrorKind.CREDENTIALS_REFUSED
    assert not error.outcome_unknown


@pytest.mark.parametrize(
    ("code", "http_status", "kind"),
    [
        ("AccessDenied", 403, IamErrorKind.CREDENTIALS_REFUSED),
        ("ValidationError", 400, IamErrorKind.CREDENTIALS_REFUSED),
        ("Throttling", 400, IamErrorKind.THROTTLED),
        ("ServiceFailure", 500, IamErrorKind.UNAVAILABLE),
    ],
)
def test_role_that_cannot_be_assumed(code: str, http_status: int, kind: IamErrorKind) -> None:
    """A refused role is refused credentials, a busy STS is busy; the call itself was never sent."""
    error = to_iam_error("iam:CreateUser", answered(code, http_status, operation="AssumeRole"))
    assert error.kind is kind
    assert not error.outcome_unknown


@pytest.mark.parametrize(
    "failure",
    [
        ParamValidationError(report="Invalid type for parameter Password, value: hunter2"),
        UnicodeEncodeError("utf-8", "hunter2\ud800", 7, 8, "surrogates not allowed"),
    ],
)
def test_refused_parameter_does_not_show_its_value(failure: Exception) -> None:
    """What boto3 quotes of a parameter goes nowhere."""
    error = to_iam_error("iam:CreateLoginProfile", failure)
    assert error.kind is IamErrorKind.INVALID_INPUT
    assert not error.outcome_unknown
    assert "hunter2" not in repr(error) + str(error) + repr(vars(error))


def test_words_of_aws_are_left_behind() -> None:
    """An error's message is not kept: AWS rewords it, and it may quote a parameter."""
    error = to_iam_error("iam:CreateUser", answered("ValidationError", 400))
    assert "words that AWS may change" not in repr(vars(error)) + str(error)
