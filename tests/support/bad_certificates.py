"""Kinds of client certificates that must not let anybody in, and an authority that signs whatever it is asked to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from identity_service.rpc.x509_svid import Rule

URI = x509.UniformResourceIdentifier
DNS = x509.DNSName

TRUST_DOMAIN = "example.org"
CALLER = f"spiffe://{TRUST_DOMAIN}/onboarding-bot"
HOUR = timedelta(hours=1)
SIGNS = {"digital_signature"}
SIGNS_CERTIFICATES = {"key_cert_sign", "crl_sign"}
KEY_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)
RSA_WITH_SHA256, RSA_WITH_SHA1, RSA_WITH_MD5 = (bytes.fromhex(f"2a864886f70d0101{last}") for last in ("0b", "05", "04"))

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True)
class Presented:
    """What a client presents: its certificate, others after it, and its key, in PEM."""

    leaf: bytes
    key: bytes = field(repr=False)
    others: bytes = b""

    @property
    def chain(self) -> bytes:
        """All certificates, the leaf first."""
        return self.leaf + self.others


@dataclass(frozen=True)
class Signer:
    """An authority."""

    certificate: x509.Certificate
    key: Key

    @property
    def pem(self) -> bytes:
        """Its certificate."""
        return pem(self.certificate)


def pem(certificate: x509.Certificate) -> bytes:
    """Write a certificate as PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def key_pem(key: Key) -> bytes:
    """Write a key as PEM."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def sign(
    subject: str,
    key: Key,
    signer: Signer | None,
    *,
    ca: bool | None = False,
    path_length: int | None = None,
    usage: set[str] | None = None,
    more: Sequence[tuple[x509.ExtensionType, bool]] = (),
    begin: timedelta = -HOUR,
    end: timedelta = HOUR,
) -> x509.Certificate:
    """Sign a certificate with an authority, or with its own key if there is none."""
    now = datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(signer.certificate.subject if signer else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begin)
        .not_valid_after(now + end)
    )
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=path_length), critical=True)
    if usage is not None:
        builder = builder.add_extension(x509.KeyUsage(**{each: each in usage for each in KEY_USAGES}), critical=True)
    for extension, critical in more:
        builder = builder.add_extension(extension, critical)
    return builder.sign(signer.key if signer else key, hashes.SHA256())


def authority(name: str, above: Signer | None = None, **changes: Any) -> Signer:
    """Make an authority: a root, or one below another."""
    key = changes.pop("key", None) or ec.generate_private_key(ec.SECP256R1())
    arguments: dict[str, Any] = {"ca": True, "usage": SIGNS_CERTIFICATES, **changes}
    return Signer(sign(name, key, above, **arguments), key)


class Pki:
    """A root that the server trusts, an RSA root and an expired one that it trusts as well, and a stranger's."""

    def __init__(self) -> None:
        self.root = authority("root")
        self.rsa_root = authority("RSA root", key=rsa.generate_private_key(65537, 2048))
        self.expired_root = authority("expired root", begin=-3 * HOUR, end=-HOUR)
        self.bundle = self.root.pem + self.rsa_root.pem + self.expired_root.pem
        self.stranger = authority("stranger")

    def present(
        self,
        *names: x509.GeneralName,
        signer: Signer | None = None,
        others: Sequence[Signer] = (),
        key: Key | None = None,
        purposes: Sequence[x509.ObjectIdentifier] = (),
        more: Sequence[tuple[x509.ExtensionType, bool]] = (),
        **changes: Any,
    ) -> Presented:
        """Issue a certificate that is good but for what is asked for."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        extensions = list(more)
        if names:
            extensions.append((x509.SubjectAlternativeName(names), False))
        if purposes:
            extensions.append((x509.ExtendedKeyUsage(purposes), False))
        arguments: dict[str, Any] = {"usage": SIGNS, **changes}
        leaf = sign("leaf", key, signer or self.root, more=extensions, **arguments)
        return Presented(pem(leaf), key_pem(key), b"".join(other.pem for other in others))

    def below(self, intermediate: Signer, *names: x509.GeneralName) -> Presented:
        """Issue a certificate that an intermediate authority signs, and present both."""
        return self.present(*(names or (URI(CALLER),)), signer=intermediate, others=[intermediate])

    def server(self) -> Presented:
        """Issue the server's own certificate."""
        return self.present(DNS("localhost"), purposes=[ExtendedKeyUsageOID.SERVER_AUTH])


