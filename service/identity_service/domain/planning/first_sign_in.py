"""What would keep a user from resetting the password at the first sign-in: a deadlock, which the plan warns of.

Looked at are the boundary and all denials that the user has or is given, directly or by groups. A right to reset need
not be looked for: the account's password policy or IAMUserChangePassword gives it.
"""

from collections.abc import Iterable

from identity_service.domain import policy_rights
from identity_service.domain.entities import UserSnapshot
from identity_service.domain.plan import WarningKind
from identity_service.domain.planning.draft import At
from identity_service.domain.planning.granted_documents import given_documents, held_documents, sets_boundary
from identity_service.domain.planning.permissions import Grants
from identity_service.domain.planning.rights import NamedDocument
from identity_service.domain.planning.user_draft import UserDraft
from identity_service.domain.request import UserChange

CHANGE_PASSWORD = "iam:ChangePassword"  # noqa: S105 - the name of an action
MUST_RESET = "the password must be reset at first sign-in, but"


def makes_reset(change: UserChange) -> bool:
    """Tell whether a change gives a password that must be reset: then all that the user has counts."""
    password = change.credentials.console_password
    return password is not None and password.require_reset


def awaits_reset(before: UserSnapshot | None) -> bool:
    """Tell whether the user has such a password since earlier: then only what the change adds can be its doing."""
    profile = before.login_profile if before else None
    return profile is not None and profile.reset_required


def warn_of_deadlocks(draft: UserDraft, grants: Grants) -> None:
    """Warn of what would keep the user from a reset that this change asks for, or that is still to come."""
    fields = draft.change.fields
    if makes_reset(draft.change):
        at = f"{fields.credential('console_password')}.require_reset"
        _warn_of_boundary(draft, at)
        _warn_of_denials(draft, (*given_documents(draft, grants), *held_documents(draft, grants, at)))
    elif awaits_reset(draft.before):
        if sets_boundary(draft):
            _warn_of_boundary(draft, fields.permissions)
        _warn_of_denials(draft, given_documents(draft, grants))


def _warn_of_boundary(draft: UserDraft, at: At) -> None:
    boundary = draft.user_facts.boundary_document
    if boundary is None:
        return
    if not policy_rights.may_allow(boundary, CHANGE_PASSWORD, draft.user_arn):
        message = f"{MUST_RESET} the boundary does not allow {CHANGE_PASSWORD}"
        draft.warn(WarningKind.RESET_DEADLOCK, message, at)
    _warn_of_need_for_mfa(draft, NamedDocument("the boundary", boundary, at))


def _warn_of_denials(draft: UserDraft, documents: Iterable[NamedDocument]) -> None:
    for found in documents:
        if policy_rights.denies(found.document, CHANGE_PASSWORD, draft.user_arn):
            message = f"{MUST_RESET} {found.name} denies {CHANGE_PASSWORD}"
            draft.warn(WarningKind.RESET_DEADLOCK, message, found.at)
        _warn_of_need_for_mfa(draft, found)


def _warn_of_need_for_mfa(draft: UserDraft, found: NamedDocument) -> None:
    if policy_rights.denies_without_mfa(found.document, CHANGE_PASSWORD):
        message = f"{MUST_RESET} {found.name} denies {CHANGE_PASSWORD} without MFA"
        draft.warn(WarningKind.MFA_DEADLOCK, message, found.at)
