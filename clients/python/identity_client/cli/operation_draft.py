"""Makes the draft of an operation that is to run, remembers it, and shows its plans. Nobody is made by any of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from identity_client import IdentityClient
from identity_client.cli.bulk_review import BulkReview
from identity_client.cli.exit_codes import ExitCode
from identity_client.cli.failures import CliError
from identity_client.cli.operation_memory import Expected, OperationMemory, Outlets, memory_path
from identity_client.cli.operation_planning import Planned, Planning
from identity_client.cli.review import review_document
from identity_client.cli.session import Session
from identity_client.cli.wanted import WantedUser
from identity_client.sealing import generate_identity


@dataclass(frozen=True)
class Draft:
    """The draft of an operation with these users."""

    session: Session
    client: IdentityClient
    users: Sequence[WantedUser]
    outlets: Outlets
    input_digest: str
    resume: Path | None

    @property
    def planning(self) -> Planning:
        """Answer what has the users planned."""
        return Planning(self.session, self.client, self.users)

    def make(self) -> OperationMemory:
        """Make an empty draft, and remember it before any user is sent.

        Raises:
            CliError: the service takes none, or it cannot be remembered and is cancelled.
        """
        is_ours = not self.outlets.recipients and any(user.wants_credentials for user in self.users)
        identity = generate_identity() if is_ours else None
        operation_id = self.planning.create((identity.recipient,) if identity else self.outlets.recipients)
        try:
            memory = self._memory(operation_id, identity.secret if identity else "")
            memory.save()
        except BaseException:
            self.planning.cancel(operation_id)
            raise
        return memory

    def _memory(self, operation_id: str, identity: str) -> OperationMemory:
        return OperationMemory(
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
            identity=identity,
            command=self.session.arguments,
            folder=str(Path.cwd()),
        )

    def plan(self, memory: OperationMemory) -> Planned:
        """Append all users and have them planned, and nobody made.

        Raises:
            CliError: the service or the account does not take them, or somebody changed the operation meanwhile.
        """
        self.planning.upload(memory.operation_id)
        return self.planning.plan(memory.operation_id, memory.plan_request_id)

    def review(self, memory: OperationMemory, planned: Planned, *, in_brief: bool, in_full: bool) -> BulkReview:
        """Show the plans, page by page.

        Raises:
            CliError: one cannot run, and nothing is created for any user.
        """
        review = BulkReview(self.session.messages, len(self.users), in_brief=in_brief, in_full=in_full)
        for each in self.planning.reviewed(memory.operation_id):
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
        for each in self.planning.reviewed(memory.operation_id, failed_only=True):
            if not each.can_run:
                yield from review_document([each])
