"""What an attempt at a request has done so far."""

from dataclasses import dataclass, field
from datetime import datetime

from identity_service.application.ports import MintedAccessKey, MintedMfaDevice
from identity_service.domain.entities import GroupDetails, PolicyDetails, UserRecord
from identity_service.domain.outcome import ExecutedStep
from identity_service.domain.plan import Plan
from identity_service.domain.secret import Secret
from identity_service.domain.steps import Step


@dataclass(frozen=True)
class SecretInputs:
    """The secrets that steps need and that no plan holds: a console password, two codes of an MFA device.

    `generated` tells that the password is the service's own, and not the caller's.
    """

    password: Secret | None = None
    mfa_codes: tuple[Secret, Secret] | None = None
    generated: bool = False


@dataclass
class Journal:
    """What was done so far; what an undo and an answer need to know.

    `done` is in the order of the answers; `uncertain` holds steps that failed without saying whether they were
    carried out. The rest is what IAM answered when it made something. `begun_at` is when the first attempt began; one
    that is `resumed` cannot tell which steps the attempts before it have done.
    """

    begun_at: datetime
    resumed: bool = False
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

    def touched(self, plan: Plan) -> list[Step]:
        """Return the steps that this request has changed the account with, or may have."""
        changed = [step for step, executed in self.done if not executed.unchanged]
        if not self.resumed:
            return changed + self.uncertain
        # An attempt before this one may have made what this one found made already.
        return list(plan.steps)


class StepFailedError(Exception):
    """A step failed; every step of its round has ended, no later round was begun."""

    def __init__(self, step: Step, cause: Exception) -> None:
        super().__init__(step.iam_action)
        self.step = step
        self.cause = cause
