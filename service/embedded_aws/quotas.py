"""The account's quotas, under the names that GetAccountSummary gives them."""

from __future__ import annotations

DEFAULT_QUOTAS = {
    "AccessKeysPerUserQuota": 2,
    "AssumeRolePolicySizeQuota": 2048,
    "AttachedPoliciesPerGroupQuota": 10,
    "AttachedPoliciesPerRoleQuota": 10,
    "AttachedPoliciesPerUserQuota": 10,
    "GroupPolicySizeQuota": 5120,
    "GroupsPerUserQuota": 10,
    "GroupsQuota": 300,
    "InstanceProfilesQuota": 1000,
    "PoliciesQuota": 1500,
    "PolicySizeQuota": 6144,
    "PolicyVersionsInUseQuota": 10000,
    "RolePolicySizeQuota": 10240,
    "RolesQuota": 1000,
    "ServerCertificatesQuota": 20,
    "SigningCertificatesPerUserQuota": 2,
    "UserPolicySizeQuota": 2048,
    "UsersQuota": 5000,
    "VersionsPerPolicyQuota": 5,
}

# Limits that AWS enforces and that GetAccountSummary does not answer.
UNLISTED_QUOTAS = {
    "MFADevicesPerUserQuota": 8,
    "SSHPublicKeysPerUserQuota": 5,
    "ServiceSpecificCredentialsPerUserQuota": 2,
    "TagsPerEntityQuota": 50,
}


class Quotas:
    """Every limit of the account in one settable object."""

    def __init__(self) -> None:
        """Start with AWS's defaults."""
        self._limits: dict[str, int] = {}
        self.restore()

    def restore(self) -> None:
        """Go back to AWS's defaults."""
        self._limits = {**DEFAULT_QUOTAS, **UNLISTED_QUOTAS}

    def __getitem__(self, name: str) -> int:
        """The limit of that name."""
        return self._limits[name]

    def set(self, name: str, value: int) -> None:
        """Change one limit; a name that AWS does not know is a KeyError."""
        if name not in self._limits:
            raise KeyError(name)
        self._limits[name] = value

    def listed(self) -> dict[str, int]:
        """The limits that GetAccountSummary answers."""
        return {name: self._limits[name] for name in DEFAULT_QUOTAS}
