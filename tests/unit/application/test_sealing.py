"""When an outcome is sealed, and with what inside."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from identity_service.application.sealing import seal_outcome
from identity_service.domain.entities import UserRecord
from identity_service.domain.outcome import IssuedAccessKey, IssuedCredentials, IssuedPassword, Outcome
from identity_service.domain.sealed import SealedDocument
from identity_service.domain.secret import Secret

MOMENT = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
USER = UserRecord("ana", "AIDAEXAMPLE", "arn:aws:iam::123456789012:user/ana", "/", MOMENT)
MADE = IssuedCredentials(access_key=IssuedAccessKey("AKIAEXAMPLE", MOMENT, Secret("secret-key")))
CHOSEN = IssuedCredentials(password=IssuedPassword(reset_required=False, generated=False))


class FakeSealer:
    """Remembers what it was asked to seal."""

    def __init__(self) -> None:
        self.asked: list[tuple[tuple[str, ...], SealedDocument]] = []

    def check(self, recipients: Sequence[str]) -> None:
        """Take every recipient."""

    def seal(self, recipients: Sequence[str], document: SealedDocument) -> str:
        """Answer a text that is none of age."""
        self.asked.append((tuple(recipients), document))
        return "sealed"


def test_an_outcome_is_sealed_with_whose_it_is() -> None:
    """Row, account, user and sign-in page go inside, to all recipients at once."""
    sealer = FakeSealer()
    outcome = Outcome(user=USER, credentials=MADE, sign_in_url="https://sign.in")
    sealed = seal_outcome(sealer, ("age1a", "age1b"), outcome, row_id="row-1", account_id="123456789012")
    document = SealedDocument("row-1", "123456789012", "ana", USER.arn, "https://sign.in", MADE)
    assert sealer.asked == [(("age1a", "age1b"), document)]
    assert sealed == outcome.sealed("sealed")


@pytest.mark.parametrize(("recipients", "credentials"), [((), MADE), (("age1a",), None), (("age1a",), CHOSEN)])
def test_where_there_is_nothing_to_seal_the_outcome_stays(
    recipients: tuple[str, ...], credentials: IssuedCredentials | None
) -> None:
    """Without recipients, or without a secret, nobody is asked to seal."""
    sealer = FakeSealer()
    outcome = Outcome(user=USER, credentials=credentials)
    assert seal_outcome(sealer, recipients, outcome, row_id="row-1", account_id="123456789012") is outcome
    assert sealer.asked == []
