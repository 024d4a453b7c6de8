"""Shows the plans of many users: each as a whole where they are few, else those that are alike together.

Whatever the number of users, what is kept of them is small: their digests, and what is the same for many of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from rich.console import Console

from identity_client import IdentityServiceError
from identity_client.cli.alike import Alike, Users, likeness, neutral
from identity_client.cli.failures import explained
from identity_client.cli.places import place_of
from identity_client.cli.planning import Reviewed, plan_digests
from identity_client.cli.review import (
    DETAIL,
    PROBLEM,
    WARNING,
    is_warning,
    of_field,
    quota_name,
    quota_text,
    reason_of,
    show_brief,
    show_line,
    show_plan,
    summary_document,
    summary_text,
)
from identity_client.cli.wanted import WantedUser
from identity_provisioning.v1.plan_pb2 import Plan, QuotaUse

FEW = 10
"""So many users are shown one by one."""
_MOST_KINDS = 50
_MOST_REMARKS = 20
_OF_THE_ACCOUNT = ("UsersQuota", "GroupsQuota", "PoliciesQuota")


def show_review(
    console: Console,
    reviewed: Sequence[Reviewed],
    quota_uses: Iterable[QuotaUse] = (),
    *,
    in_brief: bool = False,
    in_full: bool = False,
) -> None:
    """Show all plans: steps, quotas, warnings, problems; in brief, where nobody is asked, the steps as one line.

    `quota_uses` are the account's over all users where the service has planned them together.
    """
    review = BulkReview(console, len(reviewed), in_brief=in_brief, in_full=in_full)
    for each in reviewed:
        review.add(each)
    review.finish(quota_uses)


class BulkReview:
    """Takes the plans one after the other.

    Attributes:
        digests: the plans' digests, empty where one cannot run.
        stuck: the users whose plans cannot run.
    """

    def __init__(self, console: Console, total: int, *, in_brief: bool = False, in_full: bool = False) -> None:
        """Take where to write, how many plans there will be, and whether each is shown in a line or as a whole."""
        self.digests: list[str] = []
        self.stuck = Users(most=FEW)
        self._console = console
        self._total = total
        self._in_brief = in_brief
        self._one_by_one = in_full or total <= FEW
        self._counts: Counter[str] = Counter()
        self._kinds: dict[bytes, Alike] = {}
        self._further = Users()
        self._remarks = _Remarks()
        self._quotas: dict[str, QuotaUse] = {}

    def add(self, each: Reviewed) -> None:
        """Show a user's plan, or put it to those that are like it."""
        self.digests += plan_digests([each])
        self._counts.update(summary_document([each]))
        if not each.can_run:
            self.stuck.add(each.user.name)
        if each.plan is not None:
            self._count_quotas(each.plan.quota_uses)
        if self._one_by_one:
            self._show_one(each)
        else:
            self._sort(each)

    def finish(self, quota_uses: Iterable[QuotaUse] = ()) -> None:
        """Show what is alike, and what all of it adds up to.

        Args:
            quota_uses: of the account over all users, as the service has planned them; else the sums of the plans.
        """
        for alike in self._kinds.values():
            self._show_plan(_title(alike.users), alike.plan())
        if self._further.count:
            show_line(
                self._console,
                f"{self._further.count} users ({self._further}): further plans that differ; --full shows each.",
            )
        self._remarks.show(self._console)
        if self._total > 1:
            self._show_quotas([*quota_uses] or [*self._quotas.values()])
            show_line(self._console, summary_text(self._counts))

    def _show_one(self, each: Reviewed) -> None:
        if each.plan is not None:
            plan = each.plan if self._total == 1 else _of_user_alone(each.plan)
            self._show_plan(each.user.name, plan, each.user)
        if each.error is not None:
            show_line(self._console, each.user.name)
            show_line(self._console, f"  problem: {_explained(each.user, each.error)}", PROBLEM)

    def _show_plan(self, title: str, plan: Plan, wanted: WantedUser | None = None) -> None:
        if not self._in_brief:
            show_plan(self._console, title, plan, wanted)
        elif self._one_by_one:
            show_brief(self._console, title, plan, wanted)
        else:
            steps = "; ".join(step.description or step.iam_action for step in plan.steps)
            show_line(self._console, f"{title}: {steps or 'nothing to do'}")

    def _show_quotas(self, uses: Sequence[QuotaUse]) -> None:
        """Show what is used of the account; each plan may fit, and all of them not."""
        if uses:
            told = "; ".join(f"{quota_name(use)} {quota_text(use)}" for use in uses)
            show_line(self._console, f"quotas of the account: {told}")
        for use in uses:
            if use.used_after > use.limit:
                show_line(self._console, f"problem: {use.quota_name} does not suffice for all of them", PROBLEM)

    def _sort(self, each: Reviewed) -> None:
        self._remarks.note(each)
        if each.plan is None or not each.can_run:
            return
        kind = likeness(each.user.name, each.plan)
        if kind in self._kinds:
            self._kinds[kind].add(each.user.name, each.plan)
        elif len(self._kinds) < _MOST_KINDS:
            self._kinds[kind] = Alike(each.user.name, _of_user_alone(each.plan, with_remarks=False))
        else:
            self._further.add(each.user.name)

    def _count_quotas(self, uses: Iterable[QuotaUse]) -> None:
        """Add up what each plan takes of the account, as if it were alone."""
        for use in uses:
            if use.quota_name not in _OF_THE_ACCOUNT:
                continue
            whole = self._quotas.setdefault(
                use.quota_name,
                QuotaUse(
                    quota_name=use.quota_name,
                    used_before=use.used_before,
                    used_after=use.used_before,
                    limit=use.limit,
                ),
            )
            whole.used_after += use.used_after - use.used_before


