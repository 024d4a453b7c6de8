"""The TLS files: each that is no good is told by its variable, before gRPC sees it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from identity_service.settings import Settings, SettingsError
from identity_service.tls import read_tls_files
from tests.unit.rpc.certificates import DNS, Authority

CERTIFICATE, KEY, CA = "TLS_CERTIFICATE_FILE", "TLS_PRIVATE_KEY_FILE", "CLIENT_CA_FILE"
Folder = Path


def with_password(private_key: bytes) -> bytes:
    """Encrypt a key."""
    key = serialization.load_pem_private_key(private_key, None)
    encryption = serialization.BestAvailableEncryption(b"canary")
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """Write a good certificate, its key and its authority, named like their variables."""
    authority = Authority()
    identity = authority.issue([DNS("localhost")])
    (tmp_path / CERTIFICATE).write_bytes(identity.certificate)
    (tmp_path / KEY).write_bytes(identity.private_key)
    (tmp_path / CA).write_bytes(authority.certificate)
    (tmp_path / "authorization").mkdir()
    return tmp_path


def settings(folder: Folder) -> Settings:
    """Point the settings at the folder."""
    files = {name.lower(): folder / name for name in (CERTIFICATE, KEY, CA)}
    return Settings.model_validate(
        {**files, "authorization_dir": folder / "authorization", "aws_account_id": "123456789012"}
    )


def test_good_files_are_read(folder: Folder) -> None:
    """What the files hold is what gRPC gets, and the key does not show."""
    files = read_tls_files(settings(folder))
    assert (files.certificate, files.client_ca) == ((folder / CERTIFICATE).read_bytes(), (folder / CA).read_bytes())
    assert files.private_key == (folder / KEY).read_bytes()
    assert "PRIVATE" not in repr(files)


@pytest.mark.parametrize("name", [CERTIFICATE, KEY, CA])
def test_a_file_that_cannot_be_read_is_named(folder: Folder, name: str) -> None:
    """The variable stands first, with the system's reason and an example."""
    usable = settings(folder)
    (folder / name).unlink()
    assert_refused(usable, name, "cannot be read: No such file or directory")


@pytest.mark.parametrize(
    ("name", "change", "problem"),
    [
        (CERTIFICATE, lambda pem: b"canary", "holds no PEM certificate"),
        (CERTIFICATE, lambda pem: b"", "holds no PEM certificate"),
        (CERTIFICATE, lambda pem: pem[:100] + pem[-30:], "holds a certificate that cannot be read"),
        (KEY, lambda pem: b"canary", "holds no PEM private key"),
        (KEY, with_password, "holds no private key that can be read without a password"),
        (KEY, lambda pem: Authority().issue([]).private_key, "is not the key of the certificate"),
        (CA, lambda pem: b"canary", "holds no PEM certificate"),
        (CA, lambda pem: b"", "holds no PEM certificate"),
    ],
)
def test_a_file_of_something_else_is_named(
    folder: Folder, name: str, change: Callable[[bytes], bytes], problem: str
) -> None:
    """A file that is not PEM, not complete, or not the other's counterpart is told by its variable."""
    (folder / name).write_bytes(change((folder / name).read_bytes()))
    assert_refused(settings(folder), name, problem)


def assert_refused(wrong: Settings, name: str, problem: str) -> None:
    """Read files of which one is no good; check the one line that says so."""
    with pytest.raises(SettingsError) as caught:
        read_tls_files(wrong)
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"IDENTITY_SERVICE_{name}: ")
    assert problem in line
    assert f"; for example IDENTITY_SERVICE_{name}=" in line
    assert "canary" not in line
