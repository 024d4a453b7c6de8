"""Which account a request is about, and what its caller is told where it names none, or one that is not there."""

from collections.abc import Sequence
from typing import Protocol

from identity_service.domain.caller import Caller
from identity_service.domain.errors import FieldViolation
from identity_service.domain.target import Target

FIELD = "account_id"
MOST_NAMED = 20
"""So many accounts are named to a caller who has to choose one."""


class KnowsAccounts(Protocol):
    """What is needed of the authorizer."""

    def may_use(self, caller: Caller, account_id: str) -> bool:
        """Tell whether the caller's team is let into an account at all."""

    def may_ask(self, caller: Caller, action: str, account_id: str, target: Target | None) -> None:
        """Raise IdentityError CALLER_NOT_ALLOWED for a caller who may not call an RPC for an account."""


class AccountChoice:
    """Knows the configured accounts by their ids. A caller learns only of those that its team is let into."""

    def __init__(self, account_ids: Sequence[str], authorizer: KnowsAccounts) -> None:
        self._account_ids = tuple(account_ids)
        self._authorizer = authorizer

    @property
    def only_id(self) -> str:
        """What a request means that names no account; "" if there is not exactly one."""
        return self._account_ids[0] if len(self._account_ids) == 1 else ""

    def violations(self, caller: Caller, account_id: str) -> tuple[FieldViolation, ...]:
        """Tell what is wrong with a request that names no account where it has to name one."""
        if account_id or self.only_id:
            return ()
        usable = [each for each in self._account_ids if self._authorizer.may_use(caller, each)]
        named = ", ".join(usable[:MOST_NAMED]) + (", ..." if usable[MOST_NAMED:] else "")
        return (FieldViolation(FIELD, f"must name an account: {named}" if usable else "must name an account"),)

    def require(self, caller: Caller, action: str, account_id: str) -> None:
        """Refuse an account that is not configured as one that is, where the caller's team is let into neither.

        Otherwise refusals would tell strangers which accounts there are. Raises IdentityError CALLER_NOT_ALLOWED.
        """
        if account_id and account_id not in self._account_ids and not self._authorizer.may_use(caller, account_id):
            self._authorizer.may_ask(caller, action, account_id, None)
