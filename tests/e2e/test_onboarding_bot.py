"""The onboarding bot of the examples, run as cron would run it, against a server and an account."""

import email
import json
import stat
import subprocess
import sys
from collections.abc import Iterator
from email.policy import default
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from identity_client.sealing import GeneratedIdentity, generate_identity, open_sealed, parse_identities
from tests.support.example_service import EXAMPLES, ExampleService, example_service

CALLER = "spiffe://example.org/onboarding-bot"
NOBODY_LISTENS = "localhost:1"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExampleService]:
    """Run one server for all tests."""
    with example_service(tmp_path_factory.mktemp("service"), CALLER) as service:
        yield service


@pytest.fixture(scope="module")
def help_desk() -> GeneratedIdentity:
    """Make the keys of those who hand the passwords out."""
    return generate_identity()


class Bot:
    """The bot and its queue."""

    def __init__(self, service: ExampleService, help_desk: GeneratedIdentity, queue: Path) -> None:
        self._service = service
        self._help_desk = help_desk
        self.queue = queue
        self.said = ""
        (queue / "new").mkdir(parents=True)

    def ask_for(self, name: str, document: object) -> None:
        """Leave a file in the queue."""
        (self.queue / "new" / f"{name}.json").write_text(json.dumps(document))

    def run(self, target: str = "", timeout: float = 30.0) -> int:
        """Run the bot once; return its exit code."""
        options = {
            "--target": target or self._service.target,
            "--tls": self._service.tls,
            "--boundary": "TeamBoundary",
            "--recipient": self._help_desk.recipient,
            "--timeout": timeout,
        }
        words = [str(word) for option in options.items() for word in option]
        command = [sys.executable, str(EXAMPLES / "onboarding_bot.py"), str(self.queue), *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        self.said = done.stdout + done.stderr
        assert "Traceback" not in self.said
        return done.returncode

    def files(self, folder: str) -> list[str]:
        """Name what is in one of the queue's folders."""
        return sorted(path.name for path in (self.queue / folder).iterdir())

    def password_of(self, user: str) -> str:
        """Open a sealed password, as the help desk does."""
        sealed = (self.queue / "out" / f"{user}.age").read_text()
        opened = open_sealed(sealed, parse_identities(self._help_desk.secret))
        assert opened.user_name == user
        return opened.credentials.console_password.password


@pytest.fixture
def bot(running: ExampleService, help_desk: GeneratedIdentity, tmp_path: Path) -> Bot:
    """Make an empty queue."""
    return Bot(running, help_desk, tmp_path / "queue")


def wish(user: str, *groups: str) -> dict[str, object]:
    """Write what an HR system leaves."""
    return {"user_name": user, "email": f"{user}@example.com", "groups": list(groups)}


def test_people_are_made_with_mail_and_sealed_password(bot: Bot, running: ExampleService) -> None:
    """Each file becomes a bounded user in its groups, a mail to its address, and a password for the help desk alone."""
    bot.ask_for("monday", wish("ana.lima", "Developers"))
    assert bot.run() == 0, bot.said
    user = running.iam.get_user(UserName="ana.lima")["User"]
    assert user["PermissionsBoundary"]["PermissionsBoundaryArn"].endswith(":policy/TeamBoundary")
    groups = running.iam.list_groups_for_user(UserName="ana.lima")["Groups"]
    assert [group["GroupName"] for group in groups] == ["Developers"]
    assert running.iam.get_login_profile(UserName="ana.lima")["LoginProfile"]["PasswordResetRequired"]
    draft = bot.queue / "out" / "ana.lima.eml"
    mail = email.message_from_bytes(draft.read_bytes(), policy=default)
    assert mail["To"] == "ana.lima@example.com"
    assert stat.S_IMODE(draft.stat().st_mode) == 0o600
    assert bot.password_of("ana.lima") not in bot.said + draft.read_text() + running.log.read_text()
    assert (bot.files("new"), bot.files("work"), bot.files("failed")) == ([], [], [])


def test_a_cut_run_is_gone_on_with(bot: Bot, running: ExampleService) -> None:
    """Killed before it had handed anything out, the bot's next run hands out what the first would have."""
    bot.ask_for("monday", wish("kenji.sato", "Analysts"))
    assert bot.run() == 0, bot.said
    (done,) = bot.files("done")
    assert UUID(done.removesuffix(".json"))
    handed_out = {name: (bot.queue / "out" / name).read_bytes() for name in bot.files("out")}
    for name in handed_out:
        (bot.queue / "out" / name).unlink()
    (bot.queue / "done" / done).rename(bot.queue / "work" / done)
    made = running.iam.get_user(UserName="kenji.sato")["User"]["UserId"]
    assert bot.run() == 0, bot.said
    assert {name: (bot.queue / "out" / name).read_bytes() for name in bot.files("out")} == handed_out
    assert running.iam.get_user(UserName="kenji.sato")["User"]["UserId"] == made


def test_a_run_that_was_cut_while_handing_out_is_gone_on_with(bot: Bot) -> None:
    """What the first run has put out already is in nobody's way."""
    bot.ask_for("monday", wish("fatou.diop"))
    assert bot.run() == 0, bot.said
    (done,) = bot.files("done")
    (bot.queue / "done" / done).rename(bot.queue / "work" / done)
    assert bot.run() == 0, bot.said
    assert bot.files("done") == [done]


def test_a_service_that_is_away_is_waited_for(bot: Bot) -> None:
    """What could not be asked for stays in work under its request id, and the next run makes it."""
    bot.ask_for("monday", wish("lena.vogel"))
    assert bot.run(NOBODY_LISTENS, timeout=1.0) == 1
    (begun,) = bot.files("work")
    assert "lena.vogel: waits for the next run" in bot.said
    assert bot.run() == 0, bot.said
    assert bot.files("done") == [begun]


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (["no wish"], "not a wish"),
        ({"user_name": "a.b", "groups": []}, "'email'"),
        ({"user_name": "a.b", "email": "a@example.com, b@example.com", "groups": []}, "is not a mail address"),
        ({"user_name": "a.b", "email": "a@example.com", "groups": "Developers"}, "not a list"),
        (wish("a.b", "Admins"), "GROUP_NOT_FOUND"),
        (wish("a.b", "PartnerUploads"), "CALLER_NOT_ALLOWED"),
        (wish("no/name"), "INVALID_FIELD"),
    ],
)
def test_a_bad_wish_is_set_aside_with_its_reason(bot: Bot, document: object, reason: str) -> None:
    """A file that cannot be made stops nobody else, and the reason lies beside it."""
    bot.ask_for("bad", document)
    other = f"other.{uuid4().hex}".translate(str.maketrans("0123456789", "ghijklmnop"))
    bot.ask_for("good", wish(other))
    assert bot.run() == 1
    text, begun = sorted(bot.files("failed"), key=lambda name: name.endswith(".json"))
    assert text == begun.replace(".json", ".txt")
    assert reason in (bot.queue / "failed" / text).read_text()
    assert len(bot.files("done")) == 1
