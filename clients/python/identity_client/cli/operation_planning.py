"""Has the users of a file planned together, as one operation that makes nobody.

Only so are the account's quotas those of all users, with what other operations are about to take: each user alone may
fit into an account where all of them do not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from identity_client import IdentityClient, IdentityServiceError, InvalidRequest, PermissionDenied, in_batches
from identity_client.cli.exit_codes import ExitCode
from identity_client.cli.failures import BadInputError, CliError, nothing_created
from identity_client.cli.operation_results import error_of
from identity_client.cli.operation_watch import ending_with, state_of, watched
from identity_client.cli.places import place_of
from identity_client.cli.planning import Reviewed
from identity_client.cli.session import Session
from identity_client.cli.wanted import WantedUser, spec_of
from identity_client.sealing import generate_identity
from identity_provisioning.v1.operation_pb2 import Operation
from identity_provisioning.v1.plan_pb2 import QuotaUse

RIGHTS = "CreateOperation, AppendUsers, StartOperation, WatchOperation, ListOperationResults and CancelOperation"
"""The RPCs that a file's users are planned with; making them takes no others."""
_PAGE = 100


@dataclass(frozen=True)
class Planned:
    """An operation that is planned, and what it takes of the account's quotas."""

    operation: Operation
    quota_uses: Sequence[QuotaUse]


@dataclass(frozen=True)
class PlannedFile:
    """The plans of a file's users, and what all of them take of the account's quotas."""

    reviewed: Sequence[Reviewed]
    quota_uses: Sequence[QuotaUse]


@dataclass(frozen=True)
class Planning:
    """Plans these users as one operation."""

    session: Session
    client: IdentityClient
    users: Sequence[WantedUser]

    def create(self, recipients: Sequence[str]) -> str:
        """Make an empty draft whose secrets are for these recipients; answer the operation's id.

        Raises:
            CliError: the service takes none.
        """
        try:
            return self.client.create_operation(recipients=recipients).operation.operation_id
        except PermissionDenied as error:
            raise _without_right(error) from None
        except IdentityServiceError as error:
            raise nothing_created(error) from None

    def upload(self, operation_id: str) -> None:
        """Append all users, in batches.

        Raises:
            CliError: the service does not take them.
        """
        sent = 0
        for number, batch in enumerate(in_batches(map(spec_of, self.users))):
            users = self.users[sent : sent + len(batch)]
            sent += len(batch)
            try:
                self.client.append_users(operation_id, number, batch)
            except InvalidRequest as error:
                raise _wrong_users(error, users) from None
            except PermissionDenied as error:
                raise _without_right(error) from None
            except IdentityServiceError as error:
                raise nothing_created(error) from None

    def plan(self, operation_id: str, request_id: str | None = None) -> Planned:
        """Have all users planned, and nobody made.

        Raises:
            CliError: the account cannot take them all, or somebody ended or started the operation meanwhile.
        """
        try:
            begun = self.client.start_operation(operation_id, validate_only=True, request_id=request_id)
        except PermissionDenied as error:
            raise _without_right(error) from None
        except IdentityServiceError as error:
            raise nothing_created(error) from None
        operation = watched(self.session, self.client, operation_id, ending_with("Nothing was created."))
        if operation.state != Operation.STATE_PLANNED:
            raise _not_planned(operation)
        return Planned(operation, begun.quota_uses)

    def cancel(self, operation_id: str) -> None:
        """End an operation that makes nobody; the service removes a draft that it does not hear of in time."""
        with suppress(IdentityServiceError):
            self.client.cancel_operation(operation_id)

    def reviewed(self, operation_id: str, *, failed_only: bool = False) -> Iterable[Reviewed]:
        """Read the plans, page by page."""
        results = self.client.iterate_operation_results(operation_id, failed_only=failed_only, page_size=_PAGE)
        for result in results:
            plan = result.plan if result.HasField("plan") else None
            yield Reviewed(self.users[result.index], plan, error_of(result))


def plan_file(session: Session, users: Sequence[WantedUser]) -> PlannedFile:
    """Answer the plans of a file's users, as `provision -f` would have them; the draft is cancelled in any case.

    Raises:
        CliError: the account cannot take them all, or the caller may not have operations.
    """
    planning = Planning(session, session.connect(), users)
    sealed = any(user.wants_credentials for user in users)
    # Nothing is sealed by a plan, so nobody needs the key; but users with credentials take a recipient to be planned.
    operation_id = planning.create([generate_identity().recipient] if sealed else [])
    try:
        planning.upload(operation_id)
        planned = planning.plan(operation_id)
        return PlannedFile(list(planning.reviewed(operation_id)), planned.quota_uses)
    finally:
        planning.cancel(operation_id)


def _without_right(error: PermissionDenied) -> CliError:
    """Say which rights an operation takes: the service names only the first that is missing."""
    to_do = (
        f"The users of a file are planned and made as one operation, which takes the rights to {RIGHTS}. "
        "Ask the service's operators for them."
    )
    return nothing_created(error, to_do=to_do)


def _not_planned(operation: Operation) -> CliError:
    """Say what became of an operation that was to be planned."""
    if operation.state in (Operation.STATE_CANCELLING, Operation.STATE_CANCELLED):
        said = "The operation was cancelled while its users were planned. Nothing was created."
    else:
        said = f"The operation was to be planned, and is {state_of(operation)}: somebody else has changed it."
    return CliError(said, ExitCode.PLAN_HAS_PROBLEMS)


def _wrong_users(error: InvalidRequest, users: Sequence[WantedUser]) -> CliError:
    """Say which users the service does not take: it names them by their place in a batch, which nobody knows."""
    lines = []
    for violation in error.field_violations:
        index, _, rest = violation.field.removeprefix("users[").partition("]")
        user = users[int(index)] if index.isdigit() and int(index) < len(users) else None
        place = place_of(user, rest.removeprefix(".")) if user else ""
        where = f"{user.name}{rest}" if user else violation.field
        lines.append(f"{f'{place}: ' if place else ''}{where}: {violation.description}")
    if not lines:
        return nothing_created(error)
    return BadInputError("\n".join([*lines, "Nothing was created."]))
