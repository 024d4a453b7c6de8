"""What undoes a step: only what the step itself changed, judged by the state before it (the pre-image)."""

from typing import TypedDict

from identity_service.domain.entities import UserSnapshot
from identity_service.domain.steps import (
    AddUserToGroup,
    AttachGroupPolicy,
    AttachUserPolicy,
    CreateGroup,
    CreateLoginProfile,
    CreatePolicy,
    CreateUser,
    CreateVirtualMfaDevice,
    DeactivateMfaDevice,
    DeleteGroup,
    DeleteLoginProfile,
    DeletePolicy,
    DeleteUser,
    DeleteUserPermissionsBoundary,
    DeleteUserPolicy,
    DeleteVirtualMfaDevice,
    DetachGroupPolicy,
    DetachUserPolicy,
    EnableMfaDevice,
    PutUserPermissionsBoundary,
    PutUserPolicy,
    RemoveUserFromGroup,
    Step,
    UserStep,
)


def inverse(step: Step, before: UserSnapshot | None) -> Step | None:
    """Return the step that undoes another; None where there is nothing to undo.

    `before` is None where the user was absent. A new access key is undone by its id, which no step knows, and a
    deletion is not undone at all: None for both.
    """
    if isinstance(step, UserStep):
        return _inverse_on_user(step, before)
    match step:
        case CreateGroup():
            return DeleteGroup(group_name=step.group_name, group_arn=step.group_arn, round=step.round)
        case AttachGroupPolicy():
            return DetachGroupPolicy(
                group_name=step.group_name, group_arn=step.group_arn, round=step.round, policy_arn=step.policy_arn
            )
        case CreatePolicy():
            return DeletePolicy(policy_arn=step.policy_arn, round=step.round)
        case _:
            return None


def _inverse_on_user(step: UserStep, before: UserSnapshot | None) -> Step | None:
    match step:
        case CreateUser():
            return DeleteUser(**_who(step))
        case AddUserToGroup():
            return RemoveUserFromGroup(**_who(step), group_name=step.group_name, group_arn=step.group_arn)
        case AttachUserPolicy():
            return DetachUserPolicy(**_who(step), policy_arn=step.policy_arn)
        case PutUserPolicy():
            return _undo_inline(step, before)
        case PutUserPermissionsBoundary():
            return _undo_boundary(step, before)
        case CreateLoginProfile():
            return DeleteLoginProfile(**_who(step))
        case CreateVirtualMfaDevice():
            return DeleteVirtualMfaDevice(**_who(step), serial_number=step.device_arn)
        case EnableMfaDevice():
            return DeactivateMfaDevice(**_who(step), serial_number=step.serial_number)
        case _:
            return None


class _Who(TypedDict):
    user_name: str
    user_arn: str
    round: int


def _who(step: UserStep) -> _Who:
    return {"user_name": step.user_name, "user_arn": step.user_arn, "round": step.round}


def _undo_inline(step: PutUserPolicy, before: UserSnapshot | None) -> Step:
    document = before.inline_policies.get(step.policy_name) if before else None
    if document is None:
        return DeleteUserPolicy(**_who(step), policy_name=step.policy_name)
    return PutUserPolicy(**_who(step), policy_name=step.policy_name, document=document)


def _undo_boundary(step: PutUserPermissionsBoundary, before: UserSnapshot | None) -> Step:
    boundary_arn = before.user.boundary_arn if before else None
    if boundary_arn is None:
        return DeleteUserPermissionsBoundary(**_who(step))
    return PutUserPermissionsBoundary(**_who(step), boundary_arn=boundary_arn)
