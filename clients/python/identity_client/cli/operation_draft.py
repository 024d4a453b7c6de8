"""Makes the draft of an operation, has all its users planned, and shows the plans. Nobody is made by any of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from identity_client import IdentityClient, IdentityServiceError, InvalidRequest, in_batches
from identity_client.cli.bulk_review import BulkReview
from identity_client.cli.exit_codes import ExitCode
from identity_client.cli.failures import BadInputError, CliError, nothing_created
from identity_client.cli.operation_memory import Expected, OperationMemory, Outlets, memory_path
from identity_client.cli.operation_results import error_of
from identity_client.cli.operation_watch import ending_with, state_of, watched
from identity_client.cli.planning import Reviewed
from identity_client.cli.review import review_document
from identity_client.cli.session import Session
from identity_client.cli.wanted import WantedUser, spec_of
from identity_client.sealing import generate_identity
from identity_provisioning.v1.operation_pb2 import Operation
from identity_provisioning.v1.plan_pb2 import QuotaUse

_PAGE = 100


@dataclass(frozen=True)
class Planned:
    """An operation that is planned, and what it takes of the account's quotas."""

    operation: Operation
    quota_uses: Sequence[QuotaUse]


@dataclass(frozen=True)
class Draft:
    """The draft of an operation with these users."""

    session: Session
    client: IdentityClient
    users: Sequence[WantedUser]
    outlets: Outlets
    input_digest: str
    resume: Path | None

    def make(self) -> OperationMemory:
        """Make an empty draft, and remember it before any user is sent.

        Raises:
            CliError: the service takes none.
        """
        is_ours = not self.outlets.recipients and any(user.wants_credentials for user in self.users)
        identity = generate_identity() if is_ours else None
        recipients = (identity.recipient,) if identity else self.outlets.recipients
        try:
            created = self.client.create_operation(recipients=recipients)
        except IdentityServiceError as error:
            raise nothing_created(error) from None
        operation_id = created.operation.operation_id
        memory = OperationMemory(
            path=self.resume or memory_path(operation_id),
            operation_id=operation_id,
            target=self.session.target,
            account=self.session.account,
            input_digest=self.input_digest,
            outlets=self.outlets,
            expected=Expected(
                generated=any(user.awaits_generated for user in self.users),
                mfa_devices=any(user.mfa_device for user in self.users),
                emails={user.name: user.email for user in self.users if user.email},
            ),
            identity=identity.secret if identity else "",
            command=self.session.arguments,
            folder=str(Path.cwd()),
        )
        memory.save()
        return memory

    def upload(self, memory: OperationMemory) -> None:
        """Append all users, in batches.

        Raises:
            CliError: the service does not take them.
        """
        for number, batch in enumerate(in_batches(map(spec_of, self.users))):
            try:
                self.client.append_users(memory.operation_id, number, batch)
            except InvalidRequest as error:
                raise _wrong_users(error, [user.user_name for user in batch]) from None
            except IdentityServiceError as error:
                raise nothing_created(error) from None

    def plan(self, memory: OperationMemory) -> Planned:
        """Have all users planned, and nobody made.

        Raises:
            CliError: the account cannot take them all, or somebody ended or started the operation meanwhile.
        """
        try:
            begun = self.client.start_operation(
                memory.operation_id, validate_only=True, request_id=memory.plan_request_id
            )
        except IdentityServiceError as error:
            raise nothing_created(error) from None
        operation = watched(self.session, self.client, memory.operation_id, ending_with("Nothing was created."))
        if operation.state != Operation.STATE_PLANNED:
            raise _not_planned(operation)
        return Planned(operation, begun.quota_uses)

    def review(self, memory: OperationMemory, planned: Planned, *, in_brief: bool, in_full: bool) -> BulkReview:
        """Show the plans, page by page.

        Raises:
            CliError: one cannot run, and nothing is created for any user.
        """
        review = BulkReview(self.session.messages, len(self.users), in_brief=in_brief, in_full=in_full)
        for each in self._reviewed(memory):
            review.add(each)
        review.finish(planned.quota_uses)
        if review.stuck.count:
            if self.session.as_json:
                self.session.write_json_list("plans", self._stuck(memory), users=[])
            raise CliError(
                f"{review.stuck.count} of {len(self.users)} plans cannot run, so nothing was created: {review.stuck}",
                ExitCode.PLAN_HAS_PROBLEMS,
            )
        return review

    def _stuck(self, memory: OperationMemory) -> Iterable[dict[str, Any]]:
        """Read the plans that cannot run once more: there may be too many to be kept from the review."""
        for each in self._reviewed(memory, failed_only=True):
            if not each.can_run:
                yield from review_document([each])

    def _reviewed(self, memory: OperationMemory, *, failed_only: bool = False) -> Iterable[Reviewed]:
        results = self.client.iterate_operation_results(memory.operation_id, failed_only=failed_only, page_size=_PAGE)
        for result in results:
            plan = result.plan if result.HasField("plan") else None
            yield Reviewed(self.users[result.index], plan, error_of(result))


def _not_planned(operation: Operation) -> CliError:
    """Say what became of an operation that was to be planned."""
    if operation.state in (Operation.STATE_CANCELLING, Operation.STATE_CANCELLED):
        said = "The operation was cancelled while its users were planned. Nothing was created."
    else:
        said = f"The operation was to be planned, and is {state_of(operation)}: somebody else has changed it."
    return CliError(said, ExitCode.PLAN_HAS_PROBLEMS)


def _wrong_users(error: InvalidRequest, names: Sequence[str]) -> CliError:
    """Say which users the service does not take: it names them by their place in a batch, which nobody knows."""
    lines = []
    for violation in error.field_violations:
        place = violation.field.removeprefix("users[").partition("]")
        name = names[int(place[0])] if place[0].isdigit() and int(place[0]) < len(names) else ""
        where = f"{name}{place[2]}" if name else violation.field
        lines.append(f"{where}: {violation.description}")
    if not lines:
        return nothing_created(error)
    return BadInputError("\n".join([*lines, "Nothing was created."]))
