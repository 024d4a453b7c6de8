"""The executor: carries out a plan round by round, and notes what was done."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from identity_service.application.calls import call_for
from identity_service.application.ports import Answer, IamAccount, MintedAccessKey, MintedMfaDevice, Receipt
from identity_service.domain import tags
from identity_service.domain.entities import GroupDetails, PolicyDetails, UserRecord
from identity_service.domain.errors import IamError, IamErrorKind, IdentityError, Reason
from identity_service.domain.outcome import ExecutedStep
from identity_service.domain.plan import Plan
from identity_service.domain.secret import Secret
from identity_service.domain.steps import (
    DELETIONS,
    CreateAccessKey,
    CreateGroup,
    CreateLoginProfile,
    CreatePolicy,
    CreateUser,
    CreateVirtualMfaDevice,
    EnableMfaDevice,
    Step,
)

T = TypeVar("T")

CLOCK_TOLERANCE = timedelta(minutes=1)
"""How far AWS's clock and ours may be apart when a creation time is judged."""


@dataclass(frozen=True)
class SecretInputs:
    """The secrets that steps need and that no plan holds: a console password, two codes of an MFA device."""

    password: Secret | None = None
    mfa_codes: tuple[Secret, Secret] | None = None


@dataclass
class Journal:
    """What was done so far; what an undo and an answer need to know.

    `done` is in the order of the answers; `uncertain` holds steps that failed without saying whether they were
    carried out. The rest is what IAM answered when it made something.
    """

    started_at: datetime
    done: list[tuple[Step, ExecutedStep]] = field(default_factory=list)
    uncertain: list[Step] = field(default_factory=list)
    user: UserRecord | None = None
    access_key: MintedAccessKey | None = None
    mfa_device: MintedMfaDevice | None = None
    groups: list[GroupDetails] = field(default_factory=list)
    policies: list[PolicyDetails] = field(default_factory=list)

    @property
    def executed(self) -> tuple[ExecutedStep, ...]:
        """The calls that were made, in the order of their answers."""
        return tuple(executed for _, executed in self.done)


class StepFailedError(Exception):
    """A step failed; every step of its round has ended, no later round was begun."""

    def __init__(self, step: Step, cause: Exception) -> None:
        super().__init__(step.iam_action)
        self.step = step
        self.cause = cause


