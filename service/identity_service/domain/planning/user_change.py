"""The plan of a user change: the one request behind ProvisionUser, CreateUser, CreateCredentials, AssignPermissions.

A part that a request does not have adds no step.
"""

from identity_service.domain import tags
from identity_service.domain.errors import Reason, Resource
from identity_service.domain.facts import UserFacts
from identity_service.domain.plan import Plan, WarningKind
from identity_service.domain.planning.credentials import plan_credentials
from identity_service.domain.planning.draft import BOUND, ENTITIES
from identity_service.domain.planning.first_sign_in import warn_of_deadlocks
from identity_service.domain.planning.granted_documents import warn_of_rights
from identity_service.domain.planning.new_entities import plan_new_groups, plan_new_policies
from identity_service.domain.planning.permissions import Grants, boundary_of, gather_grants, plan_grants
from identity_service.domain.planning.user_draft import UserDraft
from identity_service.domain.request import NewUser, UserChange
from identity_service.domain.steps import CreateUser, PutUserPermissionsBoundary


def plan_change(change: UserChange, facts: UserFacts, row_id: str, team: str) -> Plan:
    """Plan a change of one user; `row_id` and `team` go into the tags of what is made."""
    draft = UserDraft(change, facts, row_id, team)
    grants = gather_grants(draft)
    boundary = boundary_of(draft, _plan_policies(draft, grants))
    if change.new_user:
        _plan_new_user(draft, change.new_user, boundary)
    else:
        _plan_existing_user(draft, boundary)
    at = change.fields.permissions
    plan_new_groups(
        draft, [(group, f"{at}.new_groups[{index}]") for index, group in enumerate(change.permissions.new_groups)]
    )
    plan_grants(draft, grants, plan_credentials(draft))
    warn_of_rights(draft, grants)
    warn_of_deadlocks(draft, grants)
    _warn_of_combinations(draft, grants)
    return draft.finish()


def _plan_policies(draft: UserDraft, grants: Grants) -> str | None:
    """Plan the policies that are made on the way; return the ARN of the one that is made as the boundary."""
    permissions, at = draft.change.permissions, draft.change.fields.permissions
    named = [(policy, f"{at}.new_policies[{index}]") for index, policy in enumerate(permissions.new_policies)]
    boundary = permissions.new_boundary
    made = [*named, (boundary, f"{at}.new_permissions_boundary")] if boundary else named
    arns = plan_new_policies(draft, made, draft.row_id, draft.team)
    grants.new_policy_arns += arns[: len(named)]
    return arns[-1] if boundary else None


def _plan_new_user(draft: UserDraft, new_user: NewUser, boundary: str | None) -> None:
    fields = draft.change.fields
    if draft.user_facts.snapshot:
        name = draft.user_facts.snapshot.user.user_name
        draft.stop(
            Reason.USER_ALREADY_EXISTS,
            f"there is a user {name}; names are unique in any letter case",
            fields.user_name,
            Resource("iam:User", name),
        )
    for violation in tags.violations(new_user.tags, fields.tags):
        draft.stop(Reason.INVALID_FIELD, violation.message, violation.field)
    draft.use_account_quota("UsersQuota", 1, fields.user_name)
    draft.do(
        CreateUser(
            user_name=draft.user_name,
            user_arn=draft.user_arn,
            round=ENTITIES,
            path=new_user.path,
            boundary_arn=boundary,
            tags=dict((*new_user.tags, *tags.service_tags(draft.row_id, draft.team))),
        )
    )


def _plan_existing_user(draft: UserDraft, boundary: str | None) -> None:
    name = draft.change.user_name
    if draft.before is None:
        draft.stop(
            Reason.USER_NOT_FOUND, f"there is no user {name}", draft.change.fields.user_name, Resource("iam:User", name)
        )
    if boundary:
        step = PutUserPermissionsBoundary(
            user_name=draft.user_name, user_arn=draft.user_arn, round=BOUND, boundary_arn=boundary
        )
        draft.do(step, satisfied=draft.before is not None and draft.before.user.boundary_arn == boundary)


def _warn_of_combinations(draft: UserDraft, grants: Grants) -> None:
    credentials = draft.change.credentials
    if credentials.access_key and credentials.console_password:
        draft.warn(
            WarningKind.BOTH_CREDENTIALS,
            "both an access key and a console password are made; most users need one of them",
            draft.change.fields.credentials,
        )
    wants_credentials = credentials.access_key or credentials.console_password
    if draft.change.new_user and wants_credentials and grants.is_empty and not draft.change.permissions.new_groups:
        draft.warn(
            WarningKind.NO_PERMISSIONS, "the user gets credentials but no permissions", draft.change.fields.permissions
        )
