"""Seals the secrets of an outcome to the recipients that its caller named."""

from collections.abc import Sequence
from typing import Protocol

from identity_service.domain.outcome import Outcome
from identity_service.domain.sealed import SealedDocument


class Sealer(Protocol):
    """What the application needs of encryption. It only ever seals: nobody here can open anything."""

    def check(self, recipients: Sequence[str]) -> None:
        """Raise IdentityError INVALID_FIELD, a violation for each recipient that nothing can be sealed to.

        Asked before anything else: a secret that was made cannot wait for a better recipient.
        """

    def seal(self, recipients: Sequence[str], document: SealedDocument) -> str:
        """Return armored age text that each of the recipients, which were checked, can open."""


def seal_outcome(
    sealer: Sealer, recipients: Sequence[str], outcome: Outcome, *, row_id: str, account_id: str
) -> Outcome:
    """Return the outcome with its secrets sealed, as it is answered and stored.

    Without recipients, and where no secret was made, it stays as it is.
    """
    issued = outcome.credentials
    if not recipients or issued is None or not issued.has_secrets:
        return outcome
    document = SealedDocument(
        row_id=row_id,
        account_id=account_id,
        user_name=outcome.user.user_name if outcome.user else "",
        user_arn=outcome.user.arn if outcome.user else "",
        sign_in_url=outcome.sign_in_url,
        credentials=issued,
    )
    return outcome.sealed(sealer.seal(recipients, document))
