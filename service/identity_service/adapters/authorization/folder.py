"""The folder of authorization files as it is on disk: `callers.yaml`, and the policies in `*.cedar`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from identity_service.adapters.authorization.settings import AuthorizationFileError

CALLERS = "callers.yaml"
POLICIES = ".cedar"
NOT_OURS = ("README.md",)
"""Files that may lie there as well; besides hidden ones, such as Kubernetes' own."""


@dataclass(frozen=True)
class FolderContent:
    """What the files hold: bytes by name."""

    path: Path
    files: Mapping[str, bytes]

    def text(self, name: str) -> str:
        """Return a file's text. Raises AuthorizationFileError."""
        try:
            return self.files[name].decode("utf-8")
        except UnicodeDecodeError:
            raise AuthorizationFileError(f"{self.path / name}: this is not UTF-8") from None


def read_folder(path: Path) -> FolderContent:
    """Read all files of a folder. Raises AuthorizationFileError.

    What is neither of the two kinds is refused: a policy in a file with a wrong name would forbid nothing.
    """
    current = path
    try:
        # Kubernetes swaps the folder that a symbolic link leads to: followed once, all files are of one time.
        followed = (path / "..data").resolve(strict=True) if (path / "..data").exists() else path.resolve(strict=True)
        names = sorted(entry.name for entry in followed.iterdir() if _counts(entry.name))
        files = {}
        for name in names:
            current = path / name
            files[name] = (followed / name).read_bytes()
    except OSError as error:
        raise AuthorizationFileError(f"{current}: this cannot be read: {error.strerror}") from None
    strangers = [name for name in names if name != CALLERS and not name.endswith(POLICIES)]
    if strangers:
        what = f"what is this? Policies are in files *{POLICIES}, everything else in {CALLERS}"
        raise AuthorizationFileError("\n".join(f"{path / name}: {what}" for name in strangers))
    if CALLERS not in files:
        raise AuthorizationFileError(f"{path / CALLERS}: the file is missing")
    return FolderContent(path, files)


def _counts(name: str) -> bool:
    return not name.startswith(".") and name not in NOT_OURS
