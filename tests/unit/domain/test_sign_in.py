"""Where users sign in: one host for each partition, under the account's alias or id."""

import pytest

from identity_service.domain.sign_in import sign_in_url

ACCOUNT = "123456789012"


@pytest.mark.parametrize(
    ("partition", "url"),
    [
        ("aws", "https://123456789012.signin.aws.amazon.com/console"),
        ("aws-cn", "https://123456789012.signin.amazonaws.cn/console"),
        ("aws-us-gov", "https://123456789012.signin.amazonaws-us-gov.com/console"),
    ],
)
def test_each_partition_has_its_host(partition: str, url: str) -> None:
    """The host is the one that AWS's documents name for the partition."""
    assert sign_in_url(partition, ACCOUNT, "") == url


def test_an_alias_stands_for_the_id() -> None:
    """An account with an alias is shown under it, in every partition."""
    assert sign_in_url("aws-cn", ACCOUNT, "acme") == "https://acme.signin.amazonaws.cn/console"
