"""The configured accounts: which one is meant, whether it is the right one, and where it is."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from botocore.loaders import JSONFileLoader

from embedded_aws import AnswerError, EmbeddedAws, Fault, Hold, throttled
from identity_service.adapters.aws_iam import (
    AwsAccountSettings,
    AwsSettings,
    AwsSettingsError,
    ConfiguredAccounts,
    ExplicitCredentials,
    build_accounts,
    build_pool,
)
from identity_service.adapters.aws_iam.clients import AccountClients, build_loader
from identity_service.domain.errors import IamError, IamErrorKind, IdentityError, Reason
from identity_service.domain.secret import Secret
from tests.unit.adapters.aws_iam.conftest import FakeTime

OTHER_ACCOUNT = "210987654321"
EXAMPLE_KEY = ExplicitCredentials("AKIAEXAMPLE", Secret("example"))
TRUST = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}]}'

Connect = Callable[..., ConfiguredAccounts]


# Which account.


def test_only_account_needs_no_name(connect: Connect, account_settings: AwsAccountSettings) -> None:
    """With one account, "" means it, and so does its id."""
    accounts = connect(account_settings)
    assert accounts.get("") is accounts.get(account_settings.account_id)
    assert accounts.get("").account_id == account_settings.account_id


def test_unknown_account(connect: Connect, account_settings: AwsAccountSettings) -> None:
    """An account that is not configured is ACCOUNT_NOT_FOUND, by its id."""
    with pytest.raises(IdentityError) as caught:
        connect(account_settings).get(OTHER_ACCOUNT)
    assert caught.value.reason is Reason.ACCOUNT_NOT_FOUND
    assert caught.value.metadata == {"account_id": OTHER_ACCOUNT}


def test_one_of_several_accounts_needs_a_name(connect: Connect, account_settings: AwsAccountSettings) -> None:
    """With two accounts, "" could mean either and is ACCOUNT_NOT_FOUND; each is found by its id."""
    accounts = connect(account_settings, replace(account_settings, account_id=OTHER_ACCOUNT))
    with pytest.raises(IdentityError) as caught:
        accounts.get("")
    assert caught.value.reason is Reason.ACCOUNT_NOT_FOUND
    assert accounts.get(OTHER_ACCOUNT).account_id == OTHER_ACCOUNT


def test_account_twice_is_refused(account_settings: AwsAccountSettings) -> None:
    """Settings that name an account twice do not start a service."""
    settings = AwsSettings((account_settings, account_settings))
    with build_pool(settings) as pool, pytest.raises(ValueError, match="twice"):
        build_accounts(settings, pool)


def test_profile_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """What boto3 refuses to be set up with is told by the name of its own variable."""
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
    settings = AwsSettings((AwsAccountSettings(OTHER_ACCOUNT),))
    with build_pool(settings) as pool, pytest.raises(AwsSettingsError, match="no such profile") as caught:
        build_accounts(settings, pool)
    assert caught.value.setting == "AWS_PROFILE"


@pytest.mark.parametrize(
    ("place", "problem"),
    [
        ({"region": "eu-central-1", "partition": "aws-cn"}, "region eu-central-1 is not in partition aws-cn"),
        ({"region": "xx-nowhere-1"}, "boto3 knows no region xx-nowhere-1"),
    ],
)
def test_a_region_that_cannot_be_is_refused(
    account_settings: AwsAccountSettings, place: dict[str, str], problem: str
) -> None:
    """A wrong setting is told with its name, so that whoever reads it knows which one to change."""
    settings = AwsSettings((replace(account_settings, **place),))  # type: ignore[arg-type] # only strings
    with build_pool(settings) as pool, pytest.raises(AwsSettingsError, match=problem) as caught:
        build_accounts(settings, pool)
    assert caught.value.setting == "region"


def test_half_a_key_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key id without its secret is told by the name of the variable that is missing."""
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY", raising=False)
    settings = AwsSettings((AwsAccountSettings(OTHER_ACCOUNT),))
    with build_pool(settings) as pool, pytest.raises(AwsSettingsError) as caught:
        build_accounts(settings, pool)
    assert caught.value.setting == "AWS_SECRET_ACCESS_KEY"


# Whether it is the right one.


async def test_verified_account(connect: Connect, account_settings: AwsAccountSettings) -> None:
    """Credentials that belong to the configured account pass."""
    await connect(account_settings).verify()


async def test_credentials_of_another_account(connect: Connect, account_settings: AwsAccountSettings) -> None:
    """Credentials of another account do not start a service that would then change the wrong one."""
    with pytest.raises(IdentityError) as caught:
        await connect(replace(account_settings, account_id=OTHER_ACCOUNT)).verify()
    assert caught.value.reason is Reason.AWS_CREDENTIALS_REFUSED
    assert caught.value.metadata == {"account_id": OTHER_ACCOUNT}


