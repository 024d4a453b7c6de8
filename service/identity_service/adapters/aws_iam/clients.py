"""The boto3 session and clients of one account: region, credentials, timeouts. Each client costs 20 to 220 ms.

All accounts read boto3's descriptions of AWS through one loader, which keeps what it has read: a loader of its own
would cost each account 18 MiB and most of that time.
"""

import os
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import boto3
import botocore.session
from botocore.client import BaseClient
from botocore.config import Config
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    CredentialProvider,
    CredentialResolver,
    DeferredRefreshableCredentials,
    RefreshableCredentials,
)
from botocore.exceptions import UnknownRegionError
from botocore.loaders import Loader, create_loader

from identity_service.adapters.aws_iam.settings import AwsAccountSettings, AwsSettings, AwsSettingsError

_ROLE_SESSION_NAME = "identity-provisioning"
_DEFAULT_PARTITION = "aws"
_STS_CONNECT_TIMEOUT = 2.0
_STS_READ_TIMEOUT = 3.0
# boto3's settings by name: where the files have them, where the environment has them, their default, their type.
_NO_FILES: dict[str, Any] = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}


@dataclass(frozen=True)
class Place:
    """Where an account's IAM is: its partition, and the region that calls are signed for."""

    partition: str
    region: str


class AccountClients:
    """Builds the clients of one account from one session."""

    def __init__(self, account: AwsAccountSettings, settings: AwsSettings, loader: Loader | None = None) -> None:
        loader = loader or build_loader()
        self._endpoint_url = account.endpoint_url
        self._config = client_config(settings)
        self._sts_config = client_config(
            replace(
                settings,
                connect_timeout=min(settings.connect_timeout, _STS_CONNECT_TIMEOUT),
                read_timeout=min(settings.read_timeout, _STS_READ_TIMEOUT),
            )
        )
        self._session = _session_of(account, loader)
        self.place = locate(account, self._session)
        if account.role_arn:
            self._assume(account.role_arn, account.external_id, _empty_session(account, loader))
        self._boto3 = boto3.session.Session(botocore_session=self._session, region_name=self.place.region)

    def iam(self) -> BaseClient:
        """Build the client of IAM. One does for minting too: boto3's own retries are off in all of them."""
        return self._boto3.client("iam", endpoint_url=self._endpoint_url, config=self._config)

    def sts(self) -> BaseClient:
        """Build the client of STS. It asks only who the credentials are, and nobody waits long for that."""
        return self._boto3.client("sts", endpoint_url=self._endpoint_url, config=self._sts_config)

    def _assume(self, role_arn: str, external_id: str | None, session: botocore.session.Session) -> None:
        """Go on with a session that assumes a role at its first call, and again before its credentials expire."""
        create_client = partial(
            self._session.create_client,
            region_name=self.place.region,
            endpoint_url=self._endpoint_url,
            config=self._config,
        )
        own_credentials = self._session.get_credentials()
        if own_credentials is None:
            raise AwsSettingsError("role_arn", f"there are no credentials to assume {role_arn} with")
        fetcher = AssumeRoleCredentialFetcher(
            client_creator=create_client,
            source_credentials=own_credentials,
            role_arn=role_arn,
            extra_args={"RoleSessionName": _ROLE_SESSION_NAME} | ({"ExternalId": external_id} if external_id else {}),
        )
        self._session = session
        self._session.register_component("credential_provider", CredentialResolver([_RoleProvider(fetcher)]))


class _RoleProvider(CredentialProvider):
    """Gives a session the credentials of a role, fetched when they are needed."""

    METHOD = "assume-role"

    def __init__(self, fetcher: AssumeRoleCredentialFetcher) -> None:
        super().__init__()
        self._fetcher = fetcher

    def load(self) -> RefreshableCredentials:
        """Return credentials that refresh themselves."""
        return DeferredRefreshableCredentials(self._fetcher.fetch_credentials, self.METHOD)


def build_loader() -> Loader:
    """Build what reads boto3's descriptions of AWS, each once; for all accounts of a process."""
    loader: Loader = create_loader()
    return loader


def client_config(settings: AwsSettings) -> Config:
    """Say how clients connect. One attempt: boto3's retries would multiply with ours, and would mint twice."""
    return Config(
        connect_timeout=settings.connect_timeout,
        read_timeout=settings.read_timeout,
        max_pool_connections=settings.threads,
        retries={"total_max_attempts": 1, "mode": "standard"},
    )


def locate(account: AwsAccountSettings, session: botocore.session.Session) -> Place:
    """Tell an account's partition and signing region: IAM is signed for one region of each partition."""
    partition = account.partition or _partition_of(account.region, session)
    if account.region and _partition_of(account.region, session) != partition:
        raise AwsSettingsError("region", f"region {account.region} is not in partition {partition}")
    return Place(partition, _signing_region(partition, account.region, session))


def _partition_of(region: str, session: botocore.session.Session) -> str:
    if not region:
        return _DEFAULT_PARTITION
    try:
        return session.get_partition_for_region(region)
    except UnknownRegionError:
        raise AwsSettingsError("region", f"boto3 knows no region {region}") from None


def _signing_region(partition: str, region: str, session: botocore.session.Session) -> str:
    for described in session.get_data("endpoints")["partitions"]:
        if described["partition"] == partition and "iam" in described["services"]:
            iam = described["services"]["iam"]
            return str(iam["endpoints"][iam["partitionEndpoint"]]["credentialScope"]["region"])
    if not region:
        raise AwsSettingsError("region", f"must be set: boto3 does not know where partition {partition} has its IAM")
    return region


def _session_of(account: AwsAccountSettings, loader: Loader) -> botocore.session.Session:
    session = _empty_session(account, loader)
    if account.credentials is not None:
        session.set_credentials(account.credentials.access_key_id, account.credentials.secret_access_key.reveal())
    return session


def _empty_session(account: AwsAccountSettings, loader: Loader) -> botocore.session.Session:
    """Build a session. Whoever names a key wants this key, and nothing of the files that are on the machine."""
    session = botocore.session.Session(session_vars=_NO_FILES if account.credentials is not None else None)
    session.register_component("data_loader", loader)
    return session
