"""One embedded account for all tests of this folder, emptied before each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from embedded_aws import EmbeddedAws

ClientMaker = Callable[..., Any]
Refused = Callable[[str, int], AbstractContextManager[None]]

# The server is under test: a client that checks parameters or tries again would hide what it does.
_PLAIN_CLIENT = Config(
    proxies={},
    parameter_validation=False,
    retries={"total_max_attempts": 1},
    read_timeout=10,
)


@pytest.fixture(scope="session")
def running_account() -> Iterator[EmbeddedAws]:
    """The account's process."""
    with EmbeddedAws() as account:
        yield account


@pytest.fixture
def aws(running_account: EmbeddedAws) -> EmbeddedAws:
    """The account, empty."""
    running_account.reset()
    return running_account


@pytest.fixture(scope="session")
def client(running_account: EmbeddedAws) -> ClientMaker:
    """Makes boto3 clients of the account, the administrator's unless another key is given."""

    def make(
        service: Any,
        access_key_id: str = "",
        secret_access_key: str = "",
        token: str | None = None,
    ) -> Any:
        return boto3.client(
            service,
            endpoint_url=running_account.endpoint_url,
            region_name="us-east-1",
            aws_access_key_id=access_key_id or running_account.access_key_id,
            aws_secret_access_key=secret_access_key or running_account.secret_access_key,
            aws_session_token=token,
            config=_PLAIN_CLIENT,
        )

    return make


@pytest.fixture(scope="session")
def _iam_client(client: ClientMaker) -> Any:
    return client("iam")


@pytest.fixture
def iam(aws: EmbeddedAws, _iam_client: Any) -> Any:
    """IAM of the empty account, as its administrator."""
    return _iam_client


@pytest.fixture(scope="session")
def refused() -> Refused:
    """Asserts that the block's call is answered with this error code and HTTP status."""

    @contextmanager
    def expect(code: str, status: int) -> Iterator[None]:
        with pytest.raises(ClientError) as raised:
            yield
        response = raised.value.response
        answered = response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]
        assert answered == (code, status)

    return expect
