"""Certificates for one test run, from an authority of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from identity_service.tls import TlsFiles

_DIGITAL_SIGNATURE = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)

URI = x509.UniformResourceIdentifier
DNS = x509.DNSName


@dataclass(frozen=True)
class Identity:
    """A certificate and its key, in PEM."""

    certificate: bytes
    private_key: bytes


class Authority:
    """Signs certificates that are valid for an hour."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("test authority")
        certificate = _builder(self._name, self._name, self._key.public_key(), is_authority=True)
        self.certificate = _pem(certificate.sign(self._key, hashes.SHA256()))

    def issue(self, names: Sequence[x509.GeneralName]) -> Identity:
        """Issue a certificate for the given names."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_name("leaf"), self._name, key.public_key(), is_authority=False)
        builder = builder.add_extension(_DIGITAL_SIGNATURE, critical=True)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        private_key = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return Identity(_pem(builder.sign(self._key, hashes.SHA256())), private_key)

    def server_files(self, identity: Identity) -> TlsFiles:
        """Give a server its certificate, and this authority for its clients."""
        own, authority = map(x509.load_pem_x509_certificate, (identity.certificate, self.certificate))
        valid = own.not_valid_before_utc, own.not_valid_after_utc
        return TlsFiles(identity.certificate, identity.private_key, self.certificate, (authority,), *valid)

    def channel_credentials(self, identity: Identity | None) -> grpc.ChannelCredentials:
        """Build a client's credentials, with a certificate or without."""
        if identity is None:
            return grpc.ssl_channel_credentials(self.certificate)
        return grpc.ssl_channel_credentials(self.certificate, identity.private_key, identity.certificate)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, *, is_authority: bool
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(hours=1))
    return builder.add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
