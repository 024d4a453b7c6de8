"""Settings: defaults, messages, and what no variable can do."""

import os
from pathlib import Path

import pytest
import sqlalchemy as sa

from identity_service.settings import (
    EXAMPLES,
    Settings,
    SettingsError,
    is_loopback,
    load_settings,
    load_store_settings,
    read_accounts,
    read_store_url,
    split_address,
)

PREFIX = "IDENTITY_SERVICE_"
TLS = ("TLS_CERTIFICATE_FILE", "TLS_PRIVATE_KEY_FILE", "CLIENT_CA_FILE")


@pytest.fixture(autouse=True)
def good_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Set what has to be set, and nothing else."""
    for name in os.environ:
        if name.startswith(PREFIX):
            monkeypatch.delenv(name)
    monkeypatch.setenv(PREFIX + "AUTHORIZATION_DIR", str(tmp_path))
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setenv(PREFIX + "AWS_ACCOUNT_ID", "123456789012")
    for name in TLS:
        monkeypatch.setenv(PREFIX + name, str(file))


def problems(overrides: dict[str, object] | None = None, *, insecure: bool = False) -> list[str]:
    """Load settings that are wrong; return the lines of the message."""
    with pytest.raises(SettingsError) as raised:
        load_settings(overrides, insecure=insecure)
    return str(raised.value).splitlines()


def test_defaults_are_those_that_the_documents_name() -> None:
    """Without more than what is required, the service listens on loopback, and health on every interface."""
    settings = load_settings()
    assert settings.listen_address == "127.0.0.1:8443"
    assert settings.health_address == "0.0.0.0:8444"
    assert settings.default_deadline == 60
    assert settings.store_url.get_secret_value().startswith("sqlite:///")


def test_every_wrong_variable_has_one_line_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """All mistakes come at once, each with the variable, the problem and an example."""
    monkeypatch.setenv(PREFIX + "LISTEN_ADDRESS", "localhost")
    monkeypatch.setenv(PREFIX + "MAXIMUM_MUTATIONS", "many")
    monkeypatch.setenv(PREFIX + "DRAIN_SECONDS", "-1")
    monkeypatch.setenv(PREFIX + "LOG_LEVEL", "LOUD")
    monkeypatch.delenv(PREFIX + "AWS_ACCOUNT_ID")
    lines = problems()
    named = [line.partition(":")[0] for line in lines]
    wrong = ("LISTEN_ADDRESS", "MAXIMUM_MUTATIONS", "DRAIN_SECONDS", "LOG_LEVEL", "AWS_ACCOUNT_ID")
    assert sorted(named) == sorted(PREFIX + name for name in wrong)
    by_name = dict(zip(named, lines, strict=True))
    assert by_name[PREFIX + "AWS_ACCOUNT_ID"] == (
        "IDENTITY_SERVICE_AWS_ACCOUNT_ID: must be set, unless IDENTITY_SERVICE_AWS_ACCOUNTS_FILE is; "
        "for example IDENTITY_SERVICE_AWS_ACCOUNT_ID=123456789012"
    )
    assert by_name[PREFIX + "LISTEN_ADDRESS"].startswith(PREFIX + "LISTEN_ADDRESS: must be HOST:PORT")
    assert by_name[PREFIX + "MAXIMUM_MUTATIONS"].endswith("for example IDENTITY_SERVICE_MAXIMUM_MUTATIONS=100")


def test_accounts_come_from_one_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A file beside a single account, or beside a role, is refused: nobody could tell which of them holds."""
    file = tmp_path / "accounts.yaml"
    file.write_text("accounts: [{id: '123456789012'}]")
    monkeypatch.setenv(PREFIX + "AWS_ACCOUNTS_FILE", str(file))
    (line,) = problems()
    assert line.startswith(f"{PREFIX}AWS_ACCOUNT_ID: must not be set beside {PREFIX}AWS_ACCOUNTS_FILE")
    monkeypatch.setenv(PREFIX + "AWS_ACCOUNT_ID", "")
    assert [account.id for account in read_accounts(load_settings())] == ["123456789012"]
    monkeypatch.setenv(PREFIX + "AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/r")
    (line,) = problems()
    assert line.startswith(f"{PREFIX}AWS_ROLE_ARN: must not be set beside {PREFIX}AWS_ACCOUNTS_FILE")


