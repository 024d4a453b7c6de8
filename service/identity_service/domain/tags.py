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
"""The team that owns the user."""
RESERVED_PREFIXES = ("aws:", PREFIX)
MAXIMUM_TAGS = 50

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


def owner_of(tags: Mapping[str, str]) -> str:
    """Return the team that owns a user; empty if this service does not know the user."""
    return tags.get(OWNER, "")
