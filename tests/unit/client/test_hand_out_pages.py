"""The pages on hand-outs and on the users file: what they show is run, read and compared."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest
import yaml

from identity_client import IdentityClient
from identity_client.cli.csv_reading import COLUMNS
from identity_client.cli.users_file import read_users_file
from identity_client.handout import PLACEHOLDERS, mail_draft, parse_template, read_credentials_csv
from tests.unit.client.fake_service import PASSWORD, SECRET_KEY, SEED

DOCS = Path(__file__).resolve().parents[3] / "docs"
HAND_OUT, USERS_FILE = ((DOCS / name).read_text() for name in ("hand-out.md", "users-file.md"))


def example(page: str, language: str) -> str:
    """Answer the page's one example in a language."""
    (text,) = re.findall(rf"```{language}\n(.*?)```", page, flags=re.DOTALL)
    return str(text)


def test_the_example_hands_out(client: IdentityClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run as it stands it leaves the four files, for their owner alone, with the secrets where they belong."""
    monkeypatch.chdir(tmp_path)
    exec(compile(example(HAND_OUT, "python"), "hand-out.md", "exec"), {"client": client})  # noqa: S102 - our own page
    files = {path.name: path for path in (tmp_path / "hand-out").iterdir()}
    assert sorted(files) == ["ana.lima.eml", "ana.lima.mfa.png", "ana.lima.mfa.txt", "credentials.csv"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files.values()} == {0o600}
    (row,) = read_credentials_csv(files["credentials.csv"])
    assert (row.password, row.secret_access_key) == (PASSWORD, SECRET_KEY)
    assert SEED in files["ana.lima.mfa.txt"].read_text()
    assert PASSWORD not in files["ana.lima.eml"].read_text()


def test_the_template_is_one(tmp_path: Path) -> None:
    """It has every header, and a draft of it says what the headers say; the page names every placeholder."""
    template = parse_template(example(HAND_OUT, "text"))
    draft = mail_draft("ana", "https://acme.signin.aws.amazon.com/console", reset_required=True, template=template)
    assert draft["From"] == "platform-team@example.com"
    assert "You will be asked to choose another password." in draft.get_content()
    assert {f"`${name}`" for name in PLACEHOLDERS} <= set(re.findall(r"`\$\w+`", HAND_OUT))


def test_the_users_file_is_read_as_the_page_says(tmp_path: Path) -> None:
    """Merged tags, a console that is removed, a boundary that stays."""
    (tmp_path / "deploy.json").write_text("{}")
    (tmp_path / "users.yaml").write_text(example(USERS_FILE, "yaml"))
    ana, deployer = read_users_file(tmp_path / "users.yaml")
    assert (ana.path, ana.email, ana.console is not None) == ("/people/", "ana.lima@example.com", True)
    assert deployer.tags == {"team": "platform", "stage": "production"}
    assert (deployer.console, deployer.boundary, deployer.path) == (None, "TeamBoundary", "/machines/")


def test_the_table_is_read_as_the_page_says(tmp_path: Path) -> None:
    """Lists and tags are separated by semicolons, and the page names every column."""
    (tmp_path / "users.csv").write_text(example(USERS_FILE, "csv"))
    (bo,) = read_users_file(tmp_path / "users.csv")
    assert (bo.name, bo.email, bo.groups) == ("bo.chen", "bo.chen@example.com", ["Developers", "Analysts"])
    assert (bo.console is not None, bo.tags) == (True, {"team": "data", "stage": "test"})
    told = USERS_FILE[USERS_FILE.index("Its columns are") : USERS_FILE.index("in any order")]
    assert set(re.findall(r"`(\w+)`", told)) == set(COLUMNS)


def test_defaults_of_their_own_file_are_the_fields_themselves(tmp_path: Path) -> None:
    """What stands under `defaults` in the page's example may stand in a file of its own."""
    whole = yaml.safe_load(example(USERS_FILE, "yaml"))
    (tmp_path / "team.yaml").write_text(yaml.safe_dump(whole["defaults"]))
    (tmp_path / "users.yaml").write_text(yaml.safe_dump({"users": [{"name": "ana"}]}))
    (ana,) = read_users_file(tmp_path / "users.yaml", tmp_path / "team.yaml")
    assert (ana.path, ana.boundary) == ("/people/", "TeamBoundary")