def test_a_wrong_accounts_file_is_told_with_the_rest(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Mistakes in the file come with its variable, line by line, beside those of other settings."""
    file = tmp_path / "accounts.yaml"
    file.write_text("accounts:\n  - id: 5\n  - role: x\n")
    monkeypatch.setenv(PREFIX + "AWS_ACCOUNT_ID", "")
    monkeypatch.setenv(PREFIX + "AWS_ACCOUNTS_FILE", str(file))
    monkeypatch.delenv(PREFIX + "CLIENT_CA_FILE")
    lines = problems()
    assert lines[0].startswith(f"{PREFIX}CLIENT_CA_FILE: ")
    assert [line.split(": ")[:3] for line in lines[1:]] == [
        [f"{PREFIX}AWS_ACCOUNTS_FILE", f"accounts.yaml:{number}", f"accounts[{index}].{key}"]
        for number, index, key in ((2, 0, "id"), (3, 1, "id"), (3, 1, "role"))
    ]


def test_an_accounts_file_that_is_not_there_is_the_only_mistake(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whoever means a file is not told to set an account as well."""
    monkeypatch.setenv(PREFIX + "AWS_ACCOUNT_ID", "")
    monkeypatch.setenv(PREFIX + "AWS_ACCOUNTS_FILE", str(tmp_path / "nothing"))
    (line,) = problems()
    assert line.startswith(f"{PREFIX}AWS_ACCOUNTS_FILE: path does not point to a file")


@pytest.mark.parametrize("name", TLS)
def test_tls_is_complete_or_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Each of the three TLS files is required."""
    monkeypatch.delenv(PREFIX + name)
    (line,) = problems()
    assert line.startswith(f"{PREFIX}{name}: must be set")


def test_a_file_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A path to nothing is found before the server starts."""
    monkeypatch.setenv(PREFIX + "CLIENT_CA_FILE", str(tmp_path / "nothing"))
    (line,) = problems()
    assert line.startswith(PREFIX + "CLIENT_CA_FILE: path does not point to a file")


def test_a_folder_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The folder of authorization is one, and is there."""
    monkeypatch.setenv(PREFIX + "AUTHORIZATION_DIR", str(tmp_path / "file"))
    (line,) = problems()
    assert line.startswith(PREFIX + "AUTHORIZATION_DIR: path does not point to a directory")


def test_values_are_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message shows no value: whoever mistook a variable may have put a secret into it."""
    for field in Settings.model_fields:
        monkeypatch.setenv(PREFIX + field.upper(), "canary value")
    lines = problems()
    assert len(lines) > 15
    assert "canary" not in "\n".join(lines)


def test_the_store_url_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody may mistake the store's URL for another variable, so the settings do not show it."""
    monkeypatch.setenv(PREFIX + "STORE_URL", "postgresql://canary@db/x")
    assert "canary" not in repr(load_settings())


@pytest.mark.parametrize("url", ["postgresql://user:canary@db/x", "postgresql://user@db/x?password=canary"])
def test_a_password_in_a_variable_is_refused(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """A secret in a variable stops the start, with the name of the setting that belongs there, and is not repeated."""
    monkeypatch.setenv(PREFIX + "STORE_URL", url)
    (line,) = problems()
    assert line.startswith(f"{PREFIX}STORE_URL: must not hold a password")
    assert f"{PREFIX}STORE_PASSWORD_FILE" in line
    assert f"for example {PREFIX}STORE_URL=postgresql" in line
    assert "canary" not in line


def test_the_stores_password_comes_from_its_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What stands in the file is put into the URL, whatever characters it has, without the end of its line."""
    file = tmp_path / "password"
    file.write_text("p@ss/w:rd%\n")
    monkeypatch.setenv(PREFIX + "STORE_URL", "postgresql+psycopg://user@db:5432/x?sslmode=require")
    monkeypatch.setenv(PREFIX + "STORE_PASSWORD_FILE", str(file))
    url = read_store_url(load_settings())
    assert url == "postgresql+psycopg://user:p%40ss%2Fw%3Ard%25@db:5432/x?sslmode=require"
    assert sa.make_url(url).password == "p@ss/w:rd%"
    assert read_store_url(load_store_settings()) == url


@pytest.mark.parametrize(
    ("url", "content", "problem"),
    [
        ("postgresql://user@db/x", b"", "is empty"),
        ("postgresql://user@db/x", b"\xff", "cannot be read as text"),
        ("postgresql://db/x", b"canary", "needs a user"),
        ("sqlite:///canary", b"canary", "needs a user"),
    ],
)
def test_a_password_that_cannot_be_used_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str, content: bytes, problem: str
) -> None:
    """An empty or broken file, or an address without a user, stops the start with the setting's name."""
    file = tmp_path / "password"
    file.write_bytes(content)
    monkeypatch.setenv(PREFIX + "STORE_URL", url)
    monkeypatch.setenv(PREFIX + "STORE_PASSWORD_FILE", str(file))
    with pytest.raises(SettingsError, match=problem) as raised:
        read_store_url(load_settings())
    assert str(raised.value).startswith(f"{PREFIX}STORE_PASSWORD_FILE: ")
    assert "canary" not in str(raised.value).replace(str(file), "")


@pytest.mark.parametrize("address", ["127.0.0.1:0", "localhost:8443", "[::1]:8443", "127.8.8.8:1"])
def test_insecure_needs_no_tls_on_loopback(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """On an address that only this machine reaches, the server may do without TLS."""
    for name in TLS:
        monkeypatch.delenv(PREFIX + name)
    assert load_settings({"listen_address": address}, insecure=True).listen_address == address


@pytest.mark.parametrize("address", ["0.0.0.0:8443", "[::]:8443", "10.0.0.1:8443", "example.org:8443"])
def test_insecure_is_refused_anywhere_else(address: str) -> None:
    """Without TLS the server does not listen where another machine could reach it."""
    (line,) = problems({"listen_address": address}, insecure=True)
    assert "must be a loopback address with --insecure" in line


def test_no_variable_switches_tls_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """IDENTITY_SERVICE_INSECURE does nothing; only the command's own flag does."""
    monkeypatch.setenv(PREFIX + "INSECURE", "true")
    monkeypatch.delenv(PREFIX + "CLIENT_CA_FILE")
    assert len(problems()) == 1


def test_variables_that_kubernetes_sets_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Service named identity-service puts its address into such variables; no setting is called like one."""
    for name in ("PORT", "SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_GRPC", "PORT_8443_TCP", "PORT_8443_TCP_ADDR"):
        monkeypatch.setenv(PREFIX + name, "tcp://10.0.0.1:8443")
        assert name.lower() not in Settings.model_fields
    load_settings()


def test_an_override_wins_over_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """An option of the command is stronger than the environment."""
    monkeypatch.setenv(PREFIX + "LISTEN_ADDRESS", "127.0.0.1:1")
    assert load_settings({"listen_address": "127.0.0.1:2"}).listen_address == "127.0.0.1:2"


def test_an_empty_variable_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deployment files often set what they do not need to nothing."""
    monkeypatch.setenv(PREFIX + "AWS_ROLE_ARN", "")
    monkeypatch.setenv(PREFIX + "LISTEN_ADDRESS", "")
    assert load_settings().aws_role_arn is None
    assert load_settings().listen_address == "127.0.0.1:8443"


def test_every_example_is_a_setting_that_would_be_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a message shows as an example is itself right, files and folders that are not there apart."""
    assert set(EXAMPLES) <= set(Settings.model_fields)
    for name, example in EXAMPLES.items():
        if not name.endswith(("_file", "_dir")):
            monkeypatch.setenv(PREFIX + name.upper(), example)
    load_settings()


@pytest.mark.parametrize("address", ["", ":8443", "host:", "host:x", "host:65536", "::1:8443", "host"])
def test_an_address_is_a_host_and_a_port(address: str) -> None:
    """Anything else is refused."""
    with pytest.raises(ValueError, match="HOST:PORT"):
        split_address(address)


def test_an_ipv6_address_loses_its_brackets() -> None:
    """The host is what the system's own functions take."""
    assert split_address("[::1]:8443") == ("::1", 8443)
    assert is_loopback("[::1]:8443")


@pytest.mark.parametrize(
    "url",
    [
        "canary",
        "ftp://canary",
        "https://",
        "https://user:canary@host",
        "https://host/canary",
        "https://host?canary",
        "http://[::1",
        "http://[1:2]",
        "http://localhost:99999",
        "http://local host",
    ],
)
def test_an_endpoint_is_the_address_of_a_server(url: str) -> None:
    """Anything but scheme, host and port is refused, in words that do not repeat it."""
    (line,) = problems({"aws_endpoint_url": url})
    assert line.startswith(PREFIX + "AWS_ENDPOINT_URL: must be http://HOST:PORT or https://HOST:PORT")
    assert "canary" not in line


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:5000", "http://localhost", "http://[::1]", "http://[::1]:5000/", "https://iam.example.org"],
)
def test_an_endpoint_is_on_this_machine_or_speaks_tls(url: str) -> None:
    """Plain text is for this machine, TLS for any."""
    assert load_settings({"aws_endpoint_url": url}).aws_endpoint_url == url


@pytest.mark.parametrize("url", ["http://10.0.0.1", "http://iam.example.org:80/", "http://[2001:db8::1]:80"])
def test_plain_text_to_another_machine_is_refused(url: str) -> None:
    """Secrets do not travel in the clear."""
    (line,) = problems({"aws_endpoint_url": url})
    assert "must be https, since it is not on this machine" in line


def test_a_lease_outlasts_every_call() -> None:
    """Connect and read timeout together are at most a third of the lease."""
    (line,) = problems({"aws_connect_timeout": 5, "aws_read_timeout": 6, "lease_seconds": 32})
    assert line.startswith(PREFIX + "LEASE_SECONDS: must be at least three times")
    load_settings({"aws_connect_timeout": 5, "aws_read_timeout": 6, "lease_seconds": 33})
