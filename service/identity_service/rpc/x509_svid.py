"""The rules of the X509-SVID standard for the certificate of a workload, and of those that signed it."""

import enum
from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID

from identity_service.domain.spiffe import SCHEME, check_workload_id

Kind = TypeVar("Kind", bound=x509.ExtensionType)

LEAST_RSA_BITS = 2048
LEAST_CURVE_BITS = 256


class Rule(enum.StrEnum):
    """What a peer may break; for the log, never for the peer."""

    TLS_VERSION = enum.auto()
    NO_CERTIFICATE = enum.auto()
    UNREADABLE = enum.auto()
    ONE_URI_NAME = enum.auto()
    SPIFFE_ID = enum.auto()
    TRUST_DOMAIN = enum.auto()
    AUTHORITY_AS_LEAF = enum.auto()
    KEY_USAGE = enum.auto()
    EXTENDED_KEY_USAGE = enum.auto()
    WEAK_KEY = enum.auto()
    CHAIN = enum.auto()
    AUTHORITY_ID = enum.auto()


class BrokenRuleError(Exception):
    """A peer breaks a rule, so nobody knows who it is."""

    def __init__(self, rule: Rule) -> None:
        """Take the rule, and nothing of the certificate."""
        super().__init__(rule)
        self.rule = rule


def read_certificates(pem: bytes) -> list[x509.Certificate]:
    """Read certificates from PEM; none from nothing. Raises BrokenRuleError."""
    try:
        return x509.load_pem_x509_certificates(pem) if pem else []
    except ValueError:
        raise BrokenRuleError(Rule.UNREADABLE) from None


def workload_id(leaf: x509.Certificate) -> str:
    """Return the SPIFFE id of a certificate that is in the form of a workload's. Raises BrokenRuleError.

    Only URI names count; beside the one there may be names of other kinds, into which anything may be written.
    """
    try:
        extensions = leaf.extensions
        _check_key(leaf)
    except (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        raise BrokenRuleError(Rule.UNREADABLE) from None
    _check_uses(extensions)
    names = _find(extensions, x509.SubjectAlternativeName)
    uris = names.get_values_for_type(x509.UniformResourceIdentifier) if names else []
    if len(uris) != 1:
        raise BrokenRuleError(Rule.ONE_URI_NAME)
    try:
        return check_workload_id(uris[0])
    except ValueError:
        raise BrokenRuleError(Rule.SPIFFE_ID) from None


class ChainVerifier:
    """Finds a way from a certificate to one of the authorities. Anything that is not understood is refused.

    What the library does not know, such as name constraints for URIs, is refused too.
    """

    def __init__(self, authorities: Sequence[x509.Certificate]) -> None:
        self._builder = (
            verification.PolicyBuilder()
            .store(verification.Store(list(authorities)))
            .extension_policies(ca_policy=_authority_policy(), ee_policy=_leaf_policy())
        )

    def verify(
        self, leaf: x509.Certificate, others: list[x509.Certificate], at: datetime, trust_domain: str
    ) -> tuple[datetime, datetime]:
        """Return from when to when the whole chain is valid. Raises BrokenRuleError if it is not so at the time.

        An authority need not say for which trust domain it signs; if it does, it has to be the leaf's.
        """
        try:
            chain = self._builder.time(at).build_client_verifier().verify(leaf, others).chain
        except verification.VerificationError:
            raise BrokenRuleError(Rule.CHAIN) from None
        for authority in chain[1:]:
            _check_authority_id(authority, trust_domain)
        begin = max(certificate.not_valid_before_utc for certificate in chain)
        return begin, min(certificate.not_valid_after_utc for certificate in chain)


def _check_authority_id(authority: x509.Certificate, trust_domain: str) -> None:
    """Refuse an authority whose SPIFFE id has a path, as only workloads have one, or is another trust domain's."""
    names = _find(authority.extensions, x509.SubjectAlternativeName)
    for uri in names.get_values_for_type(x509.UniformResourceIdentifier) if names else []:
        if uri.lower().startswith(SCHEME) and uri != SCHEME + trust_domain:
            raise BrokenRuleError(Rule.AUTHORITY_ID)


def _check_uses(extensions: x509.Extensions) -> None:
    constraints = _find(extensions, x509.BasicConstraints)
    if constraints and constraints.ca:
        raise BrokenRuleError(Rule.AUTHORITY_AS_LEAF)
    usage = _find(extensions, x509.KeyUsage)
    if not usage or not usage.digital_signature or usage.key_cert_sign or usage.crl_sign:
        raise BrokenRuleError(Rule.KEY_USAGE)
    if not extensions.get_extension_for_class(x509.KeyUsage).critical:
        raise BrokenRuleError(Rule.KEY_USAGE)
    purposes = _find(extensions, x509.ExtendedKeyUsage)
    if purposes and ExtendedKeyUsageOID.CLIENT_AUTH not in purposes:
        raise BrokenRuleError(Rule.EXTENDED_KEY_USAGE)


def _check_key(leaf: x509.Certificate) -> None:
    """Look at the size: the library looks only at the keys of those who sign."""
    match leaf.public_key():
        case rsa.RSAPublicKey(key_size=bits):
            strong = bits >= LEAST_RSA_BITS
        case ec.EllipticCurvePublicKey(key_size=bits):
            strong = bits >= LEAST_CURVE_BITS
        case key:
            strong = isinstance(key, ed25519.Ed25519PublicKey)
    if not strong:
        raise BrokenRuleError(Rule.WEAK_KEY)


def _authority_policy() -> verification.ExtensionPolicy:
    """Ask of authorities what RFC 5280 does, and not what the public web does: a company's own look different."""
    agnostic = verification.Criticality.AGNOSTIC
    policy = verification.ExtensionPolicy.permit_all()
    # That it says "CA" and how long the path may be is checked by the library.
    policy = policy.require_present(x509.BasicConstraints, agnostic, None)
    return policy.may_be_present(x509.KeyUsage, agnostic, _check_signs_certificates)


def _leaf_policy() -> verification.ExtensionPolicy:
    """Leave the leaf to `workload_id`; the library insists on being told of the names."""
    policy = verification.ExtensionPolicy.permit_all()
    return policy.require_present(x509.SubjectAlternativeName, verification.Criticality.AGNOSTIC, None)


def _check_signs_certificates(
    policy: verification.Policy, certificate: x509.Certificate, usage: x509.KeyUsage | None
) -> None:
    if usage and not usage.key_cert_sign:
        raise ValueError("an authority's key usage lacks keyCertSign")


def _find(extensions: x509.Extensions, kind: type[Kind]) -> Kind | None:
    try:
        return extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
