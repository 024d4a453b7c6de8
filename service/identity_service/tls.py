"""The TLS files: read and checked before gRPC sees them, because gRPC would not say what is wrong with them."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import Certificate, load_pem_x509_certificates

from identity_service.settings import Settings, SettingsError, explain

_PRIVATE_KEY = re.compile(rb"-----BEGIN ([A-Z]+ )*PRIVATE KEY-----.+?-----END ([A-Z]+ )*PRIVATE KEY-----", re.DOTALL)


@dataclass(frozen=True)
class TlsFiles:
    """What the files hold, in PEM, and what was read out of it.

    Attributes:
        authorities: the certificates of `client_ca`, which sign the clients'.
        not_before: since when the server's own certificate is valid.
        not_after: when it expires.
    """

    certificate: bytes
    private_key: bytes = field(repr=False)
    client_ca: bytes
    authorities: tuple[Certificate, ...]
    not_before: datetime
    not_after: datetime


def read_tls_files(settings: Settings) -> TlsFiles:
    """Read the three files. Raises SettingsError that names the variable of the one that is no good.

    Each is read once, and what was read is what is checked: the files may be replaced at any moment.
    """
    certificate = _read("tls_certificate_file", settings.tls_certificate_file)
    private_key = _read("tls_private_key_file", settings.tls_private_key_file)
    client_ca = _read("client_ca_file", settings.client_ca_file)
    authorities = _certificates(settings, "client_ca_file", client_ca)
    own, *_ = _certificates(settings, "tls_certificate_file", certificate)
    if _public_key(settings, private_key) != own.public_key():
        raise _wrong(
            settings,
            "tls_private_key_file",
            "is not the key of the certificate in IDENTITY_SERVICE_TLS_CERTIFICATE_FILE",
        )
    valid = own.not_valid_before_utc, own.not_valid_after_utc
    return TlsFiles(certificate, private_key, client_ca, authorities, *valid)


def tls_paths(settings: Settings) -> tuple[Path, ...]:
    """Return where the three files are."""
    paths = (settings.tls_certificate_file, settings.tls_private_key_file, settings.client_ca_file)
    return tuple(path for path in paths if path is not None)


def _read(name: str, path: Path | None) -> bytes:
    if path is None:
        raise SettingsError(explain(name, "must be set"))
    try:
        return path.read_bytes()
    except OSError as error:
        raise SettingsError(explain(name, f"{path} cannot be read: {error.strerror}")) from None


def _certificates(settings: Settings, name: str, pem: bytes) -> tuple[Certificate, ...]:
    if b"-----BEGIN CERTIFICATE-----" not in pem:
        raise _wrong(settings, name, "holds no PEM certificate")
    try:
        return tuple(load_pem_x509_certificates(pem))
    except ValueError:
        raise _wrong(settings, name, "holds a certificate that cannot be read") from None


def _public_key(settings: Settings, pem: bytes) -> PublicKeyTypes:
    found = _PRIVATE_KEY.search(pem)
    if not found:
        raise _wrong(settings, "tls_private_key_file", "holds no PEM private key")
    try:
        return load_pem_private_key(found[0], None).public_key()
    except (TypeError, ValueError, UnsupportedAlgorithm):
        problem = "holds no private key that can be read without a password"
        raise _wrong(settings, "tls_private_key_file", problem) from None


def _wrong(settings: Settings, name: str, problem: str) -> SettingsError:
    return SettingsError(explain(name, f"{getattr(settings, name)} {problem}"))
