"""The contract's generator notices what it must; run where `make lint` or `make generate` made its environment."""

import shutil
import subprocess
from pathlib import Path

import pytest

# How a constraint, the options' field 1159, begins in an image, and in a descriptor as protoc writes it in Python.
CONSTRAINT = b"\xbaH"
CONSTRAINT_IN_PYTHON = r"\272H"
USER = "proto/identity_provisioning/v1/user.proto"


class Copy:
    """A copy of the contract that may be spoilt."""

    def __init__(self, folder: Path, python: Path) -> None:
        self.folder = folder
        self._python = python

    def run(self, *arguments: str) -> tuple[int, str]:
        """Run the generator; return its exit code and all that it said."""
        call = [str(self._python), str(self.folder / "proto" / "generate.py"), *arguments]
        done = subprocess.run(call, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def copy_to(self, folder: Path) -> "Copy":
        """Copy everything once more."""
        return Copy(shutil.copytree(self.folder, folder), self._python)

    def replace(self, name: str, old: str, new: str) -> None:
        """Replace a text that stands once in a file."""
        text = (self.folder / name).read_text()
        assert text.count(old) == 1
        (self.folder / name).write_text(text.replace(old, new))


@pytest.fixture
def copy(root: Path, tmp_path: Path) -> Copy:
    """The contract in a folder of its own."""
    return make_copy(root, tmp_path)


@pytest.fixture(scope="module")
def released(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """The contract in a folder of its own, recorded as that of the last release."""
    copy = make_copy(root, tmp_path_factory.mktemp("released"))
    assert copy.run("--release")[0] == 0
    assert copy.run("--check")[0] == 0
    return copy


def make_copy(root: Path, folder: Path) -> Copy:
    """Copy what the generator reads and writes, but for the record of the last release."""
    python = root / ".venv-generate" / "bin" / "python"
    if not python.exists():
        pytest.skip("the generators' environment is not there; `make lint` makes it")
    shutil.copytree(root / "proto", folder / "proto")
    for made in ("service/identity_service/rpc/contract.binpb", "docs/api.md"):
        (folder / made).parent.mkdir(parents=True)
        shutil.copyfile(root / made, folder / made)
    (folder / "proto" / "release.binpb").unlink(missing_ok=True)
    return Copy(folder, python)


def test_tree_is_up_to_date(copy: Copy) -> None:
    """The contract is well formed, and what is checked in is what is generated from it."""
    assert copy.run("--check") == (0, "")


def test_missing_comment_is_a_fault(copy: Copy) -> None:
    """A field without a comment fails the check, and is named."""
    copy.replace(USER, "  // The ARN, path included.\n", "")
    code, said = copy.run("--check")
    assert code != 0
    assert 'Field "arn" should have a non-empty comment' in said


def test_stale_files_are_named(copy: Copy) -> None:
    """A changed .proto fails the check until its code is generated again, which leaves all other files alone."""
    copy.replace(USER, "  string arn = 3;\n", "  string arn = 3;\n  // An example.\n  string example = 99;\n")
    code, said = copy.run("--check")
    assert code != 0
    assert "make generate" in said
    assert "v1/user_pb2.py" in said
    assert "v1/account_pb2.py" not in said
    assert copy.run()[0] == 0
    assert copy.run("--check") == (0, "")


def test_stale_guide_is_named(copy: Copy) -> None:
    """A changed comment fails the check until the API's guide is written again."""
    copy.replace(USER, "  // The ARN, path included.\n", "  // The ARN with its path.\n")
    code, said = copy.run("--check")
    assert code != 0
    assert "docs/api.md" in said
    assert copy.run()[0] == 0
    assert "| The ARN with its path. |" in (copy.folder / "docs/api.md").read_text()
    assert copy.run("--check") == (0, "")


def test_leftover_of_a_deleted_proto_is_named(copy: Copy) -> None:
    """Code of a .proto that is no more fails the check, and is removed by the next generation."""
    leftover = copy.folder / "proto/gen/identity_provisioning/v1/gone_pb2.py"
    leftover.touch()
    code, said = copy.run("--check")
    assert code != 0
    assert "gone_pb2.py" in said
    copy.run()
    assert not leftover.exists()


@pytest.mark.parametrize(
    ("name", "old", "new", "fault"),
    [
        (USER, "string arn = 3;", "string arn = 33;", 'Previously present field "3"'),
        (USER, "string arn = 3;", "bytes arn = 3;", "arn"),
        (
            "proto/identity_provisioning/v1/account_service.proto",
            "rpc GetAccount(GetAccountRequest) returns (GetAccountResponse)",
            "rpc ReadAccount(ReadAccountRequest) returns (ReadAccountResponse)",
            'Previously present RPC "GetAccount"',
        ),
    ],
)
def test_callers_of_the_last_release_are_not_broken(
    name: str, old: str, new: str, fault: str, released: Copy, tmp_path: Path
) -> None:
    """After a release, a changed field number or type and a vanished RPC fail the check and the next release."""
    copy = released.copy_to(tmp_path / "changed")
    copy.replace(name, old, new)
    for half in ("Request", "Response"):
        if f"Read{half}" in new.replace("Account", ""):
            copy.replace(name, f"message GetAccount{half} ", f"message ReadAccount{half} ")
    for mode in ("--check", "--release"):
        code, said = copy.run(mode)
        assert code != 0
        assert fault in said
    record = Path("proto") / "release.binpb"
    assert (copy.folder / record).read_bytes() == (released.folder / record).read_bytes()


def test_generated_python_carries_no_constraints(copy: Copy) -> None:
    """Generated Python neither imports the package of the constraints nor holds one in its descriptors."""
    shutil.rmtree(copy.folder / "proto" / "gen")
    assert copy.run()[0] == 0
    texts = [path.read_text() for path in (copy.folder / "proto" / "gen").rglob("*.py*")]
    assert any("AddSerializedFile" in text for text in texts)
    image = (copy.folder / "service/identity_service/rpc/contract.binpb").read_bytes()
    assert CONSTRAINT in image
    assert not [
        text for text in texts if "buf/validate" in text or "buf.validate" in text or CONSTRAINT_IN_PYTHON in text
    ]