class Executor:
    """Carries out a plan in one account.

    `is_stopping` tells that the server wants to end soon: no further round is begun then.
    """

    def __init__(
        self,
        account: IamAccount,
        journal: Journal,
        secrets: SecretInputs,
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._account = account
        self._journal = journal
        self._secrets = secrets
        self._is_stopping = is_stopping

    async def run(self, plan: Plan) -> None:
        """Carry out the steps, those of one round side by side.

        Raises StepFailedError with an IamError, an IdentityError (BOUNDARY_NOT_KEPT, SHUTTING_DOWN, CONFLICT), or what
        nobody expected.
        """
        for steps in plan.rounds():
            try:
                await self._may_go_on(plan)
            except (IamError, IdentityError) as error:
                raise StepFailedError(steps[0], error) from None
            results = await asyncio.gather(*map(self._run_step, steps), return_exceptions=True)
            for step, result in zip(steps, results, strict=True):
                if isinstance(result, Exception):
                    raise StepFailedError(step, result) from None
                if isinstance(result, BaseException):
                    raise result

    async def _may_go_on(self, plan: Plan) -> None:
        """Refuse the next round if the server stops, or if the user is not the one that the plan was made for.

        A user that was deleted and made again has the same name and ARN, another id, and perhaps another owner. One
        that is gone is no danger: nothing can be done to it.
        """
        if self._is_stopping():
            raise IdentityError(Reason.SHUTTING_DOWN, "the server is shutting down", retry_after=1.0)
        if not plan.user_id:
            return
        user = await self._account.get_user(plan.target.name)
        if user is not None and user.user_id != plan.user_id:
            raise IdentityError(Reason.CONFLICT, "the user was deleted and made again by somebody else")

    async def _run_step(self, step: Step) -> None:
        try:
            executed = await self._carry_out(step)
        except IamError as error:
            if error.outcome_unknown:
                self._journal.uncertain.append(step)
            raise
        except BaseException:
            self._journal.uncertain.append(step)
            raise
        self._journal.done.append((step, executed))
        if isinstance(step, CreateUser) and self._journal.user:
            _check_boundary(step, self._journal.user)

    async def _carry_out(self, step: Step) -> ExecutedStep:
        match step:
            case CreateUser():
                return await self._create_user(step)
            case CreateGroup():
                return await self._create_group(step)
            case CreatePolicy():
                return await self._create_policy(step)
            case CreateAccessKey():
                key = await self._account.create_access_key(step.user_name)
                self._journal.access_key = key.value
                return _executed(step, key.receipt)
            case CreateVirtualMfaDevice():
                device = await self._account.create_virtual_mfa_device(step.device_name)
                self._journal.mfa_device = device.value
                return _executed(step, device.receipt)
            case CreateLoginProfile() if self._secrets.password:
                return _executed(
                    step,
                    await self._account.create_login_profile(
                        step.user_name, self._secrets.password, step.reset_required
                    ),
                )
            case EnableMfaDevice() if self._secrets.mfa_codes:
                codes = self._secrets.mfa_codes
                return _executed(
                    step, await self._account.enable_mfa_device(step.user_name, step.serial_number, *codes)
                )
            case _:
                return await self._converge(step)

    async def _create_user(self, step: CreateUser) -> ExecutedStep:
        async def made_before() -> UserRecord | None:
            user = await self._account.get_user(step.user_name, expected=True)
            return user if user and user.tags.get(tags.ROW) == step.tags[tags.ROW] else None

        try:
            answer = await self._account.create_user(step.user_name, step.path, step.boundary_arn, step.tags)
        except IamError as error:
            answer = await _unless_made_before(error, made_before)
        self._journal.user = answer.value
        return _executed(step, answer.receipt)

    async def _create_group(self, step: CreateGroup) -> ExecutedStep:
        async def made_before() -> GroupDetails | None:
            group = await self._account.get_group_details(step.group_name)
            return group if group and is_fresh(group, self._journal.started_at) else None

        try:
            answer = await self._account.create_group(step.group_name, step.path)
        except IamError as error:
            answer = await _unless_made_before(error, made_before, lost=error.outcome_unknown)
        self._journal.groups.append(answer.value)
        return _executed(step, answer.receipt)

    async def _create_policy(self, step: CreatePolicy) -> ExecutedStep:
        async def made_before() -> PolicyDetails | None:
            policy = await self._account.get_policy_details(step.policy_arn)
            return policy if policy and policy.tags.get(tags.ROW) == step.tags[tags.ROW] else None

        try:
            answer = await self._account.create_policy(step.policy_name, step.path, step.text, step.document, step.tags)
        except IamError as error:
            answer = await _unless_made_before(error, made_before)
        self._journal.policies.append(answer.value)
        return _executed(step, answer.receipt)

    async def _converge(self, step: Step) -> ExecutedStep:
        try:
            return _executed(step, await call_for(self._account, step))
        except IamError as error:
            if isinstance(step, DELETIONS) and error.kind is IamErrorKind.NOT_FOUND:
                return _executed(step, Receipt(error.request_id, datetime.now(UTC)), unchanged=True)
            raise


async def _unless_made_before(
    error: IamError, made_before: Callable[[], Awaitable[T | None]], *, lost: bool = True
) -> Answer[T]:
    """Take EntityAlreadyExists for success where an earlier sending of our own has made it; else raise the error.

    `lost` tells that an answer may have been lost before. What cannot be read does not change the error.
    """
    if error.kind is IamErrorKind.ALREADY_EXISTS and lost:
        try:
            made = await made_before()
        except IamError:
            made = None
        if made is not None:
            return Answer(made, Receipt(error.request_id, datetime.now(UTC)))
    raise error


def is_fresh(group: GroupDetails, started_at: datetime) -> bool:
    """Tell whether a group can be the one that a call with a lost answer has made: groups carry no tags."""
    is_empty = not (group.member_names or group.attached_policies or group.inline_policy_names)
    return is_empty and group.created_at >= started_at - CLOCK_TOLERANCE


def _executed(step: Step, receipt: Receipt, *, unchanged: bool = False) -> ExecutedStep:
    return ExecutedStep(step.iam_action, step.resource, receipt.request_id, receipt.completed_at, unchanged)


def _check_boundary(step: CreateUser, user: UserRecord) -> None:
    """Fail closed where IAM's own answer does not hold the boundary that was asked for."""
    if step.boundary_arn and user.boundary_arn != step.boundary_arn:
        raise IdentityError(
            Reason.BOUNDARY_NOT_KEPT,
            "IAM made the user without the permissions boundary",
            metadata={"permissions_boundary": step.boundary_arn},
        )
