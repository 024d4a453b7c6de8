"""The one table from what AWS answers, by code and HTTP status and never by text, to `IamError`."""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    ProxyConnectionError,
)

from identity_service.domain.errors import IamError, IamErrorKind

KINDS: Mapping[str, IamErrorKind] = {
    code: kind
    for kind, codes in {
        IamErrorKind.NOT_FOUND: ("NoSuchEntity",),
        IamErrorKind.ALREADY_EXISTS: ("EntityAlreadyExists",),
        IamErrorKind.LIMIT_EXCEEDED: ("LimitExceeded",),
        IamErrorKind.IN_USE: ("DeleteConflict",),
        IamErrorKind.BUSY: ("EntityTemporarilyUnmodifiable", "ConcurrentModification"),
        IamErrorKind.INVALID_INPUT: (
            "InvalidInput",
            "InvalidParameterCombination",
            "InvalidParameterValue",
            "MissingParameter",
            "ValidationError",
        ),
        IamErrorKind.MALFORMED_DOCUMENT: ("MalformedPolicyDocument",),
        IamErrorKind.PASSWORD_REFUSED: ("PasswordPolicyViolation",),
        IamErrorKind.NOT_ATTACHABLE: ("PolicyNotAttachable", "UnmodifiableEntity"),
        IamErrorKind.WRONG_CODE: ("InvalidAuthenticationCode",),
        IamErrorKind.ACCESS_DENIED: ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation"),
        IamErrorKind.CREDENTIALS_REFUSED: (
            "AuthFailure",
            "ExpiredToken",
            "ExpiredTokenException",
            "IncompleteSignature",
            "InvalidAccessKeyId",
            "InvalidClientTokenId",
            "MissingAuthenticationToken",
            "RequestExpired",
            "SignatureDoesNotMatch",
            "UnrecognizedClient",
            "UnrecognizedClientException",
        ),
        IamErrorKind.THROTTLED: (
            "RequestLimitExceeded",
            "RequestThrottled",
            "RequestThrottledException",
            "Throttling",
            "ThrottlingException",
            "TooManyRequests",
            "TooManyRequestsException",
        ),
        IamErrorKind.UNAVAILABLE: (
            "InternalError",
            "InternalFailure",
            "ServiceFailure",
            "ServiceUnavailable",
            "ServiceUnavailableException",
        ),
    }.items()
    for code in codes
}
"""What each code of AWS amounts to."""

KINDS_BY_STATUS: Mapping[int, IamErrorKind] = {
    401: IamErrorKind.CREDENTIALS_REFUSED,
    403: IamErrorKind.ACCESS_DENIED,
    404: IamErrorKind.NOT_FOUND,
    409: IamErrorKind.BUSY,
    429: IamErrorKind.THROTTLED,
}
"""What an unknown code amounts to, by its HTTP status; any other 4xx is INVALID_INPUT, the rest UNAVAILABLE."""

_NEVER_SENT = (ConnectTimeoutError, EndpointConnectionError, ProxyConnectionError)
_NO_CREDENTIALS = (CredentialRetrievalError, NoCredentialsError, PartialCredentialsError)
_STILL_TRUE_OF_THE_ROLE = (IamErrorKind.THROTTLED, IamErrorKind.UNAVAILABLE)


def to_iam_error(action: str, failure: Exception) -> IamError:
    """Convert what boto3 raised. The result refers neither to the failure nor to its text, which can quote values.

    Whatever is not known to have failed before the sending may have failed after it: an answer that is no XML raises
    ResponseParserError, one that is other XML a KeyError.
    """
    if isinstance(failure, ClientError):
        return _answered(action, failure)
    if isinstance(failure, ParamValidationError | UnicodeEncodeError):
        return IamError(IamErrorKind.INVALID_INPUT, action)
    if isinstance(failure, _NO_CREDENTIALS):
        return IamError(IamErrorKind.CREDENTIALS_REFUSED, action)
    return IamError(IamErrorKind.UNAVAILABLE, action, outcome_unknown=not isinstance(failure, _NEVER_SENT))


def kind_of(code: str, http_status: int) -> IamErrorKind:
    """Look a code up; one that the table does not have is judged by its status."""
    if code in KINDS:
        return KINDS[code]
    if http_status in KINDS_BY_STATUS:
        return KINDS_BY_STATUS[http_status]
    is_client_fault = 400 <= http_status < 500
    return IamErrorKind.INVALID_INPUT if is_client_fault else IamErrorKind.UNAVAILABLE


def _answered(action: str, failure: ClientError) -> IamError:
    response: Mapping[str, Any] = failure.response
    metadata = response.get("ResponseMetadata", {})
    code = str(response.get("Error", {}).get("Code", ""))
    http_status = int(metadata.get("HTTPStatusCode", 0))
    kind = kind_of(code, http_status)
    # boto3 assumes the role inside the call; when that is refused, the call itself was never sent.
    assuming_role = failure.operation_name == "AssumeRole"
    if assuming_role and kind not in _STILL_TRUE_OF_THE_ROLE:
        kind = IamErrorKind.CREDENTIALS_REFUSED
    return IamError(
        kind,
        action,
        code=code,
        http_status=http_status,
        request_id=str(metadata.get("RequestId", "")),
        outcome_unknown=kind is IamErrorKind.UNAVAILABLE and not assuming_role,
    )
