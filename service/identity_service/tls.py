"""The TLS files: read and checked before the server starts, because gRPC would not say what is wrong with them."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path

from identity_service.settings import Settings, SettingsError, explain

MISFITS = ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH")


@dataclass(frozen=True)
class TlsFiles:
    """What the files hold, in PEM."""

    certificate: bytes
    private_key: bytes = field(repr=False)
    client_ca: bytes


def read_tls_files(settings: Settings) -> TlsFiles:
    """Read the three files. Raises SettingsError that names the variable of the one that is no good."""
    files = TlsFiles(
        certificate=_read("tls_certificate_file", settings.tls_certificate_file),
        private_key=_read("tls_private_key_file", settings.tls_private_key_file),
        client_ca=_read("client_ca_file", settings.client_ca_file),
    )
    _check_authorities(settings.client_ca_file)
    _check_identity(settings, files)
    return files


def _read(name: str, path: Path | None) -> bytes:
    if path is None:
        raise SettingsError(explain(name, "must be set"))
    try:
        return path.read_bytes()
    except OSError as error:
        raise SettingsError(explain(name, f"{path} cannot be read: {error.strerror}")) from None


def _check_authorities(path: Path | None) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(cafile=path)
    except ssl.SSLError:
        raise SettingsError(explain("client_ca_file", f"{path} holds no PEM certificate")) from None


def _check_identity(settings: Settings, files: TlsFiles) -> None:
    """Have OpenSSL load certificate and key together: it checks that they fit."""
    certificate, key = settings.tls_certificate_file, settings.tls_private_key_file
    if certificate is None or key is None:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=_no_password)
    except ssl.SSLError as error:
        name, problem = _problem(files, error.reason)
        raise SettingsError(explain(name, f"{getattr(settings, name)} {problem}")) from None


def _problem(files: TlsFiles, reason: str | None) -> tuple[str, str]:
    """Find out which of certificate and key it is; OpenSSL's reason for files out of form is the same for both."""
    if reason in MISFITS:
        return "tls_private_key_file", "is not the key of the certificate in IDENTITY_SERVICE_TLS_CERTIFICATE_FILE"
    if b"-----BEGIN CERTIFICATE-----" not in files.certificate:
        return "tls_certificate_file", "holds no PEM certificate"
    if b"PRIVATE KEY-----" not in files.private_key:
        return "tls_private_key_file", "holds no PEM private key"
    if _is_certificate(files.certificate):
        return "tls_private_key_file", "holds no private key that can be read without a password"
    return "tls_certificate_file", "holds a certificate that cannot be read"


def _is_certificate(pem: bytes) -> bool:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(cadata=pem.decode("ascii", "replace"))
    except (ssl.SSLError, ValueError):
        return False
    return True


def _no_password() -> str:
    """Answer for whoever would be asked at the terminal: gRPC takes no password for a key."""
    return ""
