"""The accounts for the contract suite: one embedded account per run, emptied for each test."""

from collections.abc import Iterator
from typing import Any

import pytest

from embedded_aws import EmbeddedAws
from identity_service.adapters.aws_iam import (
    AwsAccountSettings,
    AwsSettings,
    ConfiguredAccounts,
    ExplicitCredentials,
    build_accounts,
    build_pool,
)
from identity_service.application.ports import IamAccount
from identity_service.domain.secret import Secret
from tests.contract.worlds import EmbeddedWorld, FakeWorld, World, admin_client


@pytest.fixture(scope="session")
def embedded_aws() -> Iterator[EmbeddedAws]:
    """An embedded account for the whole run."""
    with EmbeddedAws() as aws:
        yield aws


@pytest.fixture(scope="session")
def admin(embedded_aws: EmbeddedAws) -> Iterator[Any]:
    """A plain client to arrange the embedded account with."""
    client = admin_client(embedded_aws)
    yield client
    client.close()


@pytest.fixture(scope="session")
def configured_accounts(embedded_aws: EmbeddedAws) -> Iterator[ConfiguredAccounts]:
    """The real adapter, connected to the embedded account."""
    account = AwsAccountSettings(
        embedded_aws.account_id,
        endpoint_url=embedded_aws.endpoint_url,
        credentials=ExplicitCredentials(embedded_aws.access_key_id, Secret(embedded_aws.secret_access_key)),
    )
    # The embedded account finds at once what was made: nothing is worth waiting for.
    settings = AwsSettings((account,), threads=4, new_entity_window=0.0)
    accounts = build_accounts(settings, build_pool(settings))
    yield accounts
    accounts.close()


@pytest.fixture(params=["fake", "embedded"])
def world(request: pytest.FixtureRequest) -> World:
    """An empty account: the fake one, and the embedded one through the real adapter."""
    if request.param == "fake":
        return FakeWorld()
    aws: EmbeddedAws = request.getfixturevalue("embedded_aws")
    accounts: ConfiguredAccounts = request.getfixturevalue("configured_accounts")
    aws.reset()
    return EmbeddedWorld(aws, request.getfixturevalue("admin"), accounts.get(""))


@pytest.fixture
def iam(world: World) -> IamAccount:
    """The account's IAM, which is under test."""
    return world.iam
