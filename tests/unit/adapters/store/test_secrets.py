"""No secret reaches the disk."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from identity_service.adapters.store import SqlLedger
from identity_service.application.ledger import Failure, Intent
from identity_service.domain.errors import IdentityError, Reason
from identity_service.domain.outcome import IssuedAccessKey, IssuedCredentials, IssuedPassword, Outcome
from identity_service.domain.secret import Secret
from tests.unit.adapters.store.worlds import World

MakeIntent = Callable[..., Intent]
CANARY = "canary/secret+value"
WITH_SECRETS = IssuedCredentials(
    access_key=IssuedAccessKey("AKIAEXAMPLE", datetime(2026, 2, 3, tzinfo=UTC), Secret(CANARY)),
    password=IssuedPassword(reset_required=True, generated=True, password=Secret(CANARY)),
)


def bytes_on_disk(directory: Path) -> bytes:
    """Return everything that the store wrote: database, write-ahead log, index of it."""
    return b"".join(file.read_bytes() for file in directory.iterdir())


@pytest.fixture
async def ledger(sqlite_world: World) -> SqlLedger:
    """A store whose bytes can be read."""
    return await sqlite_world.open()


async def test_an_outcomes_secrets_are_not_stored(
    ledger: SqlLedger, make_intent: MakeIntent, database_file: Path
) -> None:
    """An outcome that still holds its secrets is stored without them, in the open store and in the closed one."""
    intent = make_intent()
    claim = await ledger.begin(intent)
    await ledger.succeed(claim.lease, Outcome(credentials=WITH_SECRETS))
    row = await ledger.find(intent.key)
    assert row is not None
    assert row.outcome == Outcome(credentials=WITH_SECRETS.without_secrets())
    open_bytes = bytes_on_disk(database_file.parent)
    await ledger.close()
    closed_bytes = bytes_on_disk(database_file.parent)
    # The key's id proves that the bytes of this outcome were looked at.
    assert b"AKIAEXAMPLE" in open_bytes
    assert b"AKIAEXAMPLE" in closed_bytes
    assert CANARY.encode() not in open_bytes + closed_bytes


async def test_a_secret_in_the_wrong_place_raises(
    ledger: SqlLedger, make_intent: MakeIntent, database_file: Path
) -> None:
    """A secret where none belongs stops the write as the programming error that it is; the row runs on."""
    intent = make_intent()
    claim = await ledger.begin(intent)
    misplaced = {"password": Secret(CANARY)}
    error = IdentityError(Reason.INTERNAL, "words", metadata=misplaced)  # type: ignore[arg-type]  # the mistake under test
    with pytest.raises(TypeError) as caught:
        await ledger.fail(claim.lease, Failure(error, retryable=False))
    assert CANARY not in str(caught.value)
    assert CANARY.encode() not in bytes_on_disk(database_file.parent)
    row = await ledger.find(intent.key)
    assert row is not None
    assert row.failure is None


async def test_a_secret_in_a_plan_raises(ledger: SqlLedger, make_intent: MakeIntent, database_file: Path) -> None:
    """A secret that got into a plan is not stored, and nothing is begun."""
    intent = make_intent(document=Secret(CANARY))
    with pytest.raises(TypeError):
        await ledger.begin(intent)
    assert await ledger.find(intent.key) is None
    assert CANARY.encode() not in bytes_on_disk(database_file.parent)
