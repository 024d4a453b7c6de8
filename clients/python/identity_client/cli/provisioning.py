"""Makes the users of a reviewed run, side by side, and hands each one's credentials out as they come."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager, suppress
from dataclasses import replace

from identity_client import IdentityClient, IdentityServiceError
from identity_client.cli.failures import BadInputError, outcome_unknown
from identity_client.cli.hand_outs import HandOutError, HandOuts
from identity_client.cli.outcome import Outcome, Status
from identity_client.cli.planning import PARALLEL_CALLS, Reviewed
from identity_client.cli.resume import ResumeFile, Started
from identity_client.cli.wanted import WantedUser, ask_for


def remember(resume: ResumeFile, reviewed: Sequence[Reviewed]) -> None:
    """Make the request ids and put them on the disk, before any of them is sent."""
    for each in reviewed:
        if each.plan is not None:
            resume.started[each.user.name] = Started(str(uuid.uuid4()), each.plan.digest)
    resume.save()


def _going_on_unremembered() -> AbstractContextManager[None]:
    """Pass over a resume file that cannot be written any more.

    Its ids were on the disk before they were sent, and that is all that safety needs; stopping here would throw
    away the answers of the users that are under way.
    """
    return suppress(BadInputError)


class ProvisioningRun:
    """One run over many users.

    One user's failure does not stop the others. An interrupt does stop what has not begun, and so does a
    credentials file that cannot be written. What is under way is waited for, because its answer holds
    secrets.
    """

    def __init__(
        self, client: IdentityClient, users: Sequence[WantedUser], resume: ResumeFile, hand_outs: HandOuts
    ) -> None:
        """Take the users, whose request ids the resume file has."""
        self.stopped = False
        self._client = client
        self._users = users
        self._resume = resume
        self._hand_outs = hand_outs
        self._futures: dict[Future[Outcome], WantedUser] = {}

    def stop(self) -> None:
        """Start nothing more."""
        self.stopped = True
        for future in self._futures:
            future.cancel()

    def outcomes(self) -> Iterator[Outcome]:
        """Yield what became of each user, as it comes."""
        with ThreadPoolExecutor(PARALLEL_CALLS) as pool:
            self._futures = {pool.submit(self._provision, user): user for user in self._users}
            if self.stopped:
                self.stop()
            for future in as_completed(self._futures):
                yield self._settled(future, self._futures[future])

    def _provision(self, user: WantedUser) -> Outcome:
        started = self._resume.started[user.name]
        try:
            response = ask_for(self._client, user, plan_digest=started.plan_digest, request_id=started.request_id)
        except IdentityServiceError as error:
            return Outcome(user, "failed", started.request_id, error=error)
        status: Status = "replayed" if response.replayed else "made"
        return Outcome(user, status, started.request_id, response=response, handed_out_to=started.handed_out_to)

    def _settled(self, future: Future[Outcome], user: WantedUser) -> Outcome:
        if future.cancelled():
            return Outcome(user, "not started", self._resume.started[user.name].request_id)
        outcome = future.result()
        if outcome.error is not None and not outcome_unknown(outcome.error):
            with _going_on_unremembered():
                self._resume.forget(user.name)
        return self._handed_out(outcome)

    def _handed_out(self, outcome: Outcome) -> Outcome:
        if outcome.response is None:
            return outcome
        try:
            place, notes = self._hand_outs.deliver(outcome.user, outcome.response)
        except HandOutError as error:
            self.stop()
            return replace(outcome, status="failed", notes=(str(error),))
        if place:
            with _going_on_unremembered():
                self._resume.note_hand_out(outcome.user.name, place)
        return replace(outcome, notes=notes)
