"""A small IAM account in memory that fulfils `IamAccount`: for tests of everything above the adapter.

It refuses what IAM refuses: names, quotas, conflicts, password policy, MFA codes. Methods named `add_` and `set_`
arrange the account; they are no calls. `mutations` is the record, `inject` plants failures, `drop_boundary` makes
CreateUser lose the boundary, as some IAM emulators do, `wrong_codes` are the two MFA codes that are refused.
"""

from identity_service.domain.entities import AccountSummary
from identity_service.domain.passwords import PasswordPolicy
from tests.contract.fake_credentials import FakeCredentials
from tests.contract.fake_groups import FakeGroups
from tests.contract.fake_mfa_devices import FakeMfaDevices
from tests.contract.fake_policies import FakePolicies
from tests.contract.fake_state import ALLOW_NOTHING
from tests.contract.fake_user_permissions import FakeUserPermissions
from tests.contract.fake_users import FakeUsers

__all__ = ["ALLOW_NOTHING", "FakeIam"]


class FakeIam(FakeUsers, FakeCredentials, FakeMfaDevices, FakeUserPermissions, FakeGroups, FakePolicies):
    """The account; each base class has the calls of one subject."""

    @property
    def account_id(self) -> str:
        """The account's id."""
        return self._account_id

    @property
    def partition(self) -> str:
        """The partition."""
        return self._partition

    async def get_account_summary(self) -> AccountSummary:
        """GetAccountSummary."""

        def read() -> AccountSummary:
            own = [arn for arn in self._policies if f"::{self._account_id}:" in arn]
            used = {"Users": len(self._users), "Groups": len(self._groups), "Policies": len(own)}
            return AccountSummary({**self.quotas, **used})

        return await self._read("GetAccountSummary", {}, read)

    async def get_password_policy(self) -> PasswordPolicy:
        """GetAccountPasswordPolicy."""
        return await self._read("GetAccountPasswordPolicy", {}, lambda: self._policy_in_force)

    async def get_alias(self) -> str:
        """ListAccountAliases."""
        return await self._read("ListAccountAliases", {}, lambda: self._alias)
