"""The contract's patterns in words for people."""

from collections.abc import Mapping
from types import MappingProxyType

PATTERNS: Mapping[str, str] = MappingProxyType(
    {
        "^[0-9]{12}$": "must be an AWS account id: 12 digits",
        "^[0-9]{6}$": "must be a code of the MFA device: 6 digits",
        "^[0-9a-f]{64}$": "must be the digest of a plan: 64 hexadecimal digits, in lower case",
        "^[A-Z0-9]{16,128}$": "must be the id of an access key: 16 to 128 capital letters and digits",
        "^[A-Za-z0-9+=,.@_-]{1,64}$": "must have 1 to 64 characters, only ASCII letters, digits and +=,.@_-",
        "^[A-Za-z0-9+=,.@_-]{1,128}$": "must have 1 to 128 characters, only ASCII letters, digits and +=,.@_-",
        "^[A-Za-z0-9+=,.@_-]{1,226}$": "must have 1 to 226 characters, only ASCII letters, digits and +=,.@_-",
        "^/([!-~]+/)?$": "must be a path that begins and ends with /, in ASCII without spaces",
        "^/[!-~]*$": "must be the beginning of a path: / first, in ASCII without spaces",
        "^arn:aws(-[a-z]+)*:iam::(aws|[0-9]{12}):policy/[!-~]{1,512}$": "must be the ARN of a managed policy",
        "^(arn:aws(-[a-z]+)*:iam::(aws|[0-9]{12}):policy/[!-~]{1,512}|[A-Za-z0-9+=,.@_-]{1,128})$": (
            "must be the ARN of a managed policy, or its name: "
            "1 to 128 characters, only ASCII letters, digits and +=,.@_-"
        ),
        r"^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$": "must have only letters, digits, spaces and _.:/=+-@",
        r"^[\x09\x0A\x0D\x20-\x{FF}]+$": "must have only characters of Latin-1 (U+0020 to U+00FF), tabs and line ends",
    }
)
"""Every pattern of the contract, and what a value that does not match it is told. A test holds the two together."""
