"""The planner: reads the facts of an account, then lets the domain's rules make the plan."""

import asyncio
from dataclasses import dataclass

from identity_service.application.ports import IamAccount
from identity_service.application.reading import read_user, read_user_for_deletion
from identity_service.domain.deletion import plan_deletion
from identity_service.domain.entities import PolicyRecord, UserSnapshot
from identity_service.domain.errors import Reason, Resource
from identity_service.domain.facts import Facts, GroupFact, PolicyFact
from identity_service.domain.names import is_arn
from identity_service.domain.passwords import DEFAULT_POLICY, PasswordPolicy
from identity_service.domain.plan import Plan, Problem
from identity_service.domain.planning import plan_change
from identity_service.domain.request import UserChange, UserDeletion
from identity_service.domain.sign_in import sign_in_url


@dataclass(frozen=True)
class PlannedMutation:
    """A plan with what carrying it out needs: the pre-image, the password policy, where users sign in."""

    plan: Plan
    before: UserSnapshot | None
    password_policy: PasswordPolicy = DEFAULT_POLICY
    sign_in_url: str = ""


class Planner:
    """Plans changes and deletions in one account."""

    def __init__(self, account: IamAccount) -> None:
        self._account = account

    async def plan(self, body: UserChange | UserDeletion, row_id: str, team: str) -> PlannedMutation:
        """Plan what a request asks for; nothing is written. Raises IamError if the account cannot be read."""
        if isinstance(body, UserDeletion):
            return await self._plan_deletion(body)
        facts = await self._read_facts(body)
        return PlannedMutation(
            plan=plan_change(body, facts, row_id, team),
            before=facts.snapshot,
            password_policy=facts.password_policy,
            sign_in_url=sign_in_url(facts.partition, facts.account_id, facts.alias),
        )

    async def _plan_deletion(self, deletion: UserDeletion) -> PlannedMutation:
        snapshot = await read_user_for_deletion(self._account, deletion.user_name)
        if snapshot is not None:
            return PlannedMutation(plan_deletion(self._account.account_id, snapshot), snapshot)
        name = deletion.user_name
        missing = Problem(
            Reason.USER_NOT_FOUND, f"there is no user {name}", "user_name", resource=Resource("iam:User", name)
        )
        return PlannedMutation(Plan(self._account.account_id, name, problems=(missing,)), None)

    async def _read_facts(self, change: UserChange) -> Facts:
        group_names = dict.fromkeys(change.permissions.group_names)
        references = dict.fromkeys(change.permissions.managed_policies)
        if change.permissions.boundary:
            references[change.permissions.boundary] = None
        summary, password_policy, alias, snapshot, groups, policies = await asyncio.gather(
            self._account.get_account_summary(),
            self._account.get_password_policy(),
            self._account.get_alias(),
            read_user(self._account, change.user_name),
            asyncio.gather(*map(self._read_group, group_names)),
            asyncio.gather(*map(self._resolve_policy, references)),
        )
        facts_by_reference = dict(zip(references, policies, strict=True))
        return Facts(
            account_id=self._account.account_id,
            partition=self._account.partition,
            summary=summary,
            password_policy=password_policy,
            alias=alias,
            snapshot=snapshot,
            groups=dict(zip(group_names, groups, strict=True)),
            policies=facts_by_reference,
            boundary_document=await self._read_boundary(change, snapshot, facts_by_reference),
        )

    async def _read_group(self, group_name: str) -> GroupFact:
        group = await self._account.get_group(group_name)
        if group is None:
            return GroupFact(None)
        return GroupFact(group, await self._account.group_grants_nothing(group.group_name))

    async def _resolve_policy(self, reference: str) -> PolicyFact:
        if is_arn(reference):
            return PolicyFact(await self._account.get_policy(reference))
        own, aws = await asyncio.gather(
            self._account.find_customer_policy(reference), self._account.find_aws_policy(reference)
        )
        return PolicyFact(own or aws, ambiguous=own is not None and aws is not None)

    async def _read_boundary(
        self, change: UserChange, snapshot: UserSnapshot | None, policies: dict[str, PolicyFact]
    ) -> str | None:
        """Read the boundary that will be in force, where a forced password reset could run into it."""
        password = change.credentials.console_password
        if password is None or not password.require_reset:
            return None
        policy: PolicyRecord | None = None
        if change.permissions.boundary:
            policy = policies[change.permissions.boundary].policy
        elif snapshot and not change.new_user and snapshot.user.boundary_arn:
            policy = await self._account.get_policy(snapshot.user.boundary_arn)
        return await self._account.get_policy_document(policy) if policy else None
