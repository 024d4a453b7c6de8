"""Which entities a call cannot do without, so that NoSuchEntity may be IAM's lag and no lasting answer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

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


@dataclass(frozen=True)
class LookUp:
    """A read that tells whether something is there."""

    operation: str
    params: Mapping[str, object]


def look_up_for(operation: str, params: Mapping[str, object]) -> LookUp | None:
    """Return how to look for the user or policy on whose tags and path IAM decides whether a write is allowed.

    None for a read, for what the call itself makes, and for what is decided on a group or a device: they are known by
    their names alone.
    """
    if EFFECTS[operation] is Effect.READ or operation in _MADE_BY or "GroupName" in params:
        return None
    if "UserName" in params:
        return LookUp("GetUser", {"UserName": params["UserName"]})
    return LookUp("GetPolicy", {"PolicyArn": params["PolicyArn"]}) if "PolicyArn" in params else None
