"""`identityctl keygen` and `open`, and the options about sealing of `provision`, `credentials` and `mfa`."""

from __future__ import annotations

import csv
import json
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pyrage
import pytest

from identity_client.cli.sealing import sealed_texts
from identity_client.sealing import GeneratedIdentity, generate_identity, parse_identities
from identity_provisioning.v1.credential_pb2 import IssuedCredentials
from tests.unit.client.conftest import Command, Run
from tests.unit.client.fake_sealing import seal
from tests.unit.client.fake_service import (
    ACCOUNT,
    MFA_PICTURE,
    PASSWORD,
    SECRET_KEY,
    SEED,
    SIGN_IN_URL,
    Failure,
    FakeIdentityService,
)

CUT = Failure(grpc.StatusCode.UNAVAILABLE, after_work=True)
SECRETS = (SECRET_KEY, PASSWORD, SEED)


class SealingService(FakeIdentityService):
    """Seals what it makes to the recipients of the request, and answers a repeated request byte for byte."""

    def __init__(self) -> None:
        self.sealed: dict[str, str] = {}
        self.seals_for = ""
        super().__init__()

    def _provision_user(self, request: Any, context: grpc.ServicerContext) -> Any:
        return self._sealed(request, super()._provision_user(request, context), request.user.user_name)

    def _create_credentials(self, request: Any, context: grpc.ServicerContext) -> Any:
        return self._sealed(request, super()._create_credentials(request, context), request.user_name)

    def _create_mfa_device(self, request: Any, context: grpc.ServicerContext) -> Any:
        return self._sealed(request, super()._create_mfa_device(request, context), request.user_name)

    def _sealed(self, request: Any, answer: Any, user_name: str) -> Any:
        if request.validate_only or not request.recipients:
            return answer
        if request.request_id not in self.sealed:
            text = seal(answer.credentials, self.seals_for or user_name, *request.recipients)
            self.sealed[request.request_id] = text
        closed = IssuedCredentials(sealed_secrets=self.sealed[request.request_id])
        closed.access_key.access_key_id = answer.credentials.access_key.access_key_id
        if answer.credentials.HasField("console_password"):
            closed.console_password.generated = True
        sealed = type(answer)()
        sealed.CopyFrom(answer)
        sealed.credentials.CopyFrom(closed)
        return sealed


@pytest.fixture
def service() -> Iterator[SealingService]:
    """Start a fake service that seals."""
    fake = SealingService()
    yield fake
    fake.stop()


@pytest.fixture
def key(tmp_path: Path) -> GeneratedIdentity:
    """Make an identity, whose file is key.txt in the folder of the test."""
    made = generate_identity()
    (tmp_path / "key.txt").write_text(f"{made.secret}\n")
    return made


def no_secret_in(*texts: str) -> bool:
    """Tell whether no text shows a secret."""
    return not [secret for secret in SECRETS for text in texts if secret in text]


def opened(sealed: str, key: GeneratedIdentity) -> dict[str, Any]:
    """Open a text with the library alone."""
    (identity,) = parse_identities(key.secret)
    document: dict[str, Any] = json.loads(pyrage.decrypt(sealed.encode(), [identity]))
    return document


def test_keygen_writes_a_file_for_its_owner_and_tells_the_recipient(run: Command, tmp_path: Path) -> None:
    """The file is 0600 and of age-keygen's form; standard output has the public half alone."""
    done = run("keygen", "-o", "key.txt")
    text = (tmp_path / "key.txt").read_text()
    created, public, secret = text.splitlines()
    assert done.exit_code == 0
    assert stat.S_IMODE((tmp_path / "key.txt").stat().st_mode) == 0o600
    assert created.startswith("# created: 2")
    assert public == f"# public key: {done.stdout.strip()}"
    assert str(pyrage.x25519.Identity.from_str(secret).to_public()) == done.stdout.strip()
    assert secret not in done.stdout + done.stderr


def test_keygen_replaces_no_file(run: Command, tmp_path: Path) -> None:
    """A file that is there may hold the only copy of a key."""
    (tmp_path / "key.txt").write_text("mine")
    done = run("keygen", "-o", "key.txt")
    assert (done.exit_code, (tmp_path / "key.txt").read_text()) == (2, "mine")
    assert "exists" in done.stderr
    assert run("keygen", "-o", "nowhere/key.txt").exit_code == 2


