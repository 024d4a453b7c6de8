"""What the contract asks of texts, in one place for the options and the users file, so that mistakes are told early.

The patterns are those of the .proto files, letter for letter; a test compares them.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from functools import cached_property

from identity_client.handout import checked_address

_NAME_SIGNS = "A-Z a-z 0-9 + = , . @ _ -"


@dataclass(frozen=True)
class TextRule:
    """What a text has to be, and what is said of one that is not."""

    broken: str
    pattern: str = ""
    shortest: int = 0
    longest: int | None = None

    @cached_property
    def _whole(self) -> re.Pattern[str]:
        return re.compile(self.pattern.removeprefix("^").removesuffix("$"))

    def complaint(self, text: str) -> str:
        """Answer what is wrong with the text; empty if nothing."""
        fits = self.shortest <= len(text) and (self.longest is None or len(text) <= self.longest)
        return "" if fits and self._fits_pattern(text) else f"{text!r} {self.broken}"

    def schema(self) -> dict[str, object]:
        """Answer the rule as a JSON schema has it."""
        lengths = {"minLength": self.shortest or None, "maxLength": self.longest}
        pattern = {"pattern": self.pattern} if self.pattern else {}
        return {"type": "string", **pattern, **{key: value for key, value in lengths.items() if value is not None}}

    def _fits_pattern(self, text: str) -> bool:
        return not self.pattern or self._whole.fullmatch(text) is not None


@dataclass(frozen=True)
class TagRule(TextRule):
    """The rule of a tag's key or value: letters, digits and spaces of any script, which `re` has no class for."""

    reserved: tuple[str, ...] = field(default=())

    def complaint(self, text: str) -> str:
        """Answer what is wrong with the text; empty if nothing."""
        if text.casefold().startswith(self.reserved):
            return f"{text!r} begins with a reserved prefix: {', '.join(self.reserved)}"
        return super().complaint(text)

    def schema(self) -> dict[str, object]:
        """Answer the lengths alone: not every schema checker knows the pattern's classes of characters."""
        schema = super().schema()
        del schema["pattern"]
        return schema

    def _fits_pattern(self, text: str) -> bool:
        return all(unicodedata.category(char)[0] in "LZN" or char in "_.:/=+-@" for char in text)


@dataclass(frozen=True)
class AddressRule(TextRule):
    """A mail address that fits into a header as it is."""

    def schema(self) -> dict[str, object]:
        """Answer the rule as a JSON schema has it."""
        return {**super().schema(), "format": "email"}

    def complaint(self, text: str) -> str:
        """Answer what is wrong with the text; empty if nothing."""
        try:
            checked_address(text)
        except ValueError as error:
            return str(error)
        return ""


_TAG = r"^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$"
_TAG_SIGNS = "letters, digits, spaces and _ . : / = + - @"

USER_NAME = TextRule(f"is not 1 to 64 of {_NAME_SIGNS}", r"^[A-Za-z0-9+=,.@_-]{1,64}$")
GROUP_NAME = TextRule(f"is not 1 to 128 of {_NAME_SIGNS}", r"^[A-Za-z0-9+=,.@_-]{1,128}$")
POLICY_NAME = GROUP_NAME
POLICY = TextRule(
    f"is not a policy's ARN, nor a name, 1 to 128 of {_NAME_SIGNS}",
    r"^(arn:aws(-[a-z]+)*:iam::(aws|[0-9]{12}):policy/[!-~]{1,512}|[A-Za-z0-9+=,.@_-]{1,128})$",
)
PATH = TextRule(
    "does not begin and end with a slash, holds spaces, or is longer than 512 characters",
    r"^/([!-~]+/)?$",
    longest=512,
)
DEVICE_NAME = TextRule(f"is not 1 to 226 of {_NAME_SIGNS}", r"^[A-Za-z0-9+=,.@_-]{1,226}$")
DESCRIPTION = TextRule("is longer than 1000 characters", longest=1000)
TAG_KEY = TagRule(
    f"is not 1 to 128 {_TAG_SIGNS}", _TAG, shortest=1, longest=128, reserved=("aws:", "identity-provisioning:")
)
TAG_VALUE = TagRule(f"is not at most 256 {_TAG_SIGNS}", _TAG, longest=256)
EMAIL = AddressRule("is not a mail address", longest=254)

MOST_TAGS = 50
MOST_GROUPS = 100
MOST_POLICIES = 100
MOST_POLICIES_OF_A_GROUP = 10
MOST_INLINE_POLICIES = 50
MOST_NEW_GROUPS = 10
MOST_NEW_POLICIES = 10
LARGEST_DOCUMENT = 32768


def tags_complaint(tags: dict[str, str]) -> str:
    """Answer what is wrong with the keys of all tags together; empty if nothing."""
    if len(tags) > MOST_TAGS:
        return f"are {len(tags)}; a user has {MOST_TAGS} at most"
    seen: dict[str, str] = {}
    for key in tags:
        earlier = seen.setdefault(key.casefold(), key)
        if earlier != key:
            return f"{key!r} is there as {earlier!r} already; letter case makes no difference"
    return ""
