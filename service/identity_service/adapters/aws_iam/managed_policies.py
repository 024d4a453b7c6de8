"""Managed policies, of the account and of AWS."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from identity_service.adapters.aws_iam import answers
from identity_service.adapters.aws_iam.aws_policies import COMMON_PATHS
from identity_service.adapters.aws_iam.iam_part import IamPart, only_set, tag_list
from identity_service.adapters.aws_iam.recent_entities import Entity
from identity_service.application.ports import Answer, PolicyScope, Receipt
from identity_service.domain import names
from identity_service.domain.entities import Page, PolicyDetails, PolicyRecord, PolicyUsage

_LARGEST_PAGE = 1000
"""An account may have 1,500 policies: two calls instead of fifteen."""


class ManagedPolicies(IamPart):
    """The calls about managed policies."""

    async def get_policy(self, policy_arn: str) -> PolicyRecord | None:
        """GetPolicy."""
        value = await self._found("GetPolicy", PolicyArn=policy_arn)
        return None if value is None else answers.policy(value["Policy"])

    async def get_policy_document(self, policy: PolicyRecord) -> str:
        """GetPolicyVersion of the default version; the document as JSON text."""
        reply = await self._iam.call("GetPolicyVersion", PolicyArn=policy.arn, VersionId=policy.default_version_id)
        return answers.document(reply.value["PolicyVersion"]["Document"])

    async def find_customer_policy(self, policy_name: str) -> PolicyRecord | None:
        """Find a policy of the account by its name, in any letter case and on any path: ListPolicies, all pages."""
        async for page in self._iam.pages("ListPolicies", Scope="Local", MaxItems=_LARGEST_PAGE):
            for fields in page["Policies"]:
                if names.name_key(fields["PolicyName"]) == names.name_key(policy_name):
                    return answers.policy(fields)
        return None

    async def find_aws_policy(self, policy_name: str) -> PolicyRecord | None:
        """Find a policy of AWS by its name, on any path.

        Asks for the few paths where nearly all are, before it reads the listing of 1,500 for one of the others.
        """
        arn = self._aws_policies.find(policy_name)
        if arn is not None:
            return await self.get_policy(arn)
        for path in COMMON_PATHS:
            policy = await self.get_policy(f"arn:{self._partition}:iam::aws:policy{path}{policy_name}")
            if policy is not None:
                return policy
        if not self._aws_policies.is_fresh:
            listed = await self._iam.items("ListPolicies", "Policies", Scope="AWS", MaxItems=_LARGEST_PAGE)
            self._aws_policies.fill({fields["PolicyName"]: fields["Arn"] for fields in listed})
        arn = self._aws_policies.find(policy_name)
        return None if arn is None else await self.get_policy(arn)

    async def get_policy_details(self, policy_arn: str) -> PolicyDetails | None:
        """GetPolicy with tags and description."""
        value = await self._found("GetPolicy", PolicyArn=policy_arn)
        return None if value is None else answers.policy_details(value["Policy"])

    async def page_of_policies(self, scope: PolicyScope, page_size: int, token: str | None) -> Page[PolicyDetails]:
        """ListPolicies, sorted as IAM sorts."""
        page, next_token = await self._iam.page("ListPolicies", token, Scope=scope.value, MaxItems=page_size)
        return Page(tuple(answers.policy_details(fields) for fields in page["Policies"]), next_token)

    async def list_policy_versions(self, policy_arn: str) -> tuple[str, ...]:
        """ListPolicyVersions, all pages: the ids of the versions that are not the default one."""
        versions = await self._iam.items("ListPolicyVersions", "Versions", PolicyArn=policy_arn)
        return tuple(fields["VersionId"] for fields in versions if not fields["IsDefaultVersion"])

    async def get_policy_usage(self, policy_arn: str) -> PolicyUsage:
        """ListEntitiesForPolicy for both usages, all pages."""
        attached, bounding = await asyncio.gather(
            self._entities_for_policy(policy_arn, "PermissionsPolicy"),
            self._entities_for_policy(policy_arn, "PermissionsBoundary"),
        )
        return answers.policy_usage(attached, bounding)

    async def create_policy(
        self, policy_name: str, path: str, description: str, document: str, tags: Mapping[str, str]
    ) -> Answer[PolicyDetails]:
        """CreatePolicy with its tags. The reply does not repeat the description."""
        reply = await self._made(
            Entity.policy(names.policy_arn(self._partition, self._account_id, path, policy_name)),
            "CreatePolicy",
            PolicyName=policy_name,
            Path=path,
            PolicyDocument=document,
            **only_set(Description=description or None, Tags=tag_list(tags) or None),
        )
        made = answers.policy_details(reply.value["Policy"])
        return Answer(replace(made, description=description), reply.receipt)

    async def delete_policy_version(self, policy_arn: str, version_id: str) -> Receipt:
        """DeletePolicyVersion."""
        return await self._done("DeletePolicyVersion", PolicyArn=policy_arn, VersionId=version_id)

    async def delete_policy(self, policy_arn: str) -> Receipt:
        """DeletePolicy."""
        return await self._deleted(Entity.policy(policy_arn), "DeletePolicy", PolicyArn=policy_arn)

    async def _entities_for_policy(self, policy_arn: str, usage: str) -> list[dict[str, Any]]:
        pages = self._iam.pages("ListEntitiesForPolicy", PolicyArn=policy_arn, PolicyUsageFilter=usage)
        return [page async for page in pages]
