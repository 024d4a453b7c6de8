"""Makes the users of a reviewed run, side by side, and hands each one's credentials out as they come."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager, suppress
from dataclasses import replace

from identity_client import IdentityClient, IdentityServiceError
from identity_client.cli.failures import BadInputError, outcome_unknown
from identity_client.cli.hand_outs import HandOutError, HandOuts
from identity_client.cli.outcome import Outcome, Status
from identity_client.cli.planning import PARALLEL_CALLS, Reviewed
from identity_client.cli.resume import ResumeFile, Started
from identity_client.cli.sealing import Sealing
from identity_client.cli.wanted import WantedUser, ask_for
from identity_provisioning.v1.user_service_pb2 import ProvisionUserResponse

_STANDARD_OUTPUT = "standard output"


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
    credentials file or an output that cannot be written. What is under way is waited for, because its answer
    holds secrets.

    Attributes:
        output_error: why the output could not be written; None if it could.
    """

    def __init__(
        self,
        client: IdentityClient,
        users: Sequence[WantedUser],
        resume: ResumeFile,
        hand_outs: HandOuts,
        show: Callable[[Outcome], None] | None = None,
        sealing: Sealing | None = None,
        *,
        reissue: bool = False,
    ) -> None:
        """Take the users, whose request ids the resume file has, and what writes each outcome to the output at once.

        With `reissue`, secrets that an earlier run has lost are made anew.
        """
        self._reissue = reissue
        self._sealing = sealing or Sealing()
        self.stopped = False
        self.output_error: OSError | None = None
        self._show = show
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

    def carry_out(self, on_settled: Callable[[], None]) -> list[Outcome]:
        """Make the users, call `on_settled` after each, and answer what became of them, in their order.

        Nothing but the end of the process leaves this before the last answer: each may hold secrets.
        """
        found: dict[str, Outcome] = {}
        with ThreadPoolExecutor(PARALLEL_CALLS) as pool:
            self._futures = {pool.submit(self._provision, user): user for user in self._users}
            if self.stopped:
                self.stop()
            for future in as_completed(self._futures):
                user = self._futures[future]
                found[user.name] = self._shown(self._settled(future, user))
                with suppress(Exception):  # whoever looks on does not stop the run
                    on_settled()
        return [found[user.name] for user in self._users]

    def _provision(self, user: WantedUser, *, reissue: bool | None = None) -> Outcome:
        started = self._resume.started[user.name]
        try:
            response = ask_for(
                self._client,
                user,
                plan_digest=started.plan_digest,
                request_id=started.request_id,
                reissue_secrets=reissue,
            )
        except IdentityServiceError as error:
            return Outcome(user, "failed", started.request_id, error=error)
        status: Status = "replayed" if response.replayed else "made"
        return Outcome(user, status, started.request_id, response=response, handed_out_to=started.handed_out_to)

    def _settled(self, future: Future[Outcome], user: WantedUser) -> Outcome:
        """Answer what became of a user; whatever goes wrong with one is that one's failure."""
        started = self._resume.started[user.name]
        if future.cancelled():
            return Outcome(user, "not started", started.request_id)
        outcome = Outcome(user, "failed", started.request_id)
        try:
            outcome = future.result()
            return self._handed_out(outcome)
        except Exception as error:  # noqa: BLE001 -- the other users' answers hold secrets and are still to be written
            note = f"An unexpected fault ended it: {type(error).__name__}. Run the same command again."
            return replace(outcome, status="failed", notes=(note,))

    def _shown(self, outcome: Outcome) -> Outcome:
        """Write the outcome to the output before the next one is waited for: a kill later on loses no secret."""
        if self._show is None:
            return outcome
        try:
            self._show(outcome)
        except OSError as error:
            self.output_error = error
            self.stop()
            return self._not_shown(outcome)
        started = self._resume.started.get(outcome.user.name)
        fresh = outcome.response is not None and not outcome.secrets_withheld
        if fresh and started is not None and not started.handed_out_to:
            with _going_on_unremembered():
                self._resume.note_hand_out(outcome.user.name, _STANDARD_OUTPUT)
        return outcome

    def _not_shown(self, outcome: Outcome) -> Outcome:
        """Answer what became of a user whose outcome the output did not take; the secrets may be in files."""
        started = self._resume.started.get(outcome.user.name)
        elsewhere = started is not None and started.handed_out_to
        fresh = outcome.response is not None and not outcome.secrets_withheld
        if elsewhere or not fresh or not outcome.user.awaits_secrets:
            return outcome
        self._forget(outcome)
        return replace(outcome, status="secrets lost", notes=("The output could not be written.",))

    def _handed_out(self, outcome: Outcome) -> Outcome:
        if outcome.error is not None and not outcome_unknown(outcome.error):
            self._forget(outcome)
        if outcome.response is None:
            return outcome
        if outcome.response.credentials.sealed_secrets:
            return self._unsealed(outcome, outcome.response)
        if outcome.secrets_withheld and not outcome.handed_out_to:
            return self._found_again(outcome, outcome.response)
        return self._delivered(outcome, outcome.response)

    def _unsealed(self, outcome: Outcome, response: ProvisionUserResponse) -> Outcome:
        """Open the secrets if that is wanted; those that an earlier run opened into a file are not written twice."""
        place = "" if outcome.handed_out_to == _STANDARD_OUTPUT else outcome.handed_out_to
        place = place or (self._hand_outs.earlier_place(outcome.user, response) if response.replayed else "")
        complaint = self._sealing.open_answer(response.credentials, outcome.user.name)
        if complaint:
            return replace(outcome, status="failed", notes=(complaint,))
        if place:
            response.credentials.secrets_withheld = True
            outcome = replace(outcome, handed_out_to=place)
        return self._delivered(outcome, response)

    def _found_again(self, outcome: Outcome, response: ProvisionUserResponse) -> Outcome:
        """Look whether the secrets that this answer lacks are in the credentials file; if not they are lost."""
        place = self._hand_outs.earlier_place(outcome.user, response)
        if place:
            return self._delivered(replace(outcome, handed_out_to=place), response)
        if self._reissue:
            return self._reissued(outcome.user)
        with _going_on_unremembered():
            self._resume.note_loss(outcome.user.name)
        return replace(outcome, status="secrets lost", may_reissue=True)

    def _reissued(self, user: WantedUser) -> Outcome:
        """Have the service revoke the secrets that went lost, and hand out the new ones."""
        outcome = self._provision(user, reissue=True)
        if outcome.response is not None and not outcome.secrets_withheld:
            return self._delivered(replace(outcome, status="made"), outcome.response)
        if outcome.error is None or not outcome_unknown(outcome.error):
            self._forget(outcome)
        return outcome if outcome.error is not None else replace(outcome, status="secrets lost")

    def _delivered(self, outcome: Outcome, response: ProvisionUserResponse) -> Outcome:
        try:
            delivery = self._hand_outs.deliver(outcome.user, response)
        except HandOutError as error:
            self.stop()
            return self._not_written(outcome, str(error))
        if delivery.place:
            with _going_on_unremembered():
                self._resume.note_hand_out(outcome.user.name, delivery.place)
        return replace(outcome, notes=delivery.notes, altered_cells=delivery.altered_cells)

    def _not_written(self, outcome: Outcome, note: str) -> Outcome:
        if not outcome.user.awaits_secrets:
            return replace(outcome, status="failed", notes=(note,))
        if self._hand_outs.shown:
            return replace(outcome, status="failed", notes=(note, "Take the secrets from this run's output."))
        self._forget(outcome)
        return replace(outcome, status="secrets lost", notes=(note,))

    def _forget(self, outcome: Outcome) -> None:
        """Let the next run plan the user anew: sent again, the request could only end as it did."""
        with _going_on_unremembered():
            self._resume.forget(outcome.user.name)
