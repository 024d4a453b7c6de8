"""What a user may do: memberships, attached and inline policies, the boundary."""

import asyncio
from collections.abc import Mapping

from identity_service.adapters.aws_iam import answers
from identity_service.adapters.aws_iam.iam_part import IamPart
from identity_service.application.ports import Receipt
from identity_service.domain.entities import AttachedPolicyRecord, GroupRecord


class UserPermissions(IamPart):
    """The calls about a user's permissions."""

    async def list_groups(self, user_name: str) -> tuple[GroupRecord, ...]:
        """ListGroupsForUser, all pages."""
        found = await self._iam.items("ListGroupsForUser", "Groups", UserName=user_name)
        return tuple(answers.group(fields) for fields in found)

    async def add_user_to_group(self, user_name: str, group_name: str) -> Receipt:
        """AddUserToGroup."""
        return await self._done("AddUserToGroup", UserName=user_name, GroupName=group_name)

    async def remove_user_from_group(self, user_name: str, group_name: str) -> Receipt:
        """RemoveUserFromGroup."""
        return await self._done("RemoveUserFromGroup", UserName=user_name, GroupName=group_name)

    async def list_attached_policies(self, user_name: str) -> tuple[AttachedPolicyRecord, ...]:
        """ListAttachedUserPolicies, all pages."""
        found = await self._iam.items("ListAttachedUserPolicies", "AttachedPolicies", UserName=user_name)
        return tuple(answers.attached_policy(fields) for fields in found)

    async def attach_user_policy(self, user_name: str, policy_arn: str) -> Receipt:
        """AttachUserPolicy."""
        return await self._done("AttachUserPolicy", UserName=user_name, PolicyArn=policy_arn)

    async def detach_user_policy(self, user_name: str, policy_arn: str) -> Receipt:
        """DetachUserPolicy."""
        return await self._done("DetachUserPolicy", UserName=user_name, PolicyArn=policy_arn)

    async def list_inline_policies(self, user_name: str) -> Mapping[str, str]:
        """ListUserPolicies, all pages, and GetUserPolicy of each: documents as JSON text, by name.

        A policy that was deleted between the two is left out.
        """
        names = await self._iam.items("ListUserPolicies", "PolicyNames", UserName=user_name)
        values = await asyncio.gather(
            *(self._found("GetUserPolicy", UserName=user_name, PolicyName=name) for name in names)
        )
        return {value["PolicyName"]: answers.document(value["PolicyDocument"]) for value in values if value}

    async def put_user_policy(self, user_name: str, policy_name: str, document: str) -> Receipt:
        """PutUserPolicy."""
        return await self._done("PutUserPolicy", UserName=user_name, PolicyName=policy_name, PolicyDocument=document)

    async def delete_user_policy(self, user_name: str, policy_name: str) -> Receipt:
        """DeleteUserPolicy."""
        return await self._done("DeleteUserPolicy", UserName=user_name, PolicyName=policy_name)

    async def put_user_permissions_boundary(self, user_name: str, boundary_arn: str) -> Receipt:
        """PutUserPermissionsBoundary."""
        return await self._done("PutUserPermissionsBoundary", UserName=user_name, PermissionsBoundary=boundary_arn)

    async def delete_user_permissions_boundary(self, user_name: str) -> Receipt:
        """DeleteUserPermissionsBoundary."""
        return await self._done("DeleteUserPermissionsBoundary", UserName=user_name)
