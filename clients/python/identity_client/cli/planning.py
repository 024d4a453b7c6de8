"""Has the service plan every user, before anything is created."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from identity_client import IdentityClient, IdentityServiceError
from identity_client.cli.exit_codes import ExitCode
from identity_client.cli.failures import CliError, as_cli_error, cannot_reach
from identity_client.cli.wanted import WantedUser, ask_for
from identity_provisioning.v1.plan_pb2 import Plan

PARALLEL_CALLS = 4


@dataclass(frozen=True)
class Reviewed:
    """A user with the plan for it, or with the reason why there is none."""

    user: WantedUser
    plan: Plan | None = None
    error: IdentityServiceError | None = None

    @property
    def can_run(self) -> bool:
        """Tell whether the plan has nothing against it."""
        return self.plan is not None and not self.plan.problems


def plan_users(client: IdentityClient, users: Sequence[WantedUser]) -> list[Reviewed]:
    """Answer every user's plan, in the order of the users.

    Raises:
        CliError: the service cannot be reached or does not know the caller.
    """
    reviewed = list(_side_by_side(lambda user: _review(client, user), users))
    for each in reviewed:
        if each.error is not None and cannot_reach(each.error):
            raise as_cli_error(each.error)
    return reviewed


def combined_digest(plan_digests: Sequence[str]) -> str:
    """Answer one digest over the plans of a whole run, in the order of the users; empty if one cannot run."""
    if not all(plan_digests):
        return ""
    return hashlib.sha256("\n".join(plan_digests).encode()).hexdigest()


def require_approved(digest: str, now: str) -> None:
    """Go on only with the plans that were approved, if some were.

    Raises:
        CliError: the plans have another digest now.
    """
    if digest and digest != now:
        raise CliError(
            f"The plans are not the ones that were approved: their digest is {now}. Nothing was created. Have them "
            "reviewed anew with `identityctl plan`.",
            ExitCode.PLAN_HAS_PROBLEMS,
        )


def plan_digests(reviewed: Sequence[Reviewed]) -> list[str]:
    """Answer each plan's digest; an empty one where the plan cannot run."""
    return [each.plan.digest if each.plan is not None and each.can_run else "" for each in reviewed]


def _review(client: IdentityClient, user: WantedUser) -> Reviewed:
    try:
        return Reviewed(user, plan=ask_for(client, user, validate_only=True).plan)
    except IdentityServiceError as error:
        return Reviewed(user, error=error)


def _side_by_side(work: Callable[[WantedUser], Reviewed], users: Iterable[WantedUser]) -> Iterator[Reviewed]:
    with ThreadPoolExecutor(PARALLEL_CALLS) as pool:
        yield from pool.map(work, users)
