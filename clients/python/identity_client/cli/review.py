"""Shows one plan to a person, and plans to a machine."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from identity_client.cli.failures import error_document, message_document
from identity_client.cli.places import place_of
from identity_client.cli.planning import Reviewed
from identity_client.cli.session import printable
from identity_client.cli.wanted import WantedUser
from identity_provisioning.v1.error_pb2 import ErrorReason
from identity_provisioning.v1.plan_pb2 import ExecutedStep, Plan, PlanProblem, PlanWarning, QuotaUse

_REASON_PREFIX = "ERROR_REASON_"
PROBLEM = "red"
"""The style of what stops a plan."""
WARNING = "yellow"
"""The style of what the person should think about."""
DETAIL = "dim"
"""The style of what is good to know."""
_WIDTH_OF_FOUR_COLUMNS = 120
_LONGEST_LINE = 120


def show_brief(console: Console, user_name: str, plan: Plan, wanted: WantedUser | None = None) -> None:
    """Show what a plan does in one line, and all that is to be said about it."""
    actions = ", ".join(step.iam_action.removeprefix("iam:") for step in plan.steps)
    show_line(console, f"{user_name}: {actions or 'nothing to do'}")
    _show_remarks(console, plan, wanted)


def show_plan(console: Console, user_name: str, plan: Plan, wanted: WantedUser | None = None) -> None:
    """Show one plan; of a user of a file its problems are told with their lines."""
    title = printable(f"{user_name} in account {plan.account_id}")
    if not plan.steps:
        show_line(console, title)
    elif console.width < _WIDTH_OF_FOUR_COLUMNS:
        console.print(_stacked_steps(title, plan))
    else:
        console.print(_step_table(title, plan))
    _show_details(console, plan)
    if plan.quota_uses:
        uses = (f"{quota_name(use)} {quota_text(use)}" for use in plan.quota_uses)
        show_line(console, f"  quotas: {'; '.join(uses)}")
    _show_remarks(console, plan, wanted)
    console.print()


def _step_table(title: str, plan: Plan) -> Table:
    """Lay the steps out with a column for everything."""
    table = Table(title=title, title_justify="left")
    for heading in ("Round", "IAM action", "Resource", "What"):
        table.add_column(heading, overflow="fold")
    for step in plan.steps:
        cells = (str(step.round), step.iam_action, step.resource, step.description)
        table.add_row(*(printable(cell) for cell in cells))
    return table


def _stacked_steps(title: str, plan: Plan) -> Table:
    """Lay the steps out for a narrow terminal, where ARNs in columns of their own would be a word wide."""
    table = Table(title=title, title_justify="left", show_lines=True)
    table.add_column("Round")
    table.add_column("IAM action, what it does, and on which resource", overflow="fold")
    for step in plan.steps:
        texts = (step.iam_action, step.description, step.resource)
        table.add_row(str(step.round), printable("\n".join(text for text in texts if text)))
    return table


def _show_details(console: Console, plan: Plan) -> None:
    """Show what is granted and tagged, word for word: whoever signs a plan off has to see it."""
    for step in plan.steps:
        for name, value in sorted(step.details.items()):
            show_line(console, f"  {step.description.partition(' in ')[0]}: {name} = {_laid_out(value)}", DETAIL)


def _laid_out(value: str) -> str:
    """Answer a long document over several lines, anything else as it is.

    So is a document with a key that is there twice: laid out it would say less than it does.
    """
    if len(value) <= _LONGEST_LINE or not value.startswith("{"):
        return value
    try:
        document = json.loads(value, object_pairs_hook=_each_once)
    except (ValueError, RecursionError):
        return value
    return json.dumps(document, indent=2).replace("\n", "\n    ")


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a key is there twice")
    return dict(pairs)


def _show_remarks(console: Console, plan: Plan, wanted: WantedUser | None) -> None:
    for step in plan.unchanged_steps:
        show_line(console, f"  was so already: {step.description}", DETAIL)
    for warning in plan.warnings:
        word, style = ("warning", WARNING) if is_warning(warning) else ("note", DETAIL)
        show_line(console, f"  {word}: {warning.message}{of_field(warning.field)}", style)
    for problem in plan.problems:
        where = of_field(problem.field, wanted)
        show_line(console, f"  problem: {reason_of(problem)}: {problem.message}{where}", PROBLEM)


def show_steps(console: Console, steps: Iterable[ExecutedStep]) -> None:
    """Show what was done, call by call in words, and what was so already; an older server has the resource alone."""
    for step in steps:
        result, style = ("was so already", DETAIL) if step.unchanged else ("done", "green")
        show_line(console, f"  {result}: {step.iam_action} {step.description or step.resource}".rstrip(), style)


def show_line(console: Console, text: str, style: str = "") -> None:
    """Write one line, unbroken, so that it can be searched and copied."""
    console.print(printable(text), soft_wrap=True, style=style)


def quota_name(use: QuotaUse) -> str:
    """Answer a quota's name, with what it is counted for where a plan can use it more than once."""
    return f"{use.quota_name} of {use.subject}" if use.subject else use.quota_name


def quota_text(use: QuotaUse) -> str:
    """Answer what a plan makes of a quota."""
    return f"{use.used_before} → {use.used_after} of {use.limit}"


def reason_of(problem: PlanProblem) -> str:
    """Answer a problem's reason as errors carry it; a newer server's reason is answered as its number."""
    try:
        return ErrorReason.Name(problem.reason).removeprefix(_REASON_PREFIX)
    except ValueError:
        return str(problem.reason)


def review_document(reviewed: Sequence[Reviewed]) -> list[dict[str, Any]]:
    """Answer the plans as JSON values."""
    return [
        {
            "user_name": each.user.name,
            "can_run": each.can_run,
            "plan": None if each.plan is None else message_document(each.plan),
            "error": None if each.error is None else error_document(each.error),
        }
        for each in reviewed
    ]


def summary_document(reviewed: Sequence[Reviewed]) -> dict[str, int]:
    """Count what a reviewer signs off: users, calls, warnings, and plans that cannot run."""
    plans = [each.plan for each in reviewed if each.plan is not None]
    return {
        "users": len(reviewed),
        "calls": sum(len(plan.steps) for plan in plans),
        "warnings": sum(map(is_warning, (warning for plan in plans for warning in plan.warnings))),
        "cannot_run": sum(not each.can_run for each in reviewed),
    }


def summary_text(counts: Mapping[str, int]) -> str:
    """Answer what the plans of several users add up to, in words."""
    text = f"{counts['users']} users, {_counted(counts['calls'], 'call')}, {_counted(counts['warnings'], 'warning')}"
    return f"{text}, {counts['cannot_run']} cannot run" if counts["cannot_run"] else text


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def is_warning(warning: PlanWarning) -> bool:
    """Tell whether a person has to think about it; other findings are good to know."""
    return warning.severity != PlanWarning.SEVERITY_INFORMATION


def of_field(name: str, user: WantedUser | None = None) -> str:
    """Answer the field that a remark is about, and its line of a users file if known, as the remark's end."""
    told = ", ".join(filter(None, (name, "" if user is None else place_of(user, name))))
    return f" ({told})" if told else ""
