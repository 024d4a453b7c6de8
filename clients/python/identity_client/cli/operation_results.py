"""Hands out what an operation has made: opened if this run can, a user after the other, in pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

from identity_client import Aborted, DeadlineExceeded, IdentityClient, IdentityServiceError, Unavailable
from identity_client._errors import error_from
from identity_client._specs import ConsolePassword
from identity_client._status import details_of_result
from identity_client.cli.failures import advice, delete_command, remains
from identity_client.cli.hand_outs import HandOuts
from identity_client.cli.outcome import Outcome
from identity_client.cli.sealed_file import SealedFile
from identity_client.cli.sealing import Sealing
from identity_client.cli.wanted import WantedUser
from identity_client.sealing import CannotOpenError
from identity_provisioning.v1.operation_pb2 import OperationResult
from identity_provisioning.v1.user_service_pb2 import ProvisionUserResponse

_PAGE = 100
_LEFT_OUT = "The operation was cancelled before it began with this user."


@dataclass(frozen=True)
class OperationOutcome(Outcome):
    """What became of one user of an operation; the same command would not make this user alone."""

    @property
    def advice(self) -> str:
        """Answer what to do about the user's error."""
        error = self.error
        if error is None:
            return ""
        if remains(error):
            return f"Remove it with `{delete_command(self.user.name, error.metadata.get('account_id', ''))}`."
        passes = isinstance(error, Unavailable | DeadlineExceeded | Aborted)
        return "" if passes else advice(error)


def error_of(result: OperationResult) -> IdentityServiceError | None:
    """Answer why a user was not made, or cannot be; None if nothing is known against it."""
    return error_from(details_of_result(result.error)) if result.HasField("error") else None


class ResultsRun:
    """Goes through the results once.

    Attributes:
        counts: how many users ended with each status.
        unopened: how many users' secrets were to be opened, and were not.
    """

    def __init__(
        self,
        client: IdentityClient,
        operation_id: str,
        hand_outs: HandOuts,
        sealing: Sealing,
        sealed_file: SealedFile,
        emails: dict[str, str],
    ) -> None:
        """Take whose results, where they go, what opens them or keeps them closed, and where drafts are addressed."""
        self._client = client
        self._operation_id = operation_id
        self._hand_outs = hand_outs
        self._sealing = sealing
        self._sealed_file = sealed_file
        self._emails = emails
        self.counts: Counter[str] = Counter()
        self.unopened = 0
        self.stopped = False

    def stop(self) -> None:
        """Hand out nothing more."""
        self.stopped = True

    def carry_out(self, show: Callable[[Outcome], None]) -> None:
        """Hand each user's credentials out, then show the outcome.

        Raises:
            HandOutError: credentials could not be written; nothing is lost, since they are sealed.
            IdentityServiceError: the results cannot be read.
        """
        for result in self._client.iterate_operation_results(self._operation_id, page_size=_PAGE):
            if self.stopped:
                return
            outcome = self._outcome(result)
            self.counts[outcome.status] += 1
            show(outcome)

    def _outcome(self, result: OperationResult) -> Outcome:
        user = self._user(result)
        if not result.HasField("made"):
            error = error_of(result)
            notes = () if error else (_LEFT_OUT,)
            return OperationOutcome(user, "failed" if error else "cancelled", "", error=error, notes=notes)
        response = ProvisionUserResponse(user=result.made.user, credentials=result.made.credentials)
        outcome = OperationOutcome(user, "made", "", response=response)
        sealed = response.credentials.sealed_secrets
        if sealed and self._sealing.identities:
            try:
                opened = self._sealing.opened(sealed, user.name)
            except CannotOpenError as error:
                self.unopened += 1
                return replace(outcome, status="failed", notes=(f"The user was made. The sealed answer {error}.",))
            response.credentials.CopyFrom(opened.credentials)
            response.sign_in_url = opened.sign_in_url
        elif sealed:
            self._sealed_file.write(sealed)
        if user.console is not None and not response.sign_in_url:
            response.sign_in_url = self._sign_in_url
        return self._delivered(outcome, response)

    def _delivered(self, outcome: Outcome, response: ProvisionUserResponse) -> Outcome:
        """Write the hand-outs; credentials that an earlier run has written are not written twice."""
        place = self._hand_outs.earlier_place(outcome.user, response)
        if place and outcome.user.awaits_secrets:
            response.credentials.secrets_withheld = True
            outcome = replace(outcome, handed_out_to=place)
        delivery = self._hand_outs.deliver(outcome.user, response)
        return replace(outcome, notes=delivery.notes, altered_cells=delivery.altered_cells)

    def _user(self, result: OperationResult) -> WantedUser:
        """Answer what the result tells of what was wanted; the users file may be gone by now."""
        issued = result.made.credentials
        password = ConsolePassword(require_reset=issued.console_password.reset_required)
        return WantedUser(
            result.user_name,
            email=self._emails.get(result.user_name, ""),
            access_key=issued.HasField("access_key"),
            console=password if issued.HasField("console_password") else None,
            mfa_device=issued.HasField("mfa_device"),
        )

    @cached_property
    def _sign_in_url(self) -> str:
        """The account's own address, where the sealed text that has it stays closed."""
        return self._client.get_account().account.sign_in_url
