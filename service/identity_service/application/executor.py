"""The executor: carries out a plan round by round, and notes what was done."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime

from identity_service.application.calls import call_for
from identity_service.application.ports import IamAccount, MintedAccessKey, Receipt
from identity_service.domain import tags
from identity_service.domain.entities import UserRecord
from identity_service.domain.errors import IamError, IamErrorKind, IdentityError, Reason
from identity_service.domain.outcome import ExecutedStep
from identity_service.domain.plan import Plan
from identity_service.domain.secret import Secret
from identity_service.domain.steps import DELETIONS, CreateAccessKey, CreateLoginProfile, CreateUser, Step


@dataclass
class Journal:
    """What was done so far; what an undo and an answer need to know.

    `done` is in the order of the answers; `uncertain` holds steps that failed without saying whether they were
    carried out. `user` is what CreateUser answered, `access_key` what CreateAccessKey did.
    """

    done: list[tuple[Step, ExecutedStep]] = field(default_factory=list)
    uncertain: list[Step] = field(default_factory=list)
    user: UserRecord | None = None
    access_key: MintedAccessKey | None = None

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
    """Carries out a plan in one account. `password` is given where the plan makes a console password."""

    def __init__(self, account: IamAccount, journal: Journal, password: Secret | None = None) -> None:
        self._account = account
        self._journal = journal
        self._password = password

    async def run(self, plan: Plan) -> None:
        """Carry out the steps, those of one round side by side.

        Raises StepFailedError with an IamError, an IdentityError BOUNDARY_NOT_KEPT, or what nobody expected.
        """
        for steps in plan.rounds():
            results = await asyncio.gather(*map(self._run_step, steps), return_exceptions=True)
            for step, result in zip(steps, results, strict=True):
                if isinstance(result, Exception):
                    raise StepFailedError(step, result) from None
                if isinstance(result, BaseException):
                    raise result

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
            case CreateAccessKey():
                answer = await self._account.create_access_key(step.user_name)
                self._journal.access_key = answer.value
                return _executed(step, answer.receipt)
            case CreateLoginProfile():
                if self._password is None:
                    raise ValueError("a plan with a console password is carried out without one")
                receipt = await self._account.create_login_profile(step.user_name, self._password, step.reset_required)
                return _executed(step, receipt)
            case _:
                return await self._converge(step)

    async def _create_user(self, step: CreateUser) -> ExecutedStep:
        try:
            answer = await self._account.create_user(step.user_name, step.path, step.boundary_arn, step.tags)
        except IamError as error:
            if error.kind is not IamErrorKind.ALREADY_EXISTS:
                raise
            # Perhaps our own call, whose answer was lost; the row tag tells.
            user = await self._account.get_user(step.user_name)
            if user is None or user.tags.get(tags.ROW) != step.tags[tags.ROW]:
                raise error from None
            self._journal.user = user
            return _executed(step, Receipt(error.request_id, datetime.now(UTC)))
        self._journal.user = answer.value
        return _executed(step, answer.receipt)

    async def _converge(self, step: Step) -> ExecutedStep:
        try:
            return _executed(step, await call_for(self._account, step))
        except IamError as error:
            if isinstance(step, DELETIONS) and error.kind is IamErrorKind.NOT_FOUND:
                return _executed(step, Receipt(error.request_id, datetime.now(UTC)), unchanged=True)
            raise


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
