"""Files for mutual TLS as in production: a server's certificate, one caller's, and an authorization that knows it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from identity_client import TlsFiles
from tests.support.bad_certificates import DNS, SIGNS, URI, Signer, authority, key_pem, pem, sign

CALLER = "spiffe://example.org/rolling/caller"
SERVER_NAME = "localhost"
LIFETIME = timedelta(days=1)
CALLERS = f'teams: {{bots: {{accounts: {{"*": unguarded}}}}}}\ncallers: {{"{CALLER}": bots}}\n'
EVERYTHING = '@id("everything") permit (principal, action, resource);\n'


@dataclass(frozen=True)
class MutualTls:
    """The settings of servers, and the files of the only caller that they know."""

    variables: Mapping[str, str]
    client: TlsFiles


def write_mutual_tls(folder: Path) -> MutualTls:
    """Write all files into a folder, which is made, keys with mode 0600."""
    folder.mkdir()
    root = authority("root", end=LIFETIME)
    (folder / "ca.crt").write_bytes(root.pem)
    _issue(folder, "server", root, DNS(SERVER_NAME), ExtendedKeyUsageOID.SERVER_AUTH)
    _issue(folder, "client", root, URI(CALLER), ExtendedKeyUsageOID.CLIENT_AUTH)
    authorization = folder / "authorization"
    authorization.mkdir()
    (authorization / "callers.yaml").write_text(CALLERS)
    (authorization / "everything.cedar").write_text(EVERYTHING)
    places = {
        "TLS_CERTIFICATE_FILE": folder / "server.crt",
        "TLS_PRIVATE_KEY_FILE": folder / "server.key",
        "CLIENT_CA_FILE": folder / "ca.crt",
        "AUTHORIZATION_DIR": authorization,
    }
    client = TlsFiles(folder / "ca.crt", folder / "client.crt", folder / "client.key", SERVER_NAME)
    return MutualTls({f"IDENTITY_SERVICE_{name}": str(path) for name, path in places.items()}, client)


def _issue(folder: Path, name: str, root: Signer, subject: x509.GeneralName, purpose: ObjectIdentifier) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    extensions = [
        (x509.SubjectAlternativeName([subject]), False),
        (x509.ExtendedKeyUsage([purpose]), False),
    ]
    certificate = sign(name, key, root, usage=SIGNS, more=extensions, end=LIFETIME)
    (folder / f"{name}.crt").write_bytes(pem(certificate))
    key_file = folder / f"{name}.key"
    key_file.touch(mode=0o600)
    key_file.write_bytes(key_pem(key))
