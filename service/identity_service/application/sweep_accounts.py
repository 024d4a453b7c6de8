"""The sweep of several accounts, of which one that cannot be read does not keep the others from being swept."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from identity_service.application.sweep import Sweep
from identity_service.domain.errors import IdentityError
from identity_service.domain.sweep import Finding


@dataclass
class Swept:
    """What was found in these accounts, how many requests were `ended` before, and why accounts are `unread`."""

    account_ids: tuple[str, ...]
    findings: tuple[Finding, ...] = ()
    ended: int = 0
    unread: dict[str, str] = field(default_factory=dict)


async def sweep_accounts(
    sweeps: Mapping[str, Sweep], verify: Callable[[str], Awaitable[None]], *, end_abandoned: bool = False
) -> Swept:
    """Sweep accounts, by their ids, once each is verified; end what is abandoned before, if so asked.

    Raises IdentityError where there is one account and it cannot be read, or the store cannot.
    """
    swept = Swept(tuple(sweeps))
    # All are verified first: nothing is ended by a server that is set up for the wrong account.
    for account_id in sweeps:
        await _unless_unread(swept, account_id, verify(account_id))
    if end_abandoned:
        swept.ended = await next(iter(sweeps.values())).end_abandoned()
    for account_id, sweep in sweeps.items():
        if account_id not in swept.unread:
            await _unless_unread(swept, account_id, _sweep_into(swept, sweep))
    return swept


async def _sweep_into(swept: Swept, sweep: Sweep) -> None:
    swept.findings += await sweep.run()


async def _unless_unread(swept: Swept, account_id: str, work: Awaitable[None]) -> None:
    try:
        await work
    except IdentityError as error:
        if len(swept.account_ids) == 1:
            raise
        swept.unread[account_id] = error.message
