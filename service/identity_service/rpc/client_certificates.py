"""Who is at the other end of a connection, asked anew for each RPC: a connection outlives what it was opened with."""

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography.x509 import Certificate

from identity_service.domain.spiffe import trust_domain_of
from identity_service.rpc.x509_svid import BrokenRuleError, ChainVerifier, Rule, read_certificates, workload_id

AuthContext = Mapping[str, Iterable[bytes]]

TLS_VERSION = b"TLSv1.3"
MOST_REMEMBERED = 1024


@dataclass(frozen=True)
class _Verified:
    spiffe_id: str
    not_before: datetime
    not_after: datetime


class ClientCertificates:
    """Identifies peers by their X509-SVID.

    What was found out about a certificate is remembered until the authorities change, so that an RPC pays for the
    cryptography only once.
    """

    def __init__(
        self,
        authorities: Callable[[], tuple[Certificate, ...]],
        trust_domains: Callable[[], Collection[str]],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Take what tells the authorities, as the same object until they change, and what tells the trust domains."""
        self._authorities = authorities
        self._trust_domains = trust_domains
        self._clock = clock
        self._trusted = authorities()
        self._chains = ChainVerifier(self._trusted)
        self._verified: OrderedDict[tuple[bytes, bytes], _Verified] = OrderedDict()

    def __call__(self, auth_context: AuthContext) -> str:
        """Return the SPIFFE id of the peer. Raises BrokenRuleError if there is anything wrong with it."""
        # gRPC for Python has no setting for the version of TLS.
        if list(auth_context.get("ssl_tls_version", ())) != [TLS_VERSION]:
            raise BrokenRuleError(Rule.TLS_VERSION)
        leaf = b"".join(auth_context.get("x509_pem_cert", ()))
        others = b"".join(auth_context.get("x509_pem_cert_chain", ()))
        spiffe_id = self._identify(leaf, others)
        if trust_domain_of(spiffe_id) not in self._trust_domains():
            raise BrokenRuleError(Rule.TRUST_DOMAIN)
        return spiffe_id

    def _identify(self, leaf: bytes, others: bytes) -> str:
        self._take_authorities()
        now = self._clock()
        known = self._verified.get((leaf, others))
        if known is None or not known.not_before <= now <= known.not_after:
            known = self._verify(leaf, others, now)
            self._remember((leaf, others), known)
        return known.spiffe_id

    def _take_authorities(self) -> None:
        trusted = self._authorities()
        if trusted is not self._trusted:
            self._trusted, self._chains = trusted, ChainVerifier(trusted)
            self._verified.clear()

    def _verify(self, leaf: bytes, others: bytes, now: datetime) -> _Verified:
        certificates = read_certificates(leaf)
        if len(certificates) != 1:
            raise BrokenRuleError(Rule.NO_CERTIFICATE)
        (certificate,) = certificates
        spiffe_id = workload_id(certificate)
        chain = read_certificates(others)
        return _Verified(spiffe_id, *self._chains.verify(certificate, chain, now, trust_domain_of(spiffe_id)))

    def _remember(self, pem: tuple[bytes, bytes], verified: _Verified) -> None:
        self._verified[pem] = verified
        if len(self._verified) > MOST_REMEMBERED:
            self._verified.popitem(last=False)
