"""An AWS account as callers see it."""

from dataclasses import dataclass

from identity_service.domain.entities import AccountSummary
from identity_service.domain.passwords import PasswordPolicy


@dataclass(frozen=True)
class AccountDescription:
    """The account's id, partition, alias ("" if none), sign-in URL, password policy in force, and quotas."""

    account_id: str
    partition: str
    alias: str
    sign_in_url: str
    password_policy: PasswordPolicy
    summary: AccountSummary
