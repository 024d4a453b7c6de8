"""An adapter on an embedded account, with a clock that is moved instead of waited for."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from embedded_aws import EmbeddedAws
from identity_service.adapters.aws_iam import (
    AwsAccountSettings,
    AwsSettings,
    ConfiguredAccounts,
    ExplicitCredentials,
    build_accounts,
    build_pool,
)
from identity_service.adapters.aws_iam.account import BotoIamAccount
from identity_service.adapters.aws_iam.retry import Clock
from identity_service.domain.secret import Secret


@dataclass
class FakeTime:
    """Time that passes only while somebody sleeps, or when a test says so."""

    now: float = 1000.0
    sleeps: list[float] = field(default_factory=list)

    @property
    def clock(self) -> Clock:
        """The clock to give to the adapter."""
        return Clock(now=lambda: self.now, sleep=self.sleep)

    async def sleep(self, seconds: float) -> None:
        """Let the time pass at once."""
        self.sleeps.append(seconds)
        self.now += seconds


Connect = Callable[..., ConfiguredAccounts]


@pytest.fixture(scope="session")
def running_aws() -> Iterator[EmbeddedAws]:
    """One embedded account for all tests of the adapter."""
    with EmbeddedAws() as aws:
        yield aws


@pytest.fixture
def aws(running_aws: EmbeddedAws) -> EmbeddedAws:
    """The embedded account, emptied."""
    running_aws.reset()
    return running_aws


@pytest.fixture(scope="session")
def admin_client(running_aws: EmbeddedAws) -> Iterator[Any]:
    """A plain client of the embedded account; one for all tests, because it takes long to build."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv("AWS_CONFIG_FILE", os.devnull)
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
        session = boto3.session.Session(
            running_aws.access_key_id, running_aws.secret_access_key, region_name="us-east-1"
        )
        client = session.client("iam", endpoint_url=running_aws.endpoint_url)
    yield client
    client.close()


@pytest.fixture
def admin(aws: EmbeddedAws, admin_client: Any) -> Any:
    """A plain client to arrange the embedded account with."""
    return admin_client


@pytest.fixture
def time() -> FakeTime:
    """The adapter's time."""
    return FakeTime()


@pytest.fixture
def spans() -> InMemorySpanExporter:
    """The spans that ended."""
    return InMemorySpanExporter()


@pytest.fixture
def connect(time: FakeTime, spans: InMemorySpanExporter) -> Iterator[Connect]:
    """Build accounts from settings; they are closed after the test."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(spans))
    built: list[ConfiguredAccounts] = []

    def connect(*accounts: AwsAccountSettings, **settings: Any) -> ConfiguredAccounts:
        whole = AwsSettings(accounts, **{"threads": 4, **settings})
        built.append(build_accounts(whole, build_pool(whole), clock=time.clock, tracer_provider=provider))
        return built[-1]

    yield connect
    for configured in built:
        configured.close()


@pytest.fixture
def account_settings(aws: EmbeddedAws) -> AwsAccountSettings:
    """How to reach the embedded account."""
    return AwsAccountSettings(
        aws.account_id,
        endpoint_url=aws.endpoint_url,
        credentials=ExplicitCredentials(aws.access_key_id, Secret(aws.secret_access_key)),
    )


@pytest.fixture
def iam(connect: Connect, account_settings: AwsAccountSettings) -> BotoIamAccount:
    """The adapter on the embedded account."""
    return connect(account_settings).get("")
