"""The authorizer that a settings file feeds."""

from pathlib import Path
from typing import Self

from identity_service.adapters.authorization import settings
from identity_service.adapters.authorization.settings import AuthorizationSettings
from identity_service.domain.caller import Caller
from identity_service.domain.errors import IdentityError, Reason
from identity_service.domain.plan import Plan
from identity_service.domain.spiffe import trust_domain_of
from identity_service.domain.target import Target


class FileAuthorizer:
    """The `Authorizer` of the application: each caller belongs to a team, each team has RPCs and accounts.

    What the file does not name is refused. A refusal does not tell which rule was missing.
    """

    def __init__(self, rules: AuthorizationSettings) -> None:
        self._rules = rules
        self._trust_domains = frozenset(map(trust_domain_of, rules.callers))

    @classmethod
    def from_file(cls, path: Path | str, known_rpcs: frozenset[str]) -> Self:
        """Read the rules from a YAML file; `known_rpcs` are the names of the contract's RPCs.

        Raises:
            AuthorizationFileError: the file cannot be read, or something in it is not understood.
        """
        return cls(settings.read(Path(path), known_rpcs))

    def trust_domains(self) -> frozenset[str]:
        """Return the trust domains of all callers that the file knows."""
        return self._trust_domains

    def identify(self, caller_id: str) -> Caller:
        """Return the caller with its team; raise CALLER_NOT_ALLOWED for one that no team knows."""
        team = self._rules.callers.get(caller_id)
        if team is None:
            raise IdentityError(Reason.CALLER_NOT_ALLOWED, "the caller is not allowed to use this service")
        return Caller(id=caller_id, team=team)

    def may_ask(self, caller: Caller, action: str, account_id: str, target: Target | None) -> None:
        """Decide before anything is read from IAM, by the RPC and the account; names are open to every team.

        `account_id` is the account's own id: a team that is held to some accounts is refused for "".
        """
        self._require(caller, action, account_id)

    def may_have(self, caller: Caller, action: str, plan: Plan) -> None:
        """Decide on the expanded plan, before anything is written: by the RPC and the account that it changes."""
        self._require(caller, action, plan.account_id)

    def _require(self, caller: Caller, action: str, account_id: str) -> None:
        team = self._rules.teams.get(caller.team)
        if team is None or not team.allows(action, account_id):
            raise IdentityError(
                Reason.CALLER_NOT_ALLOWED, f"the caller is not allowed to call {action} here", {"action": action}
            )
