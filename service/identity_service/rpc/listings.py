"""What the RPCs that list something need of the application."""

from typing import Protocol

from identity_service.application.listing import MfaDeviceFilter, PageRequest, UserFilter
from identity_service.application.ports import PolicyScope
from identity_service.domain.caller import Caller
from identity_service.domain.entities import GroupDetails, MfaDeviceDetails, Page, PolicyDetails, UserRecord


class ListingRequest(Protocol):
    """The fields that every request for a list has; a test of the contract holds that."""

    page_size: int
    page_token: str


class Lists(Protocol):
    """Pages of what an account has."""

    async def users(self, caller: Caller, account_id: str, page: PageRequest, wanted: UserFilter) -> Page[UserRecord]:
        """List users."""

    async def groups(self, caller: Caller, account_id: str, page: PageRequest, path_prefix: str) -> Page[GroupDetails]:
        """List groups."""

    async def policies(
        self, caller: Caller, account_id: str, page: PageRequest, scope: PolicyScope, search: str
    ) -> Page[PolicyDetails]:
        """List managed policies."""

    async def mfa_devices(
        self, caller: Caller, account_id: str, page: PageRequest, wanted: MfaDeviceFilter
    ) -> Page[MfaDeviceDetails]:
        """List virtual MFA devices."""


def page_request(request: ListingRequest) -> PageRequest:
    """Convert which page is asked for."""
    return PageRequest(request.page_size, request.page_token)
