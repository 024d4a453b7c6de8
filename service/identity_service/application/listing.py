"""ListUsers, ListGroups, ListPolicies, ListMfaDevices: pages of what an account has, filtered where IAM cannot."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from identity_service.application.failures import explain
from identity_service.application.mfa_devices import describe_devices
from identity_service.application.ports import Accounts, Authorizer, MfaAssignment, PolicyScope
from identity_service.domain import tags
from identity_service.domain.caller import Caller
from identity_service.domain.entities import GroupDetails, MfaDeviceDetails, Page, PolicyDetails, UserRecord
from identity_service.domain.errors import FieldViolation, IamError, IamErrorKind, IdentityError, Reason
from identity_service.domain.mfa_devices import concerns
from identity_service.domain.names import name_key

T = TypeVar("T")

DEFAULT_PAGE_SIZE = 100
MOST_READS = 20
"""How many pages of IAM are read for one of ours; what fits may be far apart."""
MOST_DEVICES = 100
"""How many MFA devices are looked at for one page: each takes up to three more calls."""


@dataclass(frozen=True)
class PageRequest:
    """Which page: at most `size` items (0 for the default) from `token` on ("" for the first)."""

    size: int = 0
    token: str = ""


@dataclass(frozen=True)
class UserFilter:
    """Which users: all conditions have to hold; an empty one always does. A tag with an empty value fits any value."""

    path_prefix: str = ""
    name_prefix: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    owner_team: str = ""

    def fits(self, user: UserRecord) -> bool:
        """Tell whether a user is asked for."""
        return (
            user.path.startswith(self.path_prefix)
            and name_key(user.user_name).startswith(name_key(self.name_prefix))
            and all(_has_tag(user, key, value) for key, value in self.tags.items())
            and (not self.owner_team or tags.owner_of(user.tags) == self.owner_team)
        )


@dataclass(frozen=True)
class MfaDeviceFilter:
    """Which virtual MFA devices: all conditions have to hold; an empty user name fits every device."""

    assignment: MfaAssignment = MfaAssignment.ANY
    abandoned_only: bool = False
    user_name: str = ""

    def fits(self, found: MfaDeviceDetails) -> bool:
        """Tell whether a device is asked for, as far as IAM's listing has not told."""
        return (found.abandoned or not self.abandoned_only) and (
            not self.user_name or concerns(found.device, self.user_name)
        )


def _has_tag(user: UserRecord, key: str, value: str) -> bool:
    held = [held_value for held_key, held_value in user.tags.items() if name_key(held_key) == name_key(key)]
    return bool(held) and (not value or value in held)


class Listing:
    """Lists what an account has."""

    def __init__(self, *, accounts: Accounts, authorizer: Authorizer) -> None:
        self._accounts = accounts
        self._authorizer = authorizer

    async def users(self, caller: Caller, account_id: str, page: PageRequest, wanted: UserFilter) -> Page[UserRecord]:
        """List users with tags and boundary. Raises IdentityError."""
        account = self._accounts.get(account_id)
        self._authorizer.may_ask(caller, "ListUsers", account.account_id, None)
        return await _collect(page, account.page_of_users, wanted.fits)

    async def groups(self, caller: Caller, account_id: str, page: PageRequest, path_prefix: str) -> Page[GroupDetails]:
        """List groups with their policies. Raises IdentityError."""
        account = self._accounts.get(account_id)
        self._authorizer.may_ask(caller, "ListGroups", account.account_id, None)
        return await _collect(page, account.page_of_groups, lambda group: group.path.startswith(path_prefix))

    async def policies(
        self, caller: Caller, account_id: str, page: PageRequest, scope: PolicyScope, search: str
    ) -> Page[PolicyDetails]:
        """List managed policies with `search` in their names, in any letter case. Raises IdentityError."""
        account = self._accounts.get(account_id)
        self._authorizer.may_ask(caller, "ListPolicies", account.account_id, None)

        async def read(size: int, token: str | None) -> Page[PolicyDetails]:
            return await account.page_of_policies(scope, size, token)

        return await _collect(page, read, lambda policy: name_key(search) in name_key(policy.policy_name))

    async def mfa_devices(
        self, caller: Caller, account_id: str, page: PageRequest, wanted: MfaDeviceFilter
    ) -> Page[MfaDeviceDetails]:
        """List virtual MFA devices with their tags; one page of IAM makes one of ours. Raises IdentityError."""
        account = self._accounts.get(account_id)
        self._authorizer.may_ask(caller, "ListMfaDevices", account.account_id, None)

        async def read(size: int, token: str | None) -> Page[MfaDeviceDetails]:
            listed = await account.page_of_virtual_mfa_devices(wanted.assignment, size, token)
            return Page(await describe_devices(account, listed.items), listed.next_token)

        found = await _read(read, min(page.size or DEFAULT_PAGE_SIZE, MOST_DEVICES), page.token or None)
        return Page(tuple(filter(wanted.fits, found.items)), found.next_token)


async def _collect(
    page: PageRequest, read: Callable[[int, str | None], Awaitable[Page[T]]], fits: Callable[[T], bool]
) -> Page[T]:
    """Read IAM's pages until ours is full, or until there are no more, or enough were read.

    A page never holds more than asked for; it may hold less, and even nothing, while a token leads on.
    """
    size = page.size or DEFAULT_PAGE_SIZE
    found: list[T] = []
    token = page.token or None
    for _ in range(MOST_READS):
        part = await _read(read, size - len(found), token, callers=token == page.token)
        found += filter(fits, part.items)
        token = part.next_token
        if token is None or len(found) == size:
            break
    return Page(tuple(found), token)


async def _read(
    read: Callable[[int, str | None], Awaitable[Page[T]]], size: int, token: str | None, *, callers: bool = True
) -> Page[T]:
    """Read a page of IAM's; `callers` tells that the token is the caller's, whose mistake it may be."""
    try:
        return await read(size, token)
    except IamError as error:
        if error.kind is IamErrorKind.INVALID_INPUT and token and callers:
            violation = FieldViolation("page_token", "is not one that an earlier page has answered")
            raise IdentityError(
                Reason.INVALID_FIELD, "the page token is not valid", field_violations=(violation,)
            ) from None
        raise explain(error) from None
