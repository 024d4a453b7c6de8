"""Fakes of the application's other ports: a ledger in memory, an authorizer of two teams, one account."""

from dataclasses import dataclass, field, replace

from identity_service.application.ports import (
    Denial,
    Failure,
    IamAccount,
    Intent,
    LedgerRow,
    RequestKey,
)
from identity_service.domain.caller import Caller
from identity_service.domain.errors import IdentityError, Reason
from identity_service.domain.outcome import Outcome
from identity_service.domain.plan import Plan
from identity_service.domain.target import Target

BOT = Caller("spiffe://example.org/onboarding-bot", "people-team")
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

    def identify(self, caller_id: str) -> Caller:
        """Know the two callers."""
        return {caller.id: caller for caller in (BOT, OTHER)}[caller_id]

    def may_ask(self, caller: Caller, action: str, account_id: str, target: Target | None) -> None:
        """Refuse forbidden RPCs."""
        if action in self.forbidden_actions:
            raise IdentityError(Reason.CALLER_NOT_ALLOWED, "not allowed")

    def may_have(self, caller: Caller, action: str, plan: Plan) -> None:
        """Refuse plans with a forbidden step."""
        if self.forbidden_steps & {step.iam_action for step in plan.steps}:
            raise IdentityError(Reason.CALLER_NOT_ALLOWED, "not allowed")


@dataclass
class FakeLedger:
    """Rows and locks in memory; `failing` names the methods that find the store gone."""

    rows: dict[RequestKey, LedgerRow] = field(default_factory=dict)
    intents: dict[str, Intent] = field(default_factory=dict)
    denials: list[Denial] = field(default_factory=list)
    failing: set[str] = field(default_factory=set)

    async def find(self, key: RequestKey) -> LedgerRow | None:
        """Look a row up."""
        self._check("find")
        return self.rows.get(key)

    async def begin(self, intent: Intent) -> None:
        """Write a running row."""
        self._check("begin")
        known = self.rows.get(intent.key)
        if known and not (known.failure and known.failure.retryable):
            raise IdentityError(Reason.IN_PROGRESS, "runs already")
        self.intents[intent.row_id] = intent
        self.rows[intent.key] = LedgerRow(
            intent.row_id, intent.fingerprint, lease_expired=False, plan=intent.plan, before=intent.snapshot
        )

    async def succeed(self, row_id: str, outcome: Outcome) -> None:
        """Store an outcome."""
        self._check("succeed")
        self._update(row_id, outcome=outcome)

    async def fail(self, row_id: str, failure: Failure) -> None:
        """Store a failure."""
        self._check("fail")
        self._update(row_id, failure=failure)

    async def record_denial(self, denial: Denial) -> None:
        """Keep a refusal."""
        self.denials.append(denial)

    def _update(self, row_id: str, **changes: object) -> None:
        key = self.intents[row_id].key
        self.rows[key] = replace(self.rows[key], **changes)  # type: ignore[arg-type]  # a row's own fields

    def _check(self, method: str) -> None:
        if method in self.failing:
            raise IdentityError(Reason.STORE_UNAVAILABLE, "the store is gone")