async def test_refused_credentials(connect: Connect, account_settings: AwsAccountSettings, aws: EmbeddedAws) -> None:
    """Credentials that STS does not know are CREDENTIALS_REFUSED."""
    aws.inject(Fault("GetCallerIdentity", AnswerError("InvalidClientTokenId", 403)))
    with pytest.raises(IamError) as caught:
        await connect(account_settings).verify()
    assert caught.value.kind is IamErrorKind.CREDENTIALS_REFUSED
    assert caught.value.action == "sts:GetCallerIdentity"


def test_credentials_do_not_show(account_settings: AwsAccountSettings, aws: EmbeddedAws) -> None:
    """Settings can be printed."""
    assert aws.secret_access_key not in repr(AwsSettings((account_settings,)))


async def test_closed_accounts_send_nothing(account_settings: AwsAccountSettings) -> None:
    """After closing, no call is sent any more."""
    settings = AwsSettings((account_settings,), threads=1)
    accounts = build_accounts(settings, build_pool(settings))
    accounts.close()
    with pytest.raises(RuntimeError):
        await accounts.get("").get_account_summary()


# Roles.


async def test_role_is_assumed(
    connect: Connect, account_settings: AwsAccountSettings, aws: EmbeddedAws, admin: Any
) -> None:
    """With a role, calls are signed with the role's temporary key, which is asked for once."""
    role_arn = admin.create_role(RoleName="provisioner", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    iam = connect(replace(account_settings, role_arn=role_arn)).get("")
    aws.inject(Fault("AssumeRole", throttled()))
    aws.clear_calls()
    await iam.get_user("maria")
    await iam.get_user("noor")
    assert [call.operation for call in aws.calls()] == ["AssumeRole", "AssumeRole", "GetUser", "GetUser"]
    assert aws.calls()[-1].access_key_id.startswith("ASIA")


async def test_role_that_is_refused(
    connect: Connect, account_settings: AwsAccountSettings, caplog: pytest.LogCaptureFixture
) -> None:
    """A role that cannot be assumed is CREDENTIALS_REFUSED, and nobody's secret is logged."""
    role_arn = f"arn:aws:iam::{account_settings.account_id}:role/missing"
    iam = connect(replace(account_settings, role_arn=role_arn)).get("")
    with pytest.raises(IamError) as caught:
        await iam.create_access_key("maria")
    assert caught.value.kind is IamErrorKind.CREDENTIALS_REFUSED
    assert not caught.value.outcome_unknown
    assert account_settings.credentials is not None
    assert account_settings.credentials.secret_access_key.reveal() not in caplog.text


async def test_role_asks_for_the_external_id(
    connect: Connect, account_settings: AwsAccountSettings, aws: EmbeddedAws, admin: Any
) -> None:
    """The external id of the settings is said to STS, and nothing is said without one."""
    role_arn = admin.create_role(RoleName="provisioner", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    aws.clear_calls()
    for external_id in ("acme/1", None):
        settings = replace(account_settings, role_arn=role_arn, external_id=external_id)
        await connect(settings).get("").get_user("maria")
    said = [call.parameters for call in aws.calls() if call.operation == "AssumeRole"]
    assert [parameters.get("ExternalId") for parameters in said] == ["acme/1", None]
    assert {parameters["RoleSessionName"] for parameters in said} == {"identity-provisioning"}


# Side by side.


@pytest.fixture
def other_settings(account_settings: AwsAccountSettings, aws: EmbeddedAws) -> AwsAccountSettings:
    """How to reach another account of the same process."""
    key = aws.add_account(OTHER_ACCOUNT)
    credentials = ExplicitCredentials(key.access_key_id, Secret(key.secret_access_key))
    return replace(account_settings, account_id=OTHER_ACCOUNT, credentials=credentials)


async def test_each_account_is_verified_by_itself(
    connect: Connect, account_settings: AwsAccountSettings, other_settings: AwsAccountSettings
) -> None:
    """Credentials that are mixed up are told of the account that they do not belong to, and of no other."""
    mixed_up = replace(other_settings, credentials=account_settings.credentials)
    accounts = connect(account_settings, mixed_up)
    assert accounts.ids == (account_settings.account_id, OTHER_ACCOUNT)
    await accounts.verify(account_settings.account_id)
    with pytest.raises(IdentityError) as caught:
        await accounts.verify(OTHER_ACCOUNT)
    assert caught.value.metadata == {"account_id": OTHER_ACCOUNT}


async def test_an_account_that_does_not_answer_holds_no_other(
    connect: Connect, account_settings: AwsAccountSettings, other_settings: AwsAccountSettings, aws: EmbeddedAws
) -> None:
    """Calls to one account may take all threads that it has, and those to another go on meanwhile."""
    accounts = connect(account_settings, other_settings, threads=2, read_timeout=60.0)
    aws.inject(Fault("GetUser", Hold(), {"UserName": "stuck"}, times=None))
    stuck = [asyncio.create_task(accounts.get(account_settings.account_id).get_user("stuck")) for _ in range(2)]
    await asyncio.to_thread(aws.wait_for_held, 2)
    try:
        async with asyncio.timeout(10):
            assert await accounts.get(OTHER_ACCOUNT).get_user("maria") is None
        assert not any(task.done() for task in stuck)
    finally:
        aws.clear_faults()
        await asyncio.gather(*stuck, return_exceptions=True)


async def test_throttling_slows_one_account_alone(
    connect: Connect,
    account_settings: AwsAccountSettings,
    other_settings: AwsAccountSettings,
    aws: EmbeddedAws,
    time: FakeTime,
) -> None:
    """After refusals in one account its calls wait, and those of the other do not."""
    accounts = connect(account_settings, other_settings)
    aws.inject(Fault("GetUser", throttled(), {"UserName": "maria"}, times=3))
    await accounts.get(account_settings.account_id).get_user("maria")
    assert time.sleeps
    slept = len(time.sleeps)
    for _ in range(20):
        await accounts.get(OTHER_ACCOUNT).get_user("noor")
    assert len(time.sleeps) == slept


async def test_an_account_may_have_a_pace_of_its_own(
    connect: Connect,
    account_settings: AwsAccountSettings,
    other_settings: AwsAccountSettings,
    time: FakeTime,
) -> None:
    """The figure of an account holds for it instead of the one for all."""
    accounts = connect(account_settings, replace(other_settings, calls_per_second=1), calls_per_second=10_000)
    for account_id, least in ((account_settings.account_id, 0.0), (OTHER_ACCOUNT, 3.0)):
        began = time.now
        for _ in range(6):
            await accounts.get(account_id).get_user("maria")
        assert least <= time.now - began < least + 5


def test_a_further_account_reads_nothing_again(account_settings: AwsAccountSettings) -> None:
    """boto3's descriptions of AWS are read once for all accounts: each would else cost 18 MiB."""
    read: list[str] = []

    class Counting(JSONFileLoader):
        """Notes which files were read."""

        def load_file(self, file_path: str) -> Any:
            """Read a file."""
            read.append(file_path)
            return super().load_file(file_path)

    loader = build_loader()
    loader.file_loader = Counting()
    for account_id in ("111111111111", OTHER_ACCOUNT):
        account = replace(account_settings, account_id=account_id, role_arn=f"arn:aws:iam::{account_id}:role/r")
        clients = AccountClients(account, AwsSettings((account,)), loader)
        for client in (clients.iam(), clients.sts()):
            client.close()
        if account_id != OTHER_ACCOUNT:
            seen = len(read)
    assert seen
    assert read[seen:] == []


# Where it is.


@pytest.mark.parametrize(
    ("partition", "region", "expected_partition", "expected_region", "endpoint_url"),
    [
        ("", "", "aws", "us-east-1", "https://iam.amazonaws.com"),
        ("aws", "", "aws", "us-east-1", "https://iam.amazonaws.com"),
        ("", "eu-central-1", "aws", "us-east-1", "https://iam.amazonaws.com"),
        ("aws-cn", "", "aws-cn", "cn-north-1", "https://iam.cn-north-1.amazonaws.com.cn"),
        ("", "cn-northwest-1", "aws-cn", "cn-north-1", "https://iam.cn-north-1.amazonaws.com.cn"),
        ("aws-us-gov", "us-gov-east-1", "aws-us-gov", "us-gov-west-1", "https://iam.us-gov.amazonaws.com"),
    ],
)
def test_place(partition: str, region: str, expected_partition: str, expected_region: str, endpoint_url: str) -> None:
    """Each partition has one IAM, in one region, whichever region the settings name."""
    account = AwsAccountSettings(OTHER_ACCOUNT, partition=partition, region=region, credentials=EXAMPLE_KEY)
    clients = AccountClients(account, AwsSettings((account,)))
    client = clients.iam()
    client.close()
    assert (clients.place.partition, clients.place.region) == (expected_partition, expected_region)
    assert client.meta.endpoint_url == endpoint_url


@pytest.mark.parametrize(("partition", "region"), [("aws", "cn-north-1"), ("aws-nowhere", ""), ("", "nowhere-north-1")])
def test_impossible_place_is_refused(partition: str, region: str) -> None:
    """A region of another partition and unknown names do not start a service."""
    account = AwsAccountSettings(OTHER_ACCOUNT, partition=partition, region=region, credentials=EXAMPLE_KEY)
    with pytest.raises(ValueError, match=r"partition|region"):
        AccountClients(account, AwsSettings((account,)))


def test_explicit_key_ignores_the_machines_files(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a key of its own, an account takes nothing from the machine's AWS files."""
    config = tmp_path / "config"
    config.write_text("[default]\nregion = eu-central-1\nendpoint_url = http://127.0.0.1:9\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
    account = AwsAccountSettings(OTHER_ACCOUNT, credentials=EXAMPLE_KEY)
    client = AccountClients(account, AwsSettings((account,))).iam()
    client.close()
    assert client.meta.endpoint_url == "https://iam.amazonaws.com"
