"""Tags: this service's own, and the rules for a caller's.

Rules: AWS, "Tags for IAM resources": at most 50 a user, keys unique in any letter case, `aws:` reserved.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from identity_service.domain.errors import FieldViolation

PREFIX = "identity-provisioning:"
ROW = PREFIX + "row"
"""The random id of the ledger row that made the user; made by the server, never the caller's request id."""
OWNER = PREFIX + "owner"
"""The team that owns what bears the tag."""
USER = PREFIX + "user"
"""The user that a virtual MFA device was made for: its name, since the id of a user who is made by the same plan is not
known when the plan is reviewed.

A user that is deleted and made again has the same name. The device is the new user's then only if the same team owns
both: the owner tag decides who may delete it, and the row tag which request made it. A rename writes the new name into
the tag. Where somebody else renames the user, the tag holds the old name: the device counts as abandoned, and its team
deletes it.
"""
RESERVED_PREFIXES = ("aws:", PREFIX)
MAXIMUM_TAGS = 50
_COMMA = ":"
"""Stands for a comma: IAM allows a comma in a user's name and not in a tag's value, and a colon the other way round."""

Tag = tuple[str, str]


def violations(tags: Sequence[Tag], field: str) -> list[FieldViolation]:
    """Name each tag of a caller that is reserved or twice there, and the list if it leaves no room for ours."""
    found = []
    times = Counter(key.lower() for key, _ in tags)
    for index, (key, _) in enumerate(tags):
        path = f"{field}[{index}].key"
        if key.lower().startswith(RESERVED_PREFIXES):
            found.append(FieldViolation(path, f"the prefixes {' and '.join(RESERVED_PREFIXES)} are reserved"))
        if times[key.lower()] > 1:
            found.append(FieldViolation(path, "the key is there more than once; letter case does not count"))
    room = MAXIMUM_TAGS - len(service_tags("", ""))
    if len(tags) > room:
        found.append(FieldViolation(field, f"at most {room}: IAM takes {MAXIMUM_TAGS}, and this service sets its own"))
    return found


def service_tags(row_id: str, owner: str) -> tuple[Tag, ...]:
    """Return the tags that this service sets on each user it makes."""
    return ((ROW, row_id), (OWNER, owner))


def mfa_device_tags(row_id: str, owner: str, user_name: str) -> tuple[Tag, ...]:
    """Return the tags that this service sets on each virtual MFA device it makes."""
    return ((ROW, row_id), *waiting_tags(owner, user_name))


def waiting_tags(owner: str, user_name: str) -> tuple[Tag, ...]:
    """Return the tags of a virtual MFA device that say whose it is and for whom it waits."""
    return ((OWNER, owner), (USER, user_name.replace(",", _COMMA)))


def owner_of(tags: Mapping[str, str]) -> str:
    """Return the team that owns what bears the tags; empty if this service did not make it."""
    return tags.get(OWNER, "")


def user_of(tags: Mapping[str, str]) -> str:
    """Return the name of the user that an MFA device was made for; empty if its tags do not say."""
    return tags.get(USER, "").replace(_COMMA, ",")
