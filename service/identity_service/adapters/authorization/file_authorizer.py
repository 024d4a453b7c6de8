"""The authorizer that a folder of files feeds, and that reads the folder again when it changes."""

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import structlog

from identity_service.adapters.authorization.folder import FolderContent, read_folder
from identity_service.adapters.authorization.rules import RPC, Rules, Verdict
from identity_service.adapters.authorization.settings import AuthorizationFileError
from identity_service.domain.caller import Caller
from identity_service.domain.errors import IdentityError, Reason
from identity_service.domain.proposal import Proposal
from identity_service.domain.target import Target

POLL_SECONDS = 1.0
"""How often the files are looked at."""
ALARM_SECONDS = 60.0
"""How often files that cannot be used are complained about."""


@dataclass(frozen=True)
class AuthorizationState:
    """Which rules are in force: since when, and since when the files on disk cannot be used (times are monotonic).

    `problem` says what is wrong with the files; empty while they are those in force.
    """

    in_force_since: float
    broken_since: float | None = None
    problem: str = ""


class FileAuthorizer:
    """The `Authorizer` of the application: teams and guard rails in `callers.yaml`, policies in `*.cedar` beside it.

    What the files do not allow is refused. A refusal tells what was refused, and no rule.
    """

    def __init__(self, folder: Path | str, clock: Callable[[], float] = time.monotonic) -> None:
        """Read the files. Raises AuthorizationFileError, line by line, if they cannot be used."""
        self._folder = Path(folder)
        self._clock = clock
        self._content = read_folder(self._folder)
        self._rules = Rules(self._content)
        self._rejected: FolderContent | None = None
        self._alarmed_at = 0.0
        self.state = AuthorizationState(clock())

    @property
    def rules(self) -> Rules:
        """The rules in force."""
        return self._rules

    def trust_domains(self) -> frozenset[str]:
        """Return the trust domains of all callers that the file knows."""
        return self._rules.trust_domains

    def identify(self, caller_id: str) -> Caller:
        """Return the caller with its team; raise CALLER_NOT_ALLOWED for one that no team knows."""
        team = self._rules.team_of(caller_id)
        if team is None:
            raise IdentityError(Reason.CALLER_NOT_ALLOWED, "the caller is not allowed to use this service")
        return Caller(id=caller_id, team=team)

    def may_use(self, caller: Caller, account_id: str) -> bool:
        """Tell whether the caller's team is let into an account at all."""
        return self._rules.lets_in(caller.team, account_id)

    def may_ask(self, caller: Caller, action: str, account_id: str, target: Target | None) -> None:
        """Decide before anything is read from IAM, by the RPC, the account and the target's name."""
        _require(action, self._rules.about_rpc(caller, action, account_id, target))

    def may_have(self, caller: Caller, proposal: Proposal) -> None:
        """Decide on the expanded plan, before anything is written: on every step, and by the guard rails."""
        _require(proposal.action, self._rules.about_plan(caller, proposal))

    def decides(self) -> bool:
        """Tell whether rules are in force that can be asked. Files that cannot be used do not count: older ones are."""
        try:
            self._rules.ask_nothing()
        except Exception:  # noqa: BLE001 - whatever the engine raises, nobody can be let in
            structlog.get_logger().exception("authorization_cannot_decide")
            return False
        return True

    def refresh(self) -> None:
        """Read the files again if they have changed. Files that cannot be used change nothing, and raise an alarm."""
        try:
            content = read_folder(self._folder)
            if content == self._content:
                self._settle()
            elif content != self._rejected:
                self._take(content)
            else:
                self._alarm()
        except AuthorizationFileError as error:
            self._reject(str(error))
        except Exception as error:  # noqa: BLE001 - whatever it is, the rules in force stay, and somebody has to know
            # Perhaps the files are not what is wrong: unlike files with a mistake, they are tried again.
            self._rejected = None
            self._reject(f"{self._folder}: the files cannot be read: {type(error).__name__}")

    def _take(self, content: FolderContent) -> None:
        self._rejected = content
        rules = Rules(content)
        self._rules, self._content, self._rejected = rules, content, None
        self.state = AuthorizationState(self._clock())
        teams, callers, policies = rules.size
        structlog.get_logger().info("authorization_reloaded", teams=teams, callers=callers, policies=policies)

    def _settle(self) -> None:
        """Forget about files that could not be used: those in force are back."""
        self._rejected = None
        if self.state.broken_since is not None:
            self.state = AuthorizationState(self.state.in_force_since)

    def _reject(self, problem: str) -> None:
        if problem != self.state.problem:
            since = self.state.broken_since or self._clock()
            self.state = AuthorizationState(self.state.in_force_since, since, problem)
            self._alarmed_at = self._clock() - ALARM_SECONDS
        self._alarm()

    def _alarm(self) -> None:
        if self._clock() - self._alarmed_at >= ALARM_SECONDS:
            self._alarmed_at = self._clock()
            structlog.get_logger().error("authorization_reload_failed", problem=self.state.problem)


async def keep_fresh(authorizer: FileAuthorizer, poll_seconds: float = POLL_SECONDS) -> None:
    """Look at the files again and again, until cancelled; on a thread, since reading many rules takes a while."""
    while True:
        await asyncio.sleep(poll_seconds)
        try:
            await asyncio.to_thread(authorizer.refresh)
        except Exception:  # noqa: BLE001 - whatever goes wrong, the rules in force stay, and the files are looked at again
            structlog.get_logger().exception("authorization_reload_failed")


def _require(rpc: str, verdicts: Iterable[Verdict]) -> None:
    """Raise CALLER_NOT_ALLOWED for the first verdict that is a refusal; its policies stay untold."""
    refusal = next((verdict for verdict in verdicts if not verdict.allowed), None)
    if refusal is None:
        return
    metadata = {"action": rpc, "rule": refusal.rule}
    message = f"the caller is not allowed to call {rpc} here"
    if refusal.rule != RPC:
        metadata |= {"step": refusal.action, "resource": refusal.about}
        message = f"the caller is not allowed to have {refusal.action} on {refusal.about}"
    raise IdentityError(Reason.CALLER_NOT_ALLOWED, message, metadata)
