"""What the fake account refuses, and the small tools that all its parts use."""

import json
import re
import secrets
import string
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NoReturn

from identity_service.domain.errors import IamErrorKind

DEFAULT_QUOTAS = {
    "UsersQuota": 5000,
    "GroupsQuota": 300,
    "PoliciesQuota": 1500,
    "GroupsPerUserQuota": 10,
    "AttachedPoliciesPerUserQuota": 10,
    "AttachedPoliciesPerGroupQuota": 10,
    "AccessKeysPerUserQuota": 2,
    "UserPolicySizeQuota": 2048,
    "PolicySizeQuota": 6144,
    "VersionsPerPolicyQuota": 5,
}
MAXIMUM_TAGS = 50
USER_NAME = re.compile(r"[\w+=,.@-]{1,64}", re.ASCII)
LONG_NAME = re.compile(r"[\w+=,.@-]{1,128}", re.ASCII)
PATH = re.compile(r"/|/[\x21-\x7e]{1,510}/")
MAXIMUM_DESCRIPTION = 1000
POLICY_ARN = re.compile(r"arn:aws[\w-]*:iam::(aws|\d{12}):policy/[\w+=,.@/-]+", re.ASCII)
CODES = {
    IamErrorKind.NOT_FOUND: ("NoSuchEntity", 404),
    IamErrorKind.ALREADY_EXISTS: ("EntityAlreadyExists", 409),
    IamErrorKind.LIMIT_EXCEEDED: ("LimitExceeded", 409),
    IamErrorKind.IN_USE: ("DeleteConflict", 409),
    IamErrorKind.INVALID_INPUT: ("ValidationError", 400),
    IamErrorKind.MALFORMED_DOCUMENT: ("MalformedPolicyDocument", 400),
    IamErrorKind.PASSWORD_REFUSED: ("PasswordPolicyViolation", 400),
    IamErrorKind.NOT_ATTACHABLE: ("PolicyNotAttachable", 400),
    IamErrorKind.WRONG_CODE: ("InvalidAuthenticationCode", 403),
    IamErrorKind.ACCESS_DENIED: ("AccessDenied", 403),
}
_ID_ALPHABET = string.ascii_uppercase + "234567"


class RefusedError(Exception):
    """IAM refuses; the call's name is known further up."""

    def __init__(self, kind: IamErrorKind) -> None:
        super().__init__(kind)
        self.kind = kind


def refuse(kind: IamErrorKind) -> NoReturn:
    """Refuse the call."""
    raise RefusedError(kind)


def check(is_so: bool, otherwise: IamErrorKind) -> None:
    """Refuse the call unless something is so."""
    if not is_so:
        refuse(otherwise)


def check_tags(tags: Mapping[str, str]) -> None:
    """Refuse tags that IAM refuses whatever the user has already."""
    check(len(tags) <= MAXIMUM_TAGS, IamErrorKind.INVALID_INPUT)
    check(all(times == 1 for times in Counter(map(fold, tags)).values()), IamErrorKind.INVALID_INPUT)
    for key, value in tags.items():
        check(1 <= len(key) <= 128 and len(value) <= 256, IamErrorKind.INVALID_INPUT)
        check(not fold(key).startswith("aws:"), IamErrorKind.INVALID_INPUT)


def check_document(document: str) -> None:
    """Refuse what is no policy."""
    try:
        decoded = json.loads(document)
    except ValueError:
        decoded = None
    check(isinstance(decoded, dict) and "Statement" in decoded, IamErrorKind.MALFORMED_DOCUMENT)


def check_room_for_document(document: str, quota: int) -> None:
    """Refuse a managed policy that is too long; white space does not count."""
    check(len("".join(document.split())) <= quota, IamErrorKind.LIMIT_EXCEEDED)


def compact(document: str) -> str:
    """Return a document as JSON without white space."""
    return json.dumps(json.loads(document), separators=(",", ":"), ensure_ascii=False)


def appended(ids: list[str], new_id: str) -> str:
    """Put an id into a list and return it."""
    ids.append(new_id)
    return new_id


def remove(ids: list[str], unwanted: str) -> None:
    """Take an id out of a list that has to hold it."""
    check(unwanted in ids, IamErrorKind.NOT_FOUND)
    ids.remove(unwanted)


def fold(name: str) -> str:
    """Fold a name as IAM compares names."""
    return name.casefold()


def unique_id(prefix: str, length: int) -> str:
    """Make an id of so many characters."""
    return prefix + "".join(secrets.choice(_ID_ALPHABET) for _ in range(length - len(prefix)))


def now() -> datetime:
    """Tell the time as IAM stores it, in whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)
