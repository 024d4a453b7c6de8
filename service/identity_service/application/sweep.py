"""The sweep after the store was lost: what the account has of this service's making, held against what the store knows.

It reads, and deletes nothing: what to do is a person's decision. See docs/store-lost.md.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from identity_service.application.failures import explain
from identity_service.application.ledger import UNFINISHED, Failure, Ledger, RequestState, UnfinishedRequest
from identity_service.application.mfa_devices import few_at_a_time, with_tags
from identity_service.application.ports import IamAccount, PolicyScope
from identity_service.application.reading import read_user, with_last_use
from identity_service.domain import sweep, tags
from identity_service.domain.entities import (
    AccessKeyRecord,
    Page,
    PolicyDetails,
    UserRecord,
    UserSnapshot,
    VirtualMfaDeviceRecord,
)
from identity_service.domain.errors import IamError, IdentityError, Reason
from identity_service.domain.sweep import Doubt, Finding, FindingKind
from identity_service.domain.target import user as target_user

T = TypeVar("T")
Tagged = TypeVar("Tagged", UserRecord, VirtualMfaDeviceRecord, PolicyDetails)

PAGE_SIZE = 1000
"""The most that IAM lists at once."""

STORE_RESTORED = Failure(
    IdentityError(
        Reason.UNDO_INCOMPLETE,
        "the service's store was lost while the request was running; look at what is there, and make a new request",
        metadata={"remaining": "unknown", "cause": Reason.INTERRUPTED.name},
    ),
    retryable=False,
)
"""What the requests end with that a restored store takes for running."""


@dataclass(frozen=True)
class _Holdings:
    """What the account has of this service's making, or in its teams' hands."""

    users: tuple[UserRecord, ...]
    keys: tuple[tuple[AccessKeyRecord, ...], ...]
    devices: tuple[VirtualMfaDeviceRecord, ...]
    policies: tuple[PolicyDetails, ...]

    @property
    def row_ids(self) -> frozenset[str]:
        """The rows that things bear the tag of."""
        things: tuple[UserRecord | VirtualMfaDeviceRecord | PolicyDetails, ...]
        things = (*self.users, *self.devices, *self.policies)
        return frozenset(thing.tags[tags.ROW] for thing in things if tags.ROW in thing.tags)


@dataclass(frozen=True)
class _Knowledge:
    """What the store says of the account's holdings."""

    rows: Mapping[str, RequestState]
    key_ids: frozenset[str]
    unfinished: tuple[UnfinishedRequest, ...]

    def doubt(self, its_tags: Mapping[str, str]) -> Doubt | None:
        """Tell why the store does not vouch for something; what an unfinished request has made is that one's matter."""
        row_id = its_tags.get(tags.ROW)
        if row_id is None:
            return None
        state = self.rows.get(row_id)
        if state is None:
            return Doubt.UNKNOWN
        return None if state is RequestState.DONE or state in UNFINISHED else Doubt.FAILED

    def knows_key(self, user: UserRecord, key: AccessKeyRecord) -> bool:
        """Tell whether a request has made or found a key, or may be making one for this user now."""
        busy = {request.target.key for request in self.unfinished}
        return key.access_key_id in self.key_ids or target_user(user.user_name).key in busy