class _Remarks:
    """What there is to be said about the plans: each warning once, the first problems word for word."""

    def __init__(self) -> None:
        self._warnings: dict[tuple[str, str], Users] = {}
        self._further_warnings = 0
        self._problems: list[str] = []
        self._further_problems = 0

    def note(self, each: Reviewed) -> None:
        """Take what stands in a user's plan."""
        name = each.user.name
        if each.error is not None:
            self._note_problem(f"{name}: {_explained(each.user, each.error)}")
        if each.plan is None:
            return
        for warning in each.plan.warnings:
            word = "warning" if is_warning(warning) else "note"
            self._note_warning((word, f"{neutral(warning.message, name)}{of_field(warning.field)}"), name)
        for problem in each.plan.problems:
            self._note_problem(f"{name}: {reason_of(problem)}: {problem.message}{of_field(problem.field, each.user)}")

    def show(self, console: Console) -> None:
        """Write them."""
        for (word, text), users in self._warnings.items():
            show_line(console, f"{word}: {text}: {_title(users)}", WARNING if word == "warning" else DETAIL)
        if self._further_warnings:
            show_line(console, f"warning: and {self._further_warnings} others; --full shows each", WARNING)
        for text in self._problems:
            show_line(console, f"problem: {text}", PROBLEM)
        if self._further_problems:
            show_line(console, f"problem: and {self._further_problems} more; --full shows each", PROBLEM)

    def _note_warning(self, said: tuple[str, str], name: str) -> None:
        if said in self._warnings or len(self._warnings) < _MOST_REMARKS:
            self._warnings.setdefault(said, Users()).add(name)
        else:
            self._further_warnings += 1

    def _note_problem(self, text: str) -> None:
        if len(self._problems) < _MOST_REMARKS:
            self._problems.append(text)
        else:
            self._further_problems += 1


def _explained(user: WantedUser, error: IdentityServiceError) -> str:
    """Answer what is wrong with a user, and in which lines of its file."""
    places = dict.fromkeys(place_of(user, violation.field) for violation in error.field_violations)
    lines = ", ".join(filter(None, places))
    return f"{explained(error)} See {lines}." if lines else explained(error)


def _title(users: Users) -> str:
    return str(users) if users.count == 1 else f"{users.count} users ({users})"


def _of_user_alone(plan: Plan, *, with_remarks: bool = True) -> Plan:
    """Answer a plan without the quotas of the account, of which one user among many says nothing."""
    alone = Plan()
    alone.CopyFrom(plan)
    del alone.quota_uses[:]
    alone.quota_uses.extend(use for use in plan.quota_uses if use.quota_name not in _OF_THE_ACCOUNT)
    if not with_remarks:
        del alone.warnings[:]
        del alone.problems[:]
    return alone
