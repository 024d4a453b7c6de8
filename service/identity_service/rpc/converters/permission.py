"""Groups and managed policies."""

from collections.abc import Iterable

from identity_provisioning.v1 import permission_pb2
from identity_service.domain.entities import AttachedPolicyRecord, GroupDetails, PolicyDetails
from identity_service.rpc.converters.times import to_timestamp


def to_attached_policies(policies: Iterable[AttachedPolicyRecord]) -> list[permission_pb2.AttachedPolicy]:
    """Convert managed policies that are attached to something."""
    return [
        permission_pb2.AttachedPolicy(policy_name=policy.policy_name, policy_arn=policy.policy_arn)
        for policy in policies
    ]


def to_group(group: GroupDetails) -> permission_pb2.Group:
    """Convert a group; the contract shows no members."""
    return permission_pb2.Group(
        group_name=group.group_name,
        group_id=group.group_id,
        arn=group.arn,
        path=group.path,
        create_time=to_timestamp(group.created_at),
        attached_policies=to_attached_policies(group.attached_policies),
        inline_policy_names=group.inline_policy_names,
    )


def to_policy(policy: PolicyDetails) -> permission_pb2.Policy:
    """Convert a managed policy."""
    return permission_pb2.Policy(
        policy_name=policy.policy_name,
        policy_id=policy.policy_id,
        arn=policy.arn,
        path=policy.path,
        description=policy.description,
        default_version_id=policy.default_version_id,
        attachment_count=policy.attachment_count,
        permissions_boundary_usage_count=policy.boundary_usage_count,
        create_time=to_timestamp(policy.created_at),
        update_time=to_timestamp(policy.updated_at),
    )
