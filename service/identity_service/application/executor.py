"""The executor: carries out a plan round by round, and notes what was done."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import TypeVar

from identity_service.application.journal import Journal, SecretInputs, StepFailedError
from identity_service.application.late_deletions import LateDeletions
from identity_service.application.lease import Lease, LeaseLostError
from identity_service.application.mints import Mints
from identity_service.application.ports import Answer, IamAccount, Receipt
from identity_service.domain import tags
from identity_service.domain.entities import GroupDetails, UserRecord
from identity_service.domain.errors import IamError, IamErrorKind, IdentityError, Reason, Resource
from identity_service.domain.minting import CLOCK_TOLERANCE
from identity_service.domain.names import name_key
from identity_service.domain.outcome import ExecutedStep
from identity_service.domain.plan import Plan
from identity_service.domain.secret import Secret
from identity_service.domain.steps import (
    DELETIONS,
    AttachGroupPolicy,
    CreateAccessKey,
    CreateGroup,
    CreateLoginProfile,
    CreatePolicy,
    CreateUser,
    CreateVirtualMfaDevice,
    DeletePolicy,
    DeleteVirtualMfaDevice,
    EnableMfaDevice,
    Step,
    TagMfaDevice,
    UpdateUser,
    UserStep,
)

T = TypeVar("T")


class Executor:
    """Carries out a plan in one account, as long as the lease holds.

    Every step converges: one that an earlier attempt has done is done already. What cannot converge is minted by
    `mints`. `team` is whom the plan was authorized for. `is_stopping` tells that the server wants to end soon: no
    further round is begun then.
    """

    def __init__(
        self,
        *,
        account: IamAccount,
        lease: Lease,
        journal: Journal,
        mints: Mints,
        late_deletions: LateDeletions,
        secrets: SecretInputs,
        team: str,
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._account = account
        self._team = team
        self._lease = lease
        self._journal = journal
        self._mints = mints
        self._late_deletions = late_deletions
        self._secrets = secrets
        self._is_stopping = is_stopping

    async def run(self, plan: Plan) -> None:
        """Carry out the steps, those of one round side by side.

        Raises StepFailedError with an IamError, an IdentityError (BOUNDARY_NOT_KEPT, SHUTTING_DOWN, CONFLICT,
        STORE_UNAVAILABLE), or what nobody expected; LeaseLostError if another attempt goes on with the plan.
        """
        for steps in plan.rounds():
            try:
                await self._may_go_on(plan)
            except (IamError, IdentityError) as error:
                raise StepFailedError(steps[0], error) from None
            results = await asyncio.gather(*(self._run_step(step, plan) for step in steps), return_exceptions=True)
            if any(isinstance(result, LeaseLostError) for result in results):
                raise LeaseLostError
            for step, result in zip(steps, results, strict=True):
                if isinstance(result, Exception) and not await self._is_behind_a_rename(plan, step, result):
                    raise StepFailedError(step, result) from None
                if isinstance(result, BaseException) and not isinstance(result, Exception):
                    raise result

    async def _may_go_on(self, plan: Plan) -> None:
        """Refuse the next round if the server stops, or if the target is not the one that the plan was made for.

        A user that was deleted and made again has the same name and ARN, another id, and perhaps another owner. One
        that is gone is no danger: nothing can be done to it. Between the plan and now, which may be days where a
        request is repeated, another team may have adopted the user, or made a policy or a device of the same ARN.
        """
        self._lease.require()
        if self._is_stopping():
            raise IdentityError(Reason.SHUTTING_DOWN, "the server is shutting down", retry_after=1.0)
        await self._require_same_user(plan)
        for step in plan.steps:
            if isinstance(step, DeletePolicy):
                policy = await self._account.get_policy_details(step.policy_arn)
                self._require_not_anothers(policy.tags if policy else {}, Resource("iam:Policy", step.policy_arn))
            # A pending device stands beside its user: where no user is worked on, it is its own owner's.
            if isinstance(step, DeleteVirtualMfaDevice) and not plan.user_id:
                held = await self._account.get_mfa_device_tags(step.serial_number)
                self._require_not_anothers(held or {}, Resource("iam:MFADevice", step.serial_number))

    async def _require_same_user(self, plan: Plan) -> None:
        if not plan.user_id:
            return
        user = await self._account.get_user(plan.target.name)
        if user is None:
            return
        if user.user_id != plan.user_id:
            raise IdentityError(Reason.CONFLICT, "the user was deleted and made again by somebody else")
        self._require_not_anothers(user.tags, Resource("iam:User", user.user_name))

    def _require_not_anothers(self, held: Mapping[str, str], resource: Resource) -> None:
        if tags.owner_of(held) not in ("", self._team):
            raise IdentityError(Reason.NOT_OWNER, f"{resource.name} is another team's by now", resource=resource)

    async def _is_behind_a_rename(self, plan: Plan, step: Step, failure: Exception) -> bool:
        """Tell whether a step misses its user since an earlier sending has renamed it; it counts as done then.

        So it is after a lost answer of UpdateUser, and where a request goes on that was stopped after the rename.
        """
        if not (isinstance(failure, IamError) and failure.kind is IamErrorKind.NOT_FOUND):
            return False
        renames = [other for other in plan.steps if isinstance(other, UpdateUser) and other.new_user_name]
        if not (renames and isinstance(step, UserStep) and step.user_name == renames[0].user_name):
            return False
        try:
            user = await self._account.get_user(str(renames[0].new_user_name), expected=True)
        except IamError:
            return False
        if user is None or user.user_id != plan.user_id:
            return False
        receipt = Receipt(failure.request_id, datetime.now(UTC))
        self._journal.done.append((step, _executed(step, receipt, unchanged=True)))
        return True

    async def _run_step(self, step: Step, plan: Plan) -> None:
        try:
            executed = await self._carry_out(step, plan)
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

    async def _carry_out(self, step: Step, plan: Plan) -> ExecutedStep:
        match step:
            case CreateUser():
                return await self._create_user(step)
            case CreateGroup():
                return await self._create_group(step, plan)
            case CreatePolicy():
                return await self._create_policy(step)
            case CreateAccessKey():
                key = await self._mints.create_access_key(step)
                self._journal.access_key = key.value
                return _executed(step, key.receipt)
            case CreateVirtualMfaDevice():
                device = await self._mints.create_mfa_device(step)
                self._journal.mfa_device = device.value
                return _executed(step, device.receipt)
            case CreateLoginProfile() if self._secrets.password:
                return _executed(step, await self._mints.create_login_profile(step, self._secrets.password))
            case EnableMfaDevice() if self._secrets.mfa_codes:
                return await self._enable_mfa_device(step, self._secrets.mfa_codes)
            case UpdateUser():
                return await self._update_user(step, plan)
            case _:
                return await self._converge(step)

    async def _create_user(self, step: CreateUser) -> ExecutedStep:
        try:
            answer = await self._account.create_user(step.user_name, step.path, step.boundary_arn, step.tags)
        except IamError as error:
            answer = await self._unless_made_before(
                error,
                find=lambda: self._account.get_user(step.user_name, expected=True),
                is_own=lambda user: user.tags.get(tags.ROW) == step.tags[tags.ROW],
            )
        self._journal.user = answer.value
        return _executed(step, answer.receipt)

    async def _create_group(self, step: CreateGroup, plan: Plan) -> ExecutedStep:
        try:
            answer = await self._account.create_group(step.group_name, step.path)
        except IamError as error:
            if not self._may_be_own(error):
                raise
            answer = await self._unless_made_before(
                error,
                find=lambda: self._account.get_group_details(step.group_name),
                is_own=lambda group: is_made_for(plan, group, self._journal.begun_at),
            )
        self._journal.groups.append(answer.value)
        return _executed(step, answer.receipt)

    async def _create_policy(self, step: CreatePolicy) -> ExecutedStep:
        try:
            answer = await self._account.create_policy(step.policy_name, step.path, step.text, step.document, step.tags)
        except IamError as error:
            answer = await self._unless_made_before(
                error,
                find=lambda: self._account.get_policy_details(step.policy_arn),
                is_own=lambda policy: policy.tags.get(tags.ROW) == step.tags[tags.ROW],
            )
        self._journal.policies.append(answer.value)
        return _executed(step, answer.receipt)

    def _may_be_own(self, error: IamError) -> bool:
        """Tell whether an earlier sending, of this attempt or of one before, may have done what a refusal speaks of."""
        return error.outcome_unknown or self._journal.resumed

    async def _unless_made_before(
        self, error: IamError, find: Callable[[], Awaitable[T | None]], is_own: Callable[[T], bool]
    ) -> Answer[T]:
        """Take EntityAlreadyExists for success where an earlier sending of our own has made it; else raise the error.

        What exists and cannot be seen yet, or read, may be our own: that passes, and is no answer for good.
        """
        if error.kind is not IamErrorKind.ALREADY_EXISTS:
            raise error
        try:
            found = await find()
        except IamError:
            found = None
        if found is not None and is_own(found):
            return Answer(found, Receipt(error.request_id, datetime.now(UTC)))
        if found is None and self._may_be_own(error):
            raise IamError(
                IamErrorKind.BUSY, error.action, error.code, error.http_status, error.request_id, error.outcome_unknown
            )
        raise error

    async def _enable_mfa_device(self, step: EnableMfaDevice, codes: tuple[Secret, Secret]) -> ExecutedStep:
        try:
            receipt = await self._account.enable_mfa_device(step.user_name, step.serial_number, *codes)
        except IamError as error:
            if self._journal.resumed and await self._is_enabled(step):
                return _executed(step, Receipt(error.request_id, datetime.now(UTC)), unchanged=True)
            raise
        return _executed(step, receipt)

    async def _is_enabled(self, step: EnableMfaDevice) -> bool:
        devices = await self._account.list_mfa_devices(step.user_name)
        return step.serial_number in {device.serial_number for device in devices}

    async def _update_user(self, step: UpdateUser, plan: Plan) -> ExecutedStep:
        """Rename or move; under the old name an earlier attempt may have left nobody."""
        try:
            return await self._converge(step)
        except IamError as error:
            if self._journal.resumed and error.kind in (IamErrorKind.NOT_FOUND, IamErrorKind.ALREADY_EXISTS):
                moved = await self._account.get_user(step.new_user_name or step.user_name)
                if moved is not None and moved.user_id == plan.user_id:
                    return _executed(step, Receipt(error.request_id, datetime.now(UTC)), unchanged=True)
            raise

    async def _converge(self, step: Step) -> ExecutedStep:
        try:
            receipt = await self._late_deletions.send(self._account, step)
        except IamError as error:
            # A device that is gone needs no tags either.
            if isinstance(step, (*DELETIONS, TagMfaDevice)) and error.kind is IamErrorKind.NOT_FOUND:
                return _executed(step, Receipt(error.request_id, datetime.now(UTC)), unchanged=True)
            raise
        return _executed(step, receipt)


def is_made_for(plan: Plan, group: GroupDetails, begun_at: datetime) -> bool:
    """Tell whether a group can be the one that a lost call for a plan has made: groups carry no tags.

    It was made since the request began, and holds nothing but what the plan gives it, and nobody but the plan's user.
    """
    attached = {step.policy_arn for step in plan.steps if isinstance(step, AttachGroupPolicy)}
    holds_ours_only = attached.issuperset(policy.policy_arn for policy in group.attached_policies)
    members = {name_key(plan.target.name)}.issuperset(map(name_key, group.member_names))
    return (
        holds_ours_only and members and not group.inline_policy_names and group.created_at >= begun_at - CLOCK_TOLERANCE
    )


def _executed(step: Step, receipt: Receipt, *, unchanged: bool = False) -> ExecutedStep:
    return ExecutedStep(
        step.iam_action, step.resource, receipt.request_id, receipt.completed_at, unchanged, step.description
    )


def _check_boundary(step: CreateUser, user: UserRecord) -> None:
    """Fail closed where IAM's own answer does not hold the boundary that was asked for."""
    if step.boundary_arn and user.boundary_arn != step.boundary_arn:
        raise IdentityError(
            Reason.BOUNDARY_NOT_KEPT,
            "IAM made the user without the permissions boundary",
            metadata={"permissions_boundary": step.boundary_arn},
        )
