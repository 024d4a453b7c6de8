"""Groups, their policies and their members."""

import asyncio

from identity_service.adapters.aws_iam import answers
from identity_service.adapters.aws_iam.iam_part import IamPart, none_if_absent
from identity_service.adapters.aws_iam.recent_entities import Entity
from identity_service.application.ports import Answer, Receipt
from identity_service.domain.entities import AttachedPolicyRecord, GroupDetails, GroupPolicies, GroupRecord, Page


class Groups(IamPart):
    """The calls about groups."""

    async def get_group(self, group_name: str) -> GroupRecord | None:
        """GetGroup."""
        value = await self._found("GetGroup", GroupName=group_name)
        return None if value is None else answers.group(value["Group"])

    async def get_group_policies(self, group_name: str) -> GroupPolicies | None:
        """ListAttachedGroupPolicies, ListGroupPolicies, all pages, and GetGroupPolicy of each inline policy.

        An inline policy that was deleted between the two is left out.
        """
        return await none_if_absent(self._group_policies(group_name))

    async def get_group_details(self, group_name: str) -> GroupDetails | None:
        """GetGroup with all members, ListAttachedGroupPolicies and ListGroupPolicies, all pages."""
        return await none_if_absent(self._group_details(group_name))

    async def page_of_groups(self, page_size: int, token: str | None) -> Page[GroupDetails]:
        """GetAccountAuthorizationDetails(Filter=Group): groups with their policies, without their members."""
        page, next_token = await self._iam.page(
            "GetAccountAuthorizationDetails", token, Filter=["Group"], MaxItems=page_size
        )
        return Page(tuple(answers.group_detail(fields) for fields in page["GroupDetailList"]), next_token)

    async def create_group(self, group_name: str, path: str) -> Answer[GroupDetails]:
        """CreateGroup."""
        reply = await self._made(Entity.group(group_name), "CreateGroup", GroupName=group_name, Path=path)
        return Answer(answers.group_details(reply.value["Group"]), reply.receipt)

    async def delete_group(self, group_name: str) -> Receipt:
        """DeleteGroup."""
        return await self._deleted(Entity.group(group_name), "DeleteGroup", GroupName=group_name)

    async def attach_group_policy(self, group_name: str, policy_arn: str) -> Receipt:
        """AttachGroupPolicy."""
        return await self._done("AttachGroupPolicy", GroupName=group_name, PolicyArn=policy_arn)

    async def detach_group_policy(self, group_name: str, policy_arn: str) -> Receipt:
        """DetachGroupPolicy."""
        return await self._done("DetachGroupPolicy", GroupName=group_name, PolicyArn=policy_arn)

    async def delete_group_policy(self, group_name: str, policy_name: str) -> Receipt:
        """DeleteGroupPolicy."""
        return await self._done("DeleteGroupPolicy", GroupName=group_name, PolicyName=policy_name)

    async def _group_policies(self, group_name: str) -> GroupPolicies:
        attached, inline = await asyncio.gather(self._attached_to(group_name), self._inline_policies_of(group_name))
        return GroupPolicies(attached, inline)

    async def _attached_to(self, group_name: str) -> tuple[AttachedPolicyRecord, ...]:
        found = await self._iam.items("ListAttachedGroupPolicies", "AttachedPolicies", GroupName=group_name)
        return tuple(answers.attached_policy(fields) for fields in found)

    async def _inline_policies_of(self, group_name: str) -> dict[str, str]:
        names = await self._iam.items("ListGroupPolicies", "PolicyNames", GroupName=group_name)
        values = await asyncio.gather(
            *(self._found("GetGroupPolicy", GroupName=group_name, PolicyName=name) for name in names)
        )
        return {value["PolicyName"]: answers.document(value["PolicyDocument"]) for value in values if value}

    async def _group_details(self, group_name: str) -> GroupDetails:
        pages = [page async for page in self._iam.pages("GetGroup", GroupName=group_name)]
        attached, inline_names = await asyncio.gather(
            self._iam.items("ListAttachedGroupPolicies", "AttachedPolicies", GroupName=group_name),
            self._iam.items("ListGroupPolicies", "PolicyNames", GroupName=group_name),
        )
        members = [member for page in pages for member in page["Users"]]
        return answers.group_details(pages[0]["Group"], attached, inline_names, members)