@dataclass(frozen=True)
class Kind:
    """A kind of bad certificate, and the rule of the check at each RPC that refuses it."""

    name: str
    rule: Rule
    make: Callable[[Pki], Presented]

    def __str__(self) -> str:
        return self.name


def _named(name: str, rule: Rule, *names: x509.GeneralName) -> Kind:
    return Kind(name, rule, lambda pki: pki.present(*names))


def _id(name: str, spiffe_id: str, rule: Rule = Rule.SPIFFE_ID) -> Kind:
    return _named(name, rule, URI(spiffe_id))


def _leaf(name: str, rule: Rule, **changes: Any) -> Kind:
    return Kind(name, rule, lambda pki: pki.present(URI(CALLER), **changes))


def _below(name: str, *names: x509.GeneralName, **changes: Any) -> Kind:
    return Kind(name, Rule.CHAIN, lambda pki: pki.below(authority("intermediate", pki.root, **changes), *names))


def _self_signed(pki: Pki) -> Presented:
    key = ec.generate_private_key(ec.SECP256R1())
    names = x509.SubjectAlternativeName([URI(CALLER)])
    return Presented(pem(sign("leaf", key, None, usage=SIGNS, more=[(names, False)])), key_pem(key))


def _under_a_leaf(pki: Pki) -> Presented:
    """Let a workload sign for another, with its good certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    names = x509.SubjectAlternativeName([URI(CALLER)])
    return pki.below(Signer(sign("workload", key, pki.root, usage=SIGNS, more=[(names, False)]), key))


def _too_long_a_path(pki: Pki) -> Presented:
    first = authority("first", pki.root, path_length=0)
    second = authority("second", first)
    return pki.present(URI(CALLER), signer=second, others=[second, first])


def _without_its_intermediate(pki: Pki) -> Presented:
    return pki.present(URI(CALLER), signer=authority("intermediate", pki.root))


def _altered(pki: Pki) -> Presented:
    """Write another caller into a signed certificate."""
    good = pki.present(URI(CALLER.replace("onboarding", "administer")))
    der = x509.load_pem_x509_certificate(good.leaf).public_bytes(serialization.Encoding.DER)
    return Presented(_as_pem(der.replace(b"administer-bot", b"onboarding-bot")), good.key)


def _weakly_signed(algorithm: bytes, digest: hashes.HashAlgorithm) -> Callable[[Pki], Presented]:
    """Sign by an algorithm with which the library would not: put its identifier in, and another signature."""

    def make(pki: Pki) -> Presented:
        good = pki.present(URI(CALLER), signer=pki.rsa_root)
        certificate = x509.load_pem_x509_certificate(good.leaf)
        der = certificate.public_bytes(serialization.Encoding.DER)
        signed = certificate.tbs_certificate_bytes.replace(RSA_WITH_SHA256, algorithm)
        assert isinstance(pki.rsa_root.key, rsa.RSAPrivateKey)
        signature = pki.rsa_root.key.sign(signed, padding.PKCS1v15(), digest)
        der = der.replace(RSA_WITH_SHA256, algorithm).replace(certificate.signature, signature)
        return Presented(_as_pem(der), good.key)

    return make


def _as_pem(der: bytes) -> bytes:
    return pem(x509.load_der_x509_certificate(der))


OTHER_SITE = x509.NameConstraints([DNS("other.example")], None)
OTHER_DOMAIN = x509.NameConstraints([URI("other.example")], None)
UNKNOWN_EXTENSION = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00")

SIGNS_ALONE = x509.KeyUsage(**{each: each in SIGNS for each in KEY_USAGES})


def _of_domain(spiffe_id: str) -> Callable[[Pki], Presented]:
    """Sign below an authority that says whose it is."""
    names = x509.SubjectAlternativeName([URI(spiffe_id)])
    return lambda pki: pki.below(authority("intermediate", pki.root, more=[(names, False)]))


CERTIFICATE_KINDS: tuple[Kind, ...] = (
    _leaf("expired", Rule.CHAIN, begin=-2 * HOUR, end=-HOUR),
    _leaf("not valid yet", Rule.CHAIN, begin=HOUR, end=2 * HOUR),
    Kind("self-signed", Rule.CHAIN, _self_signed),
    Kind("of another authority", Rule.CHAIN, lambda pki: pki.present(URI(CALLER), signer=pki.stranger)),
    Kind(
        "of another authority with the same name",
        Rule.CHAIN,
        lambda pki: pki.present(URI(CALLER), signer=authority("root")),
    ),
    Kind("of an expired authority", Rule.CHAIN, lambda pki: pki.present(URI(CALLER), signer=pki.expired_root)),
    Kind("altered after it was signed", Rule.CHAIN, _altered),
    Kind("signed with SHA-1", Rule.CHAIN, _weakly_signed(RSA_WITH_SHA1, hashes.SHA1())),  # noqa: S303 - a bad one
    Kind("signed with MD5", Rule.CHAIN, _weakly_signed(RSA_WITH_MD5, hashes.MD5())),  # noqa: S303 - a bad one
    Kind("without its intermediate", Rule.CHAIN, _without_its_intermediate),
    Kind("signed by another workload", Rule.CHAIN, _under_a_leaf),
    Kind("below too long a path", Rule.CHAIN, _too_long_a_path),
    _below("below an expired intermediate", begin=-2 * HOUR, end=-HOUR),
    _below("below an intermediate that is no authority", ca=False),
    _below("below an intermediate that does not say what it is", ca=None),
    _below("below an intermediate that may not sign certificates", usage=SIGNS),
    _below("below an intermediate for other names", URI(CALLER), DNS("bot.example.org"), more=[(OTHER_SITE, True)]),
    _below("below an intermediate for another trust domain", more=[(OTHER_DOMAIN, True)]),
    Kind(
        "below an intermediate with a short key",
        Rule.CHAIN,
        lambda pki: pki.below(authority("intermediate", pki.root, key=_short_key())),
    ),
    Kind("below an authority of another trust domain", Rule.AUTHORITY_ID, _of_domain("spiffe://other.example")),
    Kind("below an authority with a workload's id", Rule.AUTHORITY_ID, _of_domain(f"spiffe://{TRUST_DOMAIN}/signer")),
    Kind("below an authority of the trust domain in capitals", Rule.AUTHORITY_ID, _of_domain("SPIFFE://EXAMPLE.ORG")),
    Kind("with a short key", Rule.WEAK_KEY, lambda pki: pki.present(URI(CALLER), key=_short_key())),
    _leaf("with an unknown critical extension", Rule.CHAIN, more=[(UNKNOWN_EXTENSION, True)]),
    _leaf("of an authority", Rule.AUTHORITY_AS_LEAF, ca=True),
    _leaf("that may sign certificates", Rule.KEY_USAGE, usage=SIGNS | {"key_cert_sign"}),
    _leaf("that may sign revocation lists", Rule.KEY_USAGE, usage=SIGNS | {"crl_sign"}),
    _leaf("that may not sign", Rule.KEY_USAGE, usage={"key_agreement"}),
    _leaf("without a key usage", Rule.KEY_USAGE, usage=None),
    _leaf("with a key usage that is not critical", Rule.KEY_USAGE, usage=None, more=[(SIGNS_ALONE, False)]),
    _leaf("for servers only", Rule.EXTENDED_KEY_USAGE, purposes=[ExtendedKeyUsageOID.SERVER_AUTH]),
    _leaf("for code only", Rule.EXTENDED_KEY_USAGE, purposes=[ExtendedKeyUsageOID.CODE_SIGNING]),
    _named("without names", Rule.ONE_URI_NAME),
    _named("with a DNS name only", Rule.ONE_URI_NAME, DNS("onboarding-bot.example.org")),
    _named("with a SPIFFE id as a DNS name", Rule.ONE_URI_NAME, DNS(CALLER)),
    _named("with a SPIFFE id as an e-mail address", Rule.ONE_URI_NAME, x509.RFC822Name(CALLER)),
    _named("with two SPIFFE ids", Rule.ONE_URI_NAME, URI(CALLER), URI(f"spiffe://{TRUST_DOMAIN}/other")),
    _named("with one SPIFFE id twice", Rule.ONE_URI_NAME, URI(CALLER), URI(CALLER)),
    _named("with a SPIFFE id and another URI", Rule.ONE_URI_NAME, URI(CALLER), URI("https://example.org/bot")),
    _id("of another scheme", "https://example.org/onboarding-bot"),
    _id("of the scheme in capitals", "SPIFFE://example.org/onboarding-bot"),
    _id("of a trust domain that no caller has", "spiffe://other.example/onboarding-bot", Rule.TRUST_DOMAIN),
    _id("of a trust domain below", "spiffe://sub.example.org/onboarding-bot", Rule.TRUST_DOMAIN),
    _id("of a trust domain alone", "spiffe://example.org"),
    _id("of a trust domain and a slash", "spiffe://example.org/"),
    _id("of a trust domain in capitals", "spiffe://EXAMPLE.org/onboarding-bot"),
    _id("of no trust domain", "spiffe:///onboarding-bot"),
    _id("of too long a trust domain", f"spiffe://{'a' * 256}/onboarding-bot"),
    _id("with a user", "spiffe://root@example.org/onboarding-bot"),
    _id("with a port", "spiffe://example.org:443/onboarding-bot"),
    _id("with a query", f"{CALLER}?team=people-team"),
    _id("with a fragment", f"{CALLER}#people-team"),
    _id("percent-encoded", "spiffe://example.org/onboarding%2Dbot"),
    _id("with a dot segment", "spiffe://example.org/x/../onboarding-bot"),
    _id("with an empty segment", "spiffe://example.org//onboarding-bot"),
    _id("with a slash at its end", f"{CALLER}/"),
    _id("with a space", f"{CALLER} "),
    _id("with a zero byte", f"{CALLER}\0.attacker.example"),
    _id("that is too long", f"{CALLER}/{'a' * 2048}"),
)


def _short_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 1024)  # noqa: S505 - a short one is wanted


GOOD: dict[str, Callable[[Pki], Presented]] = {
    "one SPIFFE id": lambda pki: pki.present(URI(CALLER)),
    "a DNS name beside it": lambda pki: pki.present(DNS("bot.example.org"), URI(CALLER)),
    "an intermediate": lambda pki: pki.below(authority("intermediate", pki.root, path_length=0)),
    "an intermediate for its DNS names": lambda pki: pki.below(
        authority("intermediate", pki.root, more=[(OTHER_SITE, True)]), URI(CALLER), DNS("bot.other.example")
    ),
    "an intermediate of the trust domain": _of_domain(f"spiffe://{TRUST_DOMAIN}"),
    "for clients alone": lambda pki: pki.present(URI(CALLER), purposes=[ExtendedKeyUsageOID.CLIENT_AUTH]),
    "for clients and servers": lambda pki: pki.present(
        URI(CALLER), purposes=[ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    ),
    "an RSA key, signed by RSA": lambda pki: pki.present(
        URI(CALLER), key=rsa.generate_private_key(65537, 2048), signer=pki.rsa_root
    ),
    "P-384": lambda pki: pki.present(URI(CALLER), key=ec.generate_private_key(ec.SECP384R1())),
}
"""Kinds that do let in: what the bad ones differ from."""
