"""Which entities a call cannot do without, so that NoSuchEntity may be IAM's lag and no lasting answer."""

from collections.abc import Callable, Mapping

from identity_service.adapters.aws_iam.operations import EFFECTS, Effect
from identity_service.adapters.aws_iam.recent_entities import Entity

_NAMED_BY: Mapping[str, Callable[[str], Entity]] = {
    "UserName": Entity.user,
    "GroupName": Entity.group,
    "PolicyArn": Entity.policy,
    "PermissionsBoundary": Entity.policy,
    "SerialNumber": Entity.mfa_device,
}
_MADE_BY = {"CreateUser": "UserName", "CreateGroup": "GroupName"}
"""What these calls name is not there before them."""
_DELETED_BY = {
    "DeleteUser": "UserName",
    "DeleteGroup": "GroupName",
    "DeletePolicy": "PolicyArn",
    "DeleteVirtualMFADevice": "SerialNumber",
}


def entities_needed_by(operation: str, params: Mapping[str, object]) -> tuple[Entity, ...]:
    """Name what has to be there for a call to make sense.

    A read or a removal needs nothing, because it may miss what it looks for; but a deletion needs what it deletes.
    """
    if operation in _DELETED_BY:
        needed = {_DELETED_BY[operation]}
    elif EFFECTS[operation] in {Effect.WRITE, Effect.MINT}:
        needed = _NAMED_BY.keys() - {_MADE_BY.get(operation)}
    else:
        needed = set()
    return tuple(_NAMED_BY[name](str(params[name])) for name in sorted(needed) if name in params)
