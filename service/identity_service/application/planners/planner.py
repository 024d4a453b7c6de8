"""One planner for every mutation."""

from identity_service.application.planners.existing_users import (
    plan_disabling,
    plan_permission_revocation,
    plan_update,
    plan_user_adoption,
    plan_user_deletion,
)
from identity_service.application.planners.groups_and_policies import (
    plan_creation_of_group,
    plan_creation_of_policy,
    plan_deletion_of_group,
    plan_deletion_of_policy,
)
from identity_service.application.planners.mfa_devices import plan_device_deletion, plan_enabling
from identity_service.application.planners.planned import PlannedMutation
from identity_service.application.planners.user_changes import plan_user_change
from identity_service.application.ports import IamAccount
from identity_service.domain.request import (
    Body,
    ConsoleDisabling,
    GroupCreation,
    GroupDeletion,
    MfaDeviceDeletion,
    MfaDeviceEnabling,
    PermissionRevocation,
    PolicyCreation,
    PolicyDeletion,
    UserAdoption,
    UserChange,
    UserDeletion,
    UserUpdate,
)


async def plan_mutation(account: IamAccount, body: Body, row_id: str, team: str) -> PlannedMutation:
    """Plan what a request asks for; nothing is written. Raises IamError if the account cannot be read."""
    match body:
        case UserChange():
            return await plan_user_change(account, body, row_id, team)
        case UserDeletion():
            return await plan_user_deletion(account, body)
        case UserAdoption():
            return await plan_user_adoption(account, body, team)
        case UserUpdate():
            return await plan_update(account, body)
        case PermissionRevocation():
            return await plan_permission_revocation(account, body)
        case ConsoleDisabling():
            return await plan_disabling(account, body)
        case MfaDeviceEnabling():
            return await plan_enabling(account, body)
        case MfaDeviceDeletion():
            return await plan_device_deletion(account, body)
        case GroupCreation():
            return await plan_creation_of_group(account, body)
        case GroupDeletion():
            return await plan_deletion_of_group(account, body)
        case PolicyCreation():
            return await plan_creation_of_policy(account, body, row_id, team)
        case PolicyDeletion():
            return await plan_deletion_of_policy(account, body)
