"""The sweep of several accounts: each by itself, with what is wrong with one told beside what the others have."""

from collections.abc import Awaitable, Callable
from typing import cast

import pytest

from identity_service.application.sweep import Sweep
from identity_service.application.sweep_accounts import sweep_accounts
from identity_service.domain.errors import IdentityError, Reason
from identity_service.domain.sweep import Finding, FindingKind, in_account

ONE, TWO = "111111111111", "222222222222"
REFUSED = IdentityError(Reason.AWS_CREDENTIALS_REFUSED, "AWS refuses the service's credentials")
FINDING = Finding(FindingKind.USER, "ana", "AIDA", "people", None, "unknown", (), "delete it", "identityctl delete ana")


class FakeSweep:
    """Finds one user in its account, or fails."""

    def __init__(self, account_id: str, error: IdentityError | None = None) -> None:
        self._account_id = account_id
        self._error = error
        self.ended = 0

    async def end_abandoned(self) -> int:
        """Count that it was asked."""
        self.ended += 1
        return 3

    async def run(self) -> tuple[Finding, ...]:
        """Return the finding."""
        if self._error:
            raise self._error
        return (in_account(FINDING, self._account_id, one_of_several=True),)


def sweeps(**errors: IdentityError) -> dict[str, Sweep]:
    """Have two accounts, of which one or the other fails."""
    return {each: cast(Sweep, FakeSweep(each, errors.get(f"a{each}"))) for each in (ONE, TWO)}


def refusing(*account_ids: str) -> Callable[[str], Awaitable[None]]:
    """Verify accounts, but for these."""

    async def verify(account_id: str) -> None:
        if account_id in account_ids:
            raise REFUSED

    return verify


async def test_every_account_is_swept() -> None:
    """Findings of all accounts come together, each with its account, also in its command."""
    swept = await sweep_accounts(sweeps(), refusing())
    assert [found.account_id for found in swept.findings] == [ONE, TWO]
    assert swept.findings[1].command == f"identityctl --account {TWO} delete ana"
    assert (swept.account_ids, swept.unread, swept.ended) == ((ONE, TWO), {}, 0)


@pytest.mark.parametrize("errors", [{}, {f"a{ONE}": REFUSED}])
async def test_one_that_cannot_be_read_does_not_hide_the_others(errors: dict[str, IdentityError]) -> None:
    """Whether it cannot be verified or not be read: it is named with the reason, and the other one is swept."""
    swept = await sweep_accounts(sweeps(**errors), refusing(*([] if errors else [ONE])))
    assert swept.unread == {ONE: REFUSED.message}
    assert [found.account_id for found in swept.findings] == [TWO]


async def test_the_only_account_fails_as_it_is() -> None:
    """Where there is one account, nothing was swept if it cannot be read."""
    alone = {ONE: cast(Sweep, FakeSweep(ONE))}
    with pytest.raises(IdentityError) as raised:
        await sweep_accounts(alone, refusing(ONE), end_abandoned=True)
    assert raised.value is REFUSED
    assert cast(FakeSweep, alone[ONE]).ended == 0


async def test_the_store_is_tidied_once() -> None:
    """Abandoned requests are the whole store's: they are ended once, however many accounts there are."""
    both = sweeps()
    swept = await sweep_accounts(both, refusing(), end_abandoned=True)
    assert swept.ended == 3
    assert [cast(FakeSweep, each).ended for each in both.values()] == [1, 0]


def test_commands_of_others_stay_as_they_are() -> None:
    """`aws` takes its account from its credentials, and with one account nothing has to be named."""
    assert in_account(FINDING, ONE, one_of_several=False).command == FINDING.command
