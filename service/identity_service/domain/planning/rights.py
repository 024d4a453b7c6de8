"""Warnings of what one document grants, to a user with or without a permissions boundary."""

from dataclasses import dataclass

from identity_service.domain.plan import WarningKind
from identity_service.domain.planning.draft import At, Draft
from identity_service.domain.policy_escalation import escalating_actions
from identity_service.domain.policy_limits import kept_within
from identity_service.domain.policy_width import wide_statements

MOST_NAMED = 5


@dataclass(frozen=True)
class NamedDocument:
    """A policy document, the words that name it, and the request's field that it comes from.

    `is_written_here` tells that the request itself holds the document.
    """

    name: str
    document: str
    at: At
    is_written_here: bool = False


def warn_of_width(draft: Draft, found: NamedDocument, boundary: str | None = None) -> None:
    """Warn of statements that allow everything; of a document of the request also of others that are wide.

    Within a boundary that does not allow everything, and of actions that are named one by one, it is good to know.
    """
    bounded = boundary is not None and not any(wide.allows_everything for wide in wide_statements(boundary))
    for wide in wide_statements(found.document):
        if wide.allows_everything or found.is_written_here:
            words = f"{found.name}: {wide.words}{', within the boundary' if bounded else ''}"
            note = draft.warn if wide.has_open_actions and not bounded else draft.tell
            note(WarningKind.WILDCARD, words, found.at)


def warn_of_escalation(draft: Draft, found: NamedDocument, boundary: str | None = None) -> None:
    """Warn of a document that allows what its holder can use, within the boundary, to gain more rights."""
    escalations = escalating_actions(found.document, within=boundary)
    if escalations:
        words = f"with {found.name} a user can gain more rights: {', '.join(escalations)}"
        draft.warn(WarningKind.ESCALATION, words, found.at)


def warn_of_void(draft: Draft, found: NamedDocument, boundary: str) -> None:
    """Warn of a document of which the boundary leaves nothing; of the request's own also of each action."""
    kept = kept_within(found.document, boundary)
    if kept.voided and not kept.left:
        draft.warn(WarningKind.VOID, f"the boundary leaves nothing of what {found.name} allows", found.at)
    elif kept.voided and found.is_written_here:
        words = f"the boundary does not allow what {found.name} allows: {named(kept.voided)}"
        draft.warn(WarningKind.VOID, words, found.at)


def named(actions: tuple[str, ...]) -> str:
    """Name some actions, and how many more there are."""
    more = f" and {len(actions) - MOST_NAMED} more" if len(actions) > MOST_NAMED else ""
    return ", ".join(actions[:MOST_NAMED]) + more