class Sweep:
    """Compares one account with the store, which may be `one_of_several`."""

    def __init__(
        self, account: IamAccount, ledger: Ledger, clock: Callable[[], datetime], *, one_of_several: bool = False
    ) -> None:
        self._account = account
        self._ledger = ledger
        self._clock = clock
        self._one_of_several = one_of_several

    async def end_abandoned(self) -> int:
        """End what a restored store takes for running, without touching the account; return how many there were.

        Left alone, they would be taken over and finished or undone, with keys revoked that are in use since.
        """
        return await self._ledger.end_abandoned(STORE_RESTORED)

    async def run(self) -> tuple[Finding, ...]:
        """Return everything that the store does not vouch for. Raises IdentityError."""
        try:
            # The account first: a request is written down before it makes anything, so what is seen is known by then.
            holdings = await self._read_account()
            known = _Knowledge(
                await self._ledger.known_rows(holdings.row_ids),
                await self._ledger.known_key_ids(),
                tuple(each for each in await self._ledger.unfinished() if each.account_id == self._account.account_id),
            )
            return sweep.in_order(
                self._here(found)
                for found in (
                    *map(_of_request, known.unfinished),
                    *await self._doubtful_users(holdings, known),
                    *await self._unknown_keys(holdings, known),
                    *(sweep.of_mfa_device(found, doubt) for found, doubt in _doubtful(holdings.devices, known)),
                    *(
                        sweep.of_policy(found, doubt, self._clock())
                        for found, doubt in _doubtful(holdings.policies, known)
                    ),
                )
            )
        except IamError as error:
            raise explain(error) from None

    def _here(self, found: Finding) -> Finding:
        return sweep.in_account(found, self._account.account_id, one_of_several=self._one_of_several)

    async def _read_account(self) -> _Holdings:
        account = self._account
        users = tuple(user for user in await _all_pages(account.page_of_users) if sweep.is_ours(user.tags))
        devices = await with_tags(account, await account.list_virtual_mfa_devices())
        return _Holdings(
            users=users,
            keys=await few_at_a_time(account.list_access_keys, (user.user_name for user in users)),
            devices=tuple(device for device in devices if sweep.is_ours(device.tags)),
            policies=await self._read_policies(),
        )

    async def _read_policies(self) -> tuple[PolicyDetails, ...]:
        """Read the account's policies one by one: no listing has their tags."""

        async def read(size: int, token: str | None) -> Page[PolicyDetails]:
            return await self._account.page_of_policies(PolicyScope.CUSTOMER, size, token)

        arns = [policy.arn for policy in await _all_pages(read)]
        found = await few_at_a_time(self._account.get_policy_details, arns)
        return tuple(policy for policy in found if policy and sweep.is_ours(policy.tags))

    async def _doubtful_users(self, holdings: _Holdings, known: _Knowledge) -> tuple[Finding, ...]:
        async def read(found: tuple[UserRecord, Doubt]) -> Finding | None:
            user, doubt = found
            snapshot = await read_user(self._account, user.user_name)
            return sweep.of_user(snapshot, doubt, self._clock()) if snapshot else None

        described = await few_at_a_time(read, _doubtful(holdings.users, known))
        return tuple(filter(None, described))

    async def _unknown_keys(self, holdings: _Holdings, known: _Knowledge) -> tuple[Finding, ...]:
        unknown = [
            UserSnapshot(user, access_keys=tuple(key for key in keys if not known.knows_key(user, key)))
            for user, keys in zip(holdings.users, holdings.keys, strict=True)
        ]
        used = await few_at_a_time(lambda snapshot: with_last_use(self._account, snapshot), unknown)
        return tuple(
            sweep.of_access_key(snapshot.user, key, self._clock()) for snapshot in used for key in snapshot.access_keys
        )


async def unfinished_elsewhere(ledger: Ledger, account_ids: Collection[str]) -> tuple[Finding, ...]:
    """Return the unfinished requests of accounts that are not configured any more. Raises IdentityError."""
    others = (request for request in await ledger.unfinished() if request.account_id not in account_ids)
    return sweep.in_order(
        sweep.in_account(_of_request(request), request.account_id, one_of_several=True) for request in others
    )


async def _all_pages(read: Callable[[int, str | None], Awaitable[Page[T]]]) -> list[T]:
    page = await read(PAGE_SIZE, None)
    found = list(page.items)
    while page.next_token is not None:
        page = await read(PAGE_SIZE, page.next_token)
        found += page.items
    return found


def _doubtful(things: Iterable[Tagged], known: _Knowledge) -> list[tuple[Tagged, Doubt]]:
    return [(thing, doubt) for thing in things if (doubt := known.doubt(thing.tags))]


def _of_request(request: UnfinishedRequest) -> Finding:
    whose = "nobody works on it" if request.abandoned else "a server works on it"
    return Finding(
        kind=FindingKind.REQUEST,
        name=str(request.target),
        identifier=request.row_id,
        owner_team=request.team,
        created_at=request.begun_at,
        why=f"{request.action} {request.key.request_id} of {request.key.caller_id} is {request.state}; {whose}",
        signs=("unfinished",),
        advice="in a restored store, end it; otherwise a server finishes it"
        if request.abandoned
        else "stop the servers, or wait",
        command="identity-service sweep --end-abandoned" if request.abandoned else "identity-service sweep",
    )
