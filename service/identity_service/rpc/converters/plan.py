"""Plans, and the steps that came of them."""

from collections.abc import Iterable
from dataclasses import replace

from identity_provisioning.v1 import plan_pb2
from identity_provisioning.v1.error_pb2 import ErrorReason
from identity_service.domain.outcome import ExecutedStep
from identity_service.domain.plan import Plan, PlanWarning, Problem, QuotaUse
from identity_service.domain.steps import Step
from identity_service.domain.target import TargetKind
from identity_service.rpc.converters.times import to_optional_timestamp

TARGET_FIELDS = {TargetKind.USER: "user_name", TargetKind.GROUP: "group_name", TargetKind.POLICY: "policy"}


def to_plan(plan: Plan) -> plan_pb2.Plan:
    """Convert a plan, its steps in the order of their rounds; one with problems has no digest."""
    converted = plan_pb2.Plan(
        account_id=plan.account_id,
        digest="" if plan.problems else plan.digest,
        steps=[_step(step) for steps in plan.rounds() for step in steps],
        quota_uses=to_quota_uses(plan.quota_uses),
        warnings=[_warning(warning) for warning in plan.warnings],
        problems=[_problem(problem) for problem in plan.problems],
        unchanged_steps=[_step(replace(step, round=0)) for step in plan.satisfied],
    )
    setattr(converted, TARGET_FIELDS[plan.target.kind], plan.target.name)
    return converted


def to_executed_steps(steps: Iterable[ExecutedStep]) -> list[plan_pb2.ExecutedStep]:
    """Convert the calls that were made."""
    return [
        plan_pb2.ExecutedStep(
            iam_action=step.iam_action,
            resource=step.resource,
            aws_request_id=step.aws_request_id,
            complete_time=to_optional_timestamp(step.completed_at),
            unchanged=step.unchanged,
            description=step.description,
        )
        for step in steps
    ]


def _step(step: Step) -> plan_pb2.PlanStep:
    return plan_pb2.PlanStep(
        iam_action=step.iam_action,
        resource=step.resource,
        description=step.description,
        round=step.round,
        details=step.details,
    )


def to_quota_uses(uses: Iterable[QuotaUse]) -> list[plan_pb2.QuotaUse]:
    """Convert the use of quotas."""
    return [_quota_use(use) for use in uses]


def _quota_use(use: QuotaUse) -> plan_pb2.QuotaUse:
    return plan_pb2.QuotaUse(
        quota_name=use.quota_name,
        used_before=use.used_before,
        used_after=use.used_after,
        limit=use.limit,
        subject=use.subject,
    )


def _warning(warning: PlanWarning) -> plan_pb2.PlanWarning:
    kind = plan_pb2.PlanWarning.Kind.Value(f"KIND_{warning.kind.name}")
    severity = plan_pb2.PlanWarning.Severity.Value(f"SEVERITY_{warning.severity.name}")
    return plan_pb2.PlanWarning(kind=kind, message=warning.message, field=warning.field, severity=severity)


def _problem(problem: Problem) -> plan_pb2.PlanProblem:
    reason = ErrorReason.Value(f"ERROR_REASON_{problem.reason.name}")
    return plan_pb2.PlanProblem(reason=reason, message=problem.message, field=problem.field)
