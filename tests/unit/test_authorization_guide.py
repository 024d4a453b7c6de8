"""What docs/authorization.md says is tried as it stands there."""

import json
import re
import shlex
from pathlib import Path

import pytest

from identity_service.__main__ import main
from identity_service.adapters.authorization.settings import GuardRailSettings

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "authorization.md").read_text()

Capture = pytest.CaptureFixture[str]


def block(kind: str) -> str:
    """Return the one block of code of a kind."""
    (found,) = re.findall(rf"```{kind}\n(.*?)```", GUIDE, flags=re.DOTALL)
    return str(found)


def test_the_smallest_folder_is_good(tmp_path: Path, capsys: Capture) -> None:
    """The two files of the guide are a folder that the service takes."""
    (tmp_path / "callers.yaml").write_text(block("yaml"))
    (tmp_path / "web.cedar").write_text(block("cedar"))
    assert main(["authz", "check", "--folder", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "good: 1 teams, 1 callers, 3 policies\n"


def test_the_commands_work(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    """Typed at the root of the tree, both say yes."""
    monkeypatch.chdir(ROOT)
    lines = [shlex.split(line.removeprefix("$ ")) for line in block("console").splitlines()]
    assert [main(words[1:]) for words in lines] == [0, 0]
    assert "people-team: calls" in capsys.readouterr().out


def test_the_plan_is_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    """The plan of the guide, given to its command, is stopped by the guard rail that it asks for."""
    monkeypatch.chdir(ROOT)
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps(json.loads(block("json"))))
    words = shlex.split(block("console").splitlines()[-1].removeprefix("$ "))
    assert main([*words[1:], "--plan", str(plan)]) == 3
    assert "rule=guard-rail:allowed-groups" in capsys.readouterr().out


def test_the_guide_names_every_guard_rail() -> None:
    """The table has a row for each, and no other."""
    rows = re.findall(r"^\| `(\w+)` \| ", GUIDE, flags=re.MULTILINE)
    assert rows == list(GuardRailSettings.model_fields)
