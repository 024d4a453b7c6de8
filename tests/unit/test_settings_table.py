"""The list of settings that `identity-service --help` prints."""

from pathlib import Path

import pytest

from identity_service.__main__ import main
from identity_service.settings import Settings
from identity_service.settings_table import settings_page, settings_table


def cells(variable: str) -> list[str]:
    """Return the cells of a variable's row; between them are at least two spaces."""
    (row,) = [row for row in settings_table().splitlines() if row.startswith(f"{variable} ")]
    return [cell.strip() for cell in row.split("  ") if cell.strip()]


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_has_a_row(name: str) -> None:
    """Each variable stands there with its type, its default and an example."""
    assert len(cells(f"IDENTITY_SERVICE_{name.upper()}")) == 4


@pytest.mark.parametrize(
    ("name", "type_", "default", "example"),
    [
        ("LISTEN_ADDRESS", "HOST:PORT", "127.0.0.1:8443", "127.0.0.1:8443"),
        ("CLIENT_CA_FILE", "file", "required with TLS", "/etc/identity-service/tls/ca.crt"),
        ("AWS_ACCOUNT_ID", "text", "required without IDENTITY_SERVICE_AWS_ACCOUNTS_FILE", "123456789012"),
        ("AWS_PARTITION", "aws|aws-cn|aws-us-gov", "none", "aws"),
        ("AWS_ENDPOINT_URL", "URL", "none", "http://127.0.0.1:5000"),
        ("SETTLE_SECONDS", "seconds, at most 3600", "15", "15"),
        ("RETENTION_DAYS", "days, at most 3650", "30", "30"),
        ("AWS_THREADS", "1 to 10000", "32", "32"),
        ("LOG_FILE", "path", "none", "/var/log/identity-service.log"),
    ],
)
def test_a_row_says_what_to_write(name: str, type_: str, default: str, example: str) -> None:
    """Types and defaults are those of the settings, in words."""
    assert cells(f"IDENTITY_SERVICE_{name}") == [f"IDENTITY_SERVICE_{name}", type_, default, example]


def test_the_stores_default_is_shown() -> None:
    """A store's URL is hidden where it is somebody's own, and its default is nobody's secret."""
    assert "sqlite:///identity-service.sqlite3" in cells("IDENTITY_SERVICE_STORE_URL")


def test_the_page_is_up_to_date() -> None:
    """docs/settings.md is what `make settings` makes of the settings as they are."""
    page = Path(__file__).resolve().parents[2] / "docs" / "settings.md"
    assert page.read_text() == settings_page()


@pytest.mark.parametrize("name", Settings.model_fields)
def test_the_page_says_what_a_setting_is_for(name: str) -> None:
    """Each setting has a section with at least one whole sentence."""
    assert str(Settings.model_fields[name].description).rstrip("`").endswith((".", "DATABASE"))
    assert f"\n### IDENTITY_SERVICE_{name.upper()}\n" in settings_page()


def test_help_prints_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever asks the command for help sees every variable."""
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    assert settings_table() in capsys.readouterr().out
