"""Users."""

from identity_provisioning.v1 import permission_pb2, user_pb2, user_service_pb2
from identity_service.domain import tags
from identity_service.domain.entities import MfaDeviceDetails, UserRecord, UserSnapshot
from identity_service.domain.mfa_devices import is_abandoned
from identity_service.rpc.converters.credential import (
    to_access_key,
    to_login_profile,
    to_mfa_device,
    to_virtual_mfa_device,
)
from identity_service.rpc.converters.permission import to_attached_policies
from identity_service.rpc.converters.times import to_optional_timestamp, to_timestamp


def to_optional_user(user: UserRecord | None) -> user_pb2.User | None:
    """Convert a user, or leave it out."""
    return None if user is None else to_user(user)


def to_user(user: UserRecord) -> user_pb2.User:
    """Convert a user; its tags come sorted by key."""
    return user_pb2.User(
        user_name=user.user_name,
        user_id=user.user_id,
        arn=user.arn,
        path=user.path,
        create_time=to_timestamp(user.created_at),
        permissions_boundary_arn=user.boundary_arn or "",
        tags=[user_pb2.Tag(key=key, value=value) for key, value in sorted(user.tags.items())],
        owner_team=tags.owner_of(user.tags),
        password_last_used_time=to_optional_timestamp(user.password_last_used_at),
    )


def to_get_user_response(snapshot: UserSnapshot) -> user_service_pb2.GetUserResponse:
    """Convert everything about a user but secrets."""
    return user_service_pb2.GetUserResponse(
        user=to_user(snapshot.user),
        login_profile=to_login_profile(snapshot.login_profile),
        access_keys=[to_access_key(key) for key in snapshot.access_keys],
        group_names=[group.group_name for group in snapshot.groups],
        attached_policies=to_attached_policies(snapshot.attached_policies),
        inline_policies=[
            permission_pb2.InlinePolicy(policy_name=name, document=document)
            for name, document in sorted(snapshot.inline_policies.items())
        ],
        mfa_devices=[to_mfa_device(device) for device in snapshot.mfa_devices],
        pending_mfa_devices=[
            to_virtual_mfa_device(MfaDeviceDetails(device, is_abandoned(device, snapshot.user, snapshot.mfa_devices)))
            for device in snapshot.pending_mfa_devices
        ],
        pending_mfa_devices_truncated=snapshot.pending_mfa_truncated,
    )
