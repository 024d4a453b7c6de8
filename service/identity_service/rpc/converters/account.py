"""Accounts."""

from identity_provisioning.v1 import account_pb2
from identity_service.application.account_description import AccountDescription
from identity_service.domain.entities import AccountSummary
from identity_service.domain.passwords import PasswordPolicy

QUOTA_SUFFIX = "Quota"


def to_account(account: AccountDescription) -> account_pb2.Account:
    """Convert an account; its quotas come sorted by name."""
    return account_pb2.Account(
        account_id=account.account_id,
        alias=account.alias,
        sign_in_url=account.sign_in_url,
        partition=account.partition,
        password_policy=_password_policy(account.password_policy),
        quotas=_quotas(account.summary),
    )


def _quotas(summary: AccountSummary) -> list[account_pb2.Quota]:
    """Pair each `UsersQuota` with its `Users`; a quota per user, group or policy has no such partner."""
    return [
        account_pb2.Quota(quota_name=name, limit=limit, used=summary.entries.get(name.removesuffix(QUOTA_SUFFIX)))
        for name, limit in sorted(summary.entries.items())
        if name.endswith(QUOTA_SUFFIX)
    ]


def _password_policy(policy: PasswordPolicy) -> account_pb2.PasswordPolicy:
    return account_pb2.PasswordPolicy(
        is_default=policy.is_default,
        minimum_length=policy.minimum_length,
        require_lowercase=policy.require_lowercase,
        require_uppercase=policy.require_uppercase,
        require_numbers=policy.require_numbers,
        require_symbols=policy.require_symbols,
        minimum_classes=policy.minimum_classes,
        allow_users_to_change=policy.allow_users_to_change,
        maximum_age_days=policy.maximum_age_days,
        hard_expiry=policy.hard_expiry,
        reuse_prevention=policy.reuse_prevention,
    )