def test_keygen_without_a_file_writes_the_identity_out(run: Command) -> None:
    """As age-keygen does: the file to standard output, the public key to standard error."""
    done = run("keygen")
    assert done.stdout.splitlines()[2].startswith("AGE-SECRET-KEY-1")
    assert done.stderr.strip() in done.stdout.replace("# public", "Public")
    document = run("keygen", "--output", "json").document()
    assert document["recipient"].startswith("age1")
    assert document["identity"].startswith("AGE-SECRET-KEY-1")


def test_sealed_secrets_are_printed_as_age_text(run: Command, service: SealingService, key: GeneratedIdentity) -> None:
    """Standard output has one text per user and no secret; nothing else has to be said where they go."""
    done = run("provision", "ana", "bo", "--access-key", "--console", "--recipient", key.recipient, "--yes")
    texts = sealed_texts(done.stdout)
    assert done.exit_code == 0
    assert {opened(text, key)["user_name"] for text in texts} == {"ana", "bo"}
    assert "sealed" in done.stdout
    assert no_secret_in(done.stdout, done.stderr)
    assert [list(each.recipients) for each in service.provisioned()] == [[key.recipient]] * 2


def test_sealed_secrets_go_to_a_file(run: Command, key: GeneratedIdentity, tmp_path: Path) -> None:
    """The file is for its owner, replaces none, and `open` shows what it holds as an unsealed run would."""
    arguments = ("--recipient", key.recipient, "--sealed-out", "out.age", "--yes")
    done = run("provision", "ana", "bo", "--console", "--access-key", *arguments)
    assert done.exit_code == 0
    assert stat.S_IMODE((tmp_path / "out.age").stat().st_mode) == 0o600
    assert "BEGIN AGE" not in done.stdout
    shown = run("open", "out.age", "--identity", "key.txt")
    assert shown.exit_code == 0
    for name in ("ana", "bo"):
        assert f"{name}\n  password: {PASSWORD}\n  access key id: AKIAEXAMPLE\n" in shown.stdout
    assert shown.stdout.count(f"  secret access key: {SECRET_KEY}\n") == 2
    assert shown.stdout.count(f"  sign in at: {SIGN_IN_URL}\n") == 2
    again = run("provision", "cy", "--access-key", *arguments)
    assert (again.exit_code, "exists" in again.stderr) == (2, True)


def test_open_reads_what_a_run_wrote_for_programs(run: Command, key: GeneratedIdentity, tmp_path: Path) -> None:
    """The JSON of one user, and the JSON lines of many, are opened from a file and from standard input."""
    one = run("provision", "ana", "--access-key", "--recipient", key.recipient, "--yes", "--output", "json")
    many = run("provision", "bo", "cy", "--access-key", "--recipient", key.recipient, "--yes", "--output", "json")
    assert no_secret_in(one.stdout, many.stdout)
    (tmp_path / "many.json").write_text(many.stdout)
    from_stdin = run("open", "-", "--identity", "key.txt", "--output", "json", stdin=one.stdout).document()
    from_file = run("open", "many.json", "--identity", "key.txt", "--output", "json").document()
    (ana,) = from_stdin["users"]
    assert (ana["user_name"], ana["row_id"], ana["account_id"]) == ("ana", "row-1", ACCOUNT)
    assert ana["credentials"]["access_key"]["secret_access_key"] == SECRET_KEY
    assert {user["user_name"] for user in from_file["users"]} == {"bo", "cy"}


def test_open_writes_files(run: Command, key: GeneratedIdentity, tmp_path: Path) -> None:
    """--csv and --mfa-dir hand out as an unsealed run does, and the terminal shows no secret."""
    arguments = ("--access-key", "--console", "--mfa-device", "--recipient", key.recipient, "--sealed-out", "out.age")
    assert run("provision", "ana", *arguments, "--yes").exit_code == 0
    done = run("open", "out.age", "--identity", "key.txt", "--csv", "new.csv", "--mfa-dir", "mfa")
    assert done.exit_code == 0
    rows = list(csv.reader((tmp_path / "new.csv").read_text().splitlines()))
    assert rows[1] == ["ana", PASSWORD, "AKIAEXAMPLE", f"'{SECRET_KEY}", SIGN_IN_URL]
    assert "apostrophe" in done.stderr
    assert SEED in (tmp_path / "mfa" / "ana.mfa.txt").read_text()
    assert (tmp_path / "mfa" / "ana.mfa.png").read_bytes() == MFA_PICTURE
    assert no_secret_in(done.stdout, done.stderr)
    assert run("open", "out.age", "--identity", "key.txt", "--csv", "new.csv").exit_code == 2
    left = run("open", "out.age", "--identity", "key.txt", "--csv", "other.csv")
    assert "--mfa-dir" in left.stderr


