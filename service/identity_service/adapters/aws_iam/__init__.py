"""The AWS accounts through boto3: the only place that knows it."""

from identity_service.adapters.aws_iam.accounts import ConfiguredAccounts, build_accounts, build_pool
from identity_service.adapters.aws_iam.settings import (
    AwsAccountSettings,
    AwsSettings,
    AwsSettingsError,
    ExplicitCredentials,
)

__all__ = [
    "AwsAccountSettings",
    "AwsSettings",
    "AwsSettingsError",
    "ConfiguredAccounts",
    "ExplicitCredentials",
    "build_accounts",
    "build_pool",
]
