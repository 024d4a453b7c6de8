"""Fakes of the application's other ports: an authorizer of two teams, one account, a sealer that a test can open."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from identity_service.application.ports import IamAccount
from identity_service.domain.caller import Caller
from identity_service.domain.errors import IdentityError, Reason
from identity_service.domain.proposal import Proposal
from identity_service.domain.sealed import SealedDocument
from identity_service.domain.target import Target
from tests.unit.application.fake_ledger import FakeLedger

__all__ = ["BOT", "COPY", "OTHER", "FakeAccounts", "FakeAuthorizer", "FakeLedger", "FakeSealer"]

BOT = Caller("spiffe://example.org/onboarding-bot", "people-team")
COPY = "copy"
"""Stands among forbidden steps for every copy of another user's permissions."""
OTHER = Caller("spiffe://example.org/ci", "ci-platform")


@dataclass
class FakeAccounts:
    """One configured account."""

    account: IamAccount

    def get(self, account_id: str) -> IamAccount:
        """Return the account by its id or by none."""
        if account_id not in ("", self.account.account_id):
            raise IdentityError(Reason.ACCOUNT_NOT_FOUND, "no such account")
        return self.account


@dataclass
class FakeAuthorizer:
    """Lets everybody do everything, but for the actions and the IAM actions that a test forbids."""

    forbidden_actions: set[str] = field(default_factory=set)
    forbidden_steps: set[str] = field(default_factory=set)
    proposals: list[Proposal] = field(default_factory=list)

    def identify(self, caller_id: str) -> Caller:
        """Know the two callers."""
        return {caller.id: caller for caller in (BOT, OTHER)}[caller_id]

    def may_ask(self, caller: Caller, action: str, account_id: str, target: Target | None) -> None:
        """Refuse forbidden RPCs."""
        if action in self.forbidden_actions:
            raise IdentityError(Reason.CALLER_NOT_ALLOWED, "not allowed")

    def may_have(self, caller: Caller, proposal: Proposal) -> None:
        """Refuse plans with a forbidden step, and forbidden copies."""
        self.proposals.append(proposal)
        copies = {COPY} if proposal.copied_from else set()
        if self.forbidden_steps & ({step.iam_action for step in proposal.plan.steps} | copies):
            raise IdentityError(Reason.CALLER_NOT_ALLOWED, "not allowed")


class FakeSealer:
    """Seals by a wrapping that shows no secret to the eye and that a test can take off again."""

    def __init__(self) -> None:
        self.sealed = 0

    def check(self, recipients: Sequence[str]) -> None:
        """Take every recipient."""

    def seal(self, recipients: Sequence[str], document: SealedDocument) -> str:
        """Wrap a document; no two texts are the same, as with age."""
        self.sealed += 1
        text = json.dumps({"number": self.sealed, "to": list(recipients), "document": document.reveal()})
        return "sealed:" + base64.b64encode(text.encode()).decode()

    @staticmethod
    def opened(sealed: str) -> dict[str, Any]:
        """Take the wrapping off."""
        wrapped = json.loads(base64.b64decode(sealed.removeprefix("sealed:")))
        document: dict[str, Any] = json.loads(wrapped["document"])
        return document