def test_what_cannot_be_opened_does_not_hide_the_rest(run: Command, key: GeneratedIdentity, tmp_path: Path) -> None:
    """A text for somebody else is told by its number, and the run has failed; the others are shown."""
    credentials = IssuedCredentials()
    credentials.access_key.access_key_id = "AKIAEXAMPLE"
    foreign = seal(credentials, "bo", generate_identity().recipient)
    (tmp_path / "two.age").write_text(foreign + seal(credentials, "ana", key.recipient))
    done = run("open", "two.age", "--identity", "key.txt")
    assert done.exit_code == 1
    assert "Sealed text 1 of 2 was not sealed to any of these identities." in done.stderr
    assert SECRET_KEY in done.stdout


def test_a_name_from_a_sealed_text_cannot_steer_the_terminal(
    run: Command, key: GeneratedIdentity, tmp_path: Path
) -> None:
    """Anybody may seal anything to a recipient, escape sequences included; they are not written as they are."""
    credentials = IssuedCredentials()
    credentials.access_key.access_key_id = "AKIAEXAMPLE"
    (tmp_path / "bad.age").write_text(seal(credentials, "a\x1b[2Jna", key.recipient))
    done = run("open", "bad.age", "--identity", "key.txt")
    assert done.exit_code == 0
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("open", "key.txt"), "--identity FILE"),
        (("open", "key.txt", "--identity", "key.txt"), "no sealed secrets"),
        (("open", "nothing.age", "--identity", "key.txt"), "nothing.age: No such file"),
        (("open", "binary.age", "--identity", "key.txt"), "is not text"),
        (("open", "key.txt", "--identity", "nothing.txt"), "nothing.txt: No such file"),
        (("open", "key.txt", "--identity", "recipients.txt"), "recipients.txt: line 2"),
    ],
)
def test_open_says_what_it_is_missing(
    run: Command, key: GeneratedIdentity, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    """Each mistake is told by its file, with the exit code of bad input."""
    (tmp_path / "binary.age").write_bytes(b"age-encryption.org/v1\n\xff\xfe")
    (tmp_path / "recipients.txt").write_text(f"# Ana\n{key.recipient}\n")
    done = run(*arguments)
    assert done.exit_code == 2
    assert said in done.stderr
    assert key.secret not in done.stdout + done.stderr


def test_an_identity_opens_the_answer_here(run: Command, key: GeneratedIdentity, tmp_path: Path) -> None:
    """With --identity a sealed answer is handed out as an unsealed one, sealed on the way and in the ledger alone."""
    arguments = ("--access-key", "--console", "--mfa-device", "--recipient", key.recipient, "--identity", "key.txt")
    done = run("provision", "ana", *arguments, "--csv", "new.csv", "--mfa-dir", "mfa", "--yes")
    assert done.exit_code == 0, done.stderr
    assert PASSWORD.replace('"', '""') in (tmp_path / "new.csv").read_text()
    assert SEED in (tmp_path / "mfa" / "ana.mfa.txt").read_text()
    assert "BEGIN AGE" not in done.stdout
    shown = run("provision", "bo", *arguments, "--output", "json", "--yes")
    assert shown.document()["users"][0]["credentials"]["mfa_device"]["base32_seed"] == SEED


def test_a_cut_run_loses_no_sealed_secret(run: Command, service: SealingService, key: GeneratedIdentity) -> None:
    """The next run is answered with the same text, where unsealed secrets would be lost."""
    service.fail_user("ana", CUT)
    arguments = ("provision", "ana", "--access-key", "--recipient", key.recipient, "--timeout", "0.5", "--yes")
    assert run(*arguments).exit_code == 1
    service.heal_user("ana")
    done = run(*arguments)
    assert done.exit_code == 0
    (text,) = sealed_texts(done.stdout)
    assert text in service.sealed.values()
    assert "lost" not in done.stdout + done.stderr


def test_going_on_writes_each_line_once(
    run: Command, service: SealingService, key: GeneratedIdentity, tmp_path: Path
) -> None:
    """Users whose opened secrets are in the file already are not written again by the run that goes on."""
    service.fail_user("bo", CUT)
    arguments = ("--access-key", "--recipient", key.recipient, "--identity", "key.txt", "--csv", "new.csv", "--yes")
    assert run("provision", "ana", "bo", *arguments, "--timeout", "0.5").exit_code == 1
    service.heal_user("bo")
    done = run("provision", "ana", "bo", *arguments)
    assert done.exit_code == 0, done.stderr
    names = [row[0] for row in csv.reader((tmp_path / "new.csv").read_text().splitlines())]
    assert names == ["User name", "ana", "bo"]


def test_going_on_writes_behind_the_sealed_file(
    run: Command, service: SealingService, key: GeneratedIdentity, tmp_path: Path
) -> None:
    """The same command completes the file that the cut run began, each text once."""
    service.fail_user("bo", CUT)
    arguments = ("--access-key", "--recipient", key.recipient, "--sealed-out", "out.age", "--yes")
    assert run("provision", "ana", "bo", *arguments, "--timeout", "0.5").exit_code == 1
    assert len(sealed_texts((tmp_path / "out.age").read_text())) == 1
    service.heal_user("bo")
    done = run("provision", "ana", "bo", *arguments)
    assert done.exit_code == 0, done.stderr
    texts = sealed_texts((tmp_path / "out.age").read_text())
    assert sorted(opened(text, key)["user_name"] for text in texts) == ["ana", "bo"]
    assert (tmp_path / "out.age").read_text() == "".join(texts)


def test_somebody_elses_secrets_are_not_taken_for_the_users(
    run: Command, service: SealingService, key: GeneratedIdentity, tmp_path: Path
) -> None:
    """An answer that holds another user's secrets is a failure, and the credentials file gets no line of it."""
    service.seals_for = "mallory"
    arguments = ("--access-key", "--recipient", key.recipient, "--identity", "key.txt", "--csv", "new.csv", "--yes")
    done = run("provision", "ana", *arguments)
    assert done.exit_code == 1
    assert "secrets of mallory" in done.stdout + done.stderr
    assert not (tmp_path / "new.csv").exists() or "mallory" not in (tmp_path / "new.csv").read_text()


@pytest.fixture
def bad_options(key: GeneratedIdentity, tmp_path: Path) -> dict[str, tuple[str, ...]]:
    """Answer options that are refused, by what is said of them."""
    (tmp_path / "empty.txt").write_text("# nobody\n\n")
    (tmp_path / "many.txt").write_text("\n".join(f"age1{number}" for number in range(21)))
    (tmp_path / "other.txt").write_text(f"{generate_identity().secret}\n")
    to_me = ("--recipient", key.recipient)
    return {
        "--csv: the secrets will be sealed": (*to_me, "--csv", "new.csv"),
        "--show-secrets: the secrets will be sealed": (*to_me, "--show-secrets"),
        "name a --recipient": ("--identity", "key.txt"),
        "leave out one": (*to_me, "--identity", "key.txt", "--sealed-out", "out.age"),
        "names no recipient": ("--recipients-file", "empty.txt"),
        "No such file": ("--recipients-file", "nothing.txt"),
        "20 at most": ("--recipients-file", "many.txt"),
        "none of these identities": (*to_me, "--identity", "other.txt", "--csv", "new.csv"),
        "neither age1": ("--recipient", "age1x", "--identity", "key.txt", "--csv", "new.csv"),
        "there is no folder": (*to_me, "--sealed-out", "nowhere/out.age"),
    }


@pytest.mark.parametrize("command", [("provision", "ana"), ("credentials", "create", "ana")])
def test_options_that_cannot_work_are_refused_before_anything_is_sent(
    run: Command, service: SealingService, bad_options: dict[str, tuple[str, ...]], command: tuple[str, ...]
) -> None:
    """What is wrong with the options is said, and the service is asked for nothing."""
    for said, options in bad_options.items():
        done = run(*command, "--access-key", *options, "--yes")
        assert (done.exit_code, said in done.stderr) == (2, True), (said, done.stderr)
    assert service.received == []


def test_recipients_come_from_a_file_and_from_options(
    run: Command, service: SealingService, key: GeneratedIdentity, tmp_path: Path
) -> None:
    """Comments and empty lines are none, and who is named twice is asked for once."""
    other = generate_identity()
    (tmp_path / "team.txt").write_text(f"# the team\n\n{other.recipient}\n{key.recipient}\n")
    arguments = ("--recipient", key.recipient, "--recipients-file", "team.txt", "--yes")
    assert run("provision", "ana", "--access-key", *arguments).exit_code == 0
    assert [list(each.recipients) for each in service.provisioned()] == [[key.recipient, other.recipient]]


Making = Callable[..., Run]


@pytest.fixture(params=["credentials", "mfa"])
def make(request: pytest.FixtureRequest, run: Command) -> Making:
    """Make a credential for a user that is there, of either kind."""
    kinds = {"credentials": ("credentials", "create", "ana", "--access-key"), "mfa": ("mfa", "create", "ana")}

    def make_one(*options: str) -> Run:
        return run(*kinds[request.param], *options, "--yes")

    return make_one


def test_single_credentials_are_printed_sealed(make: Making, key: GeneratedIdentity) -> None:
    """Both commands print the text, and nothing more of the secret."""
    done = make("--recipient", key.recipient)
    (text,) = sealed_texts(done.stdout)
    assert done.exit_code == 0
    assert opened(text, key)["user_name"] == "ana"
    assert no_secret_in(done.stdout, done.stderr)


def test_single_credentials_are_written_sealed(make: Making, key: GeneratedIdentity, tmp_path: Path) -> None:
    """Both commands write the text to the file instead; in JSON it stands as well."""
    done = make("--recipient", key.recipient, "--sealed-out", "out.age", "--output", "json")
    (text,) = sealed_texts((tmp_path / "out.age").read_text())
    assert done.exit_code == 0
    assert done.document()["credentials"]["sealed_secrets"] == text
    assert no_secret_in(done.stdout, done.stderr)


def test_single_credentials_are_opened_here(make: Making, key: GeneratedIdentity) -> None:
    """Both commands answer the secret where an identity opens it."""
    done = make("--recipient", key.recipient, "--identity", "key.txt", "--output", "json")
    assert done.exit_code == 0
    assert not no_secret_in(done.stdout)
    assert done.document()["credentials"]["sealed_secrets"] == ""


def test_a_single_answer_for_somebody_else_is_shown_as_it_is(
    make: Making, service: SealingService, key: GeneratedIdentity
) -> None:
    """What was to be opened and is another user's is kept closed, and the command has failed."""
    service.seals_for = "mallory"
    done = make("--recipient", key.recipient, "--identity", "key.txt", "--output", "json")
    assert done.exit_code == 1
    assert "secrets of mallory" in done.stderr
    assert no_secret_in(done.stdout, done.stderr)
    assert len(sealed_texts(done.stdout)) == 1


def test_a_sealed_answer_that_no_file_takes_is_printed(
    make: Making, service: SealingService, key: GeneratedIdentity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the file cannot be written after all, the text is not thrown away."""

    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("identity_client.cli.sealing.put_new_file", full)
    done = make("--recipient", key.recipient, "--sealed-out", "out.age")
    assert done.exit_code == 1
    assert "No space left" in done.stderr
    assert len(sealed_texts(done.stdout)) == 1


def test_sealed_texts_are_found_however_they_were_written() -> None:
    """Bare, in JSON, with the line ends of another system, and the same one twice."""
    text = seal(IssuedCredentials(), "ana", generate_identity().recipient)
    surrounded = (
        f"Made it.\n{text}done\n{json.dumps({'sealed_secrets': text})}\n{text.replace(chr(10), chr(13) + chr(10))}"
    )
    assert sealed_texts(surrounded) == [text]
    assert sealed_texts("-----BEGIN AGE ENCRYPTED FILE-----\nAAAA\n") == []
