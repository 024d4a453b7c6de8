"""Who is at the other end, as each RPC asks it: without the handshake, so that this check alone has to refuse."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.x509 import Certificate, load_pem_x509_certificates

from identity_service.rpc.client_certificates import MOST_REMEMBERED, ClientCertificates
from identity_service.rpc.x509_svid import BrokenRuleError, ChainVerifier, Rule
from tests.support.bad_certificates import (
    CALLER,
    CERTIFICATE_KINDS,
    DNS,
    GOOD,
    HOUR,
    TRUST_DOMAIN,
    URI,
    Kind,
    Pki,
    Presented,
    authority,
)

Context = dict[str, list[bytes]]


class World:
    """What the check is told: a clock, the authorities, the trust domains."""

    def __init__(self, bundle: bytes) -> None:
        self.now = datetime.now(UTC)
        self.trust_domains = {TRUST_DOMAIN}
        self.authorities: tuple[Certificate, ...] = ()
        self.trust(bundle)
        self.identify = ClientCertificates(lambda: self.authorities, lambda: self.trust_domains, lambda: self.now)

    def trust(self, bundle: bytes) -> None:
        """Replace the authorities."""
        self.authorities = tuple(load_pem_x509_certificates(bundle))

    def refuses(self, context: Context) -> Rule:
        """Return the rule by which a peer is refused."""
        with pytest.raises(BrokenRuleError) as refused:
            self.identify(context)
        return refused.value.rule


@pytest.fixture(scope="module")
def pki() -> Pki:
    """Make the authorities."""
    return Pki()


@pytest.fixture
def world(pki: Pki) -> World:
    """Trust the authorities."""
    return World(pki.bundle)


def connection(presented: Presented, version: bytes = b"TLSv1.3") -> Context:
    """Tell of a connection what gRPC does."""
    context = {"ssl_tls_version": [version], "x509_pem_cert": [presented.leaf]}
    return context | ({"x509_pem_cert_chain": [presented.others]} if presented.others else {})


@pytest.mark.parametrize("kind", CERTIFICATE_KINDS, ids=str)
def test_a_bad_certificate_is_nobody(world: World, pki: Pki, kind: Kind) -> None:
    """Each kind is refused by its rule, also the second time, whatever the handshake thought of it."""
    context = connection(kind.make(pki))
    assert [world.refuses(context), world.refuses(context)] == [kind.rule, kind.rule]


@pytest.mark.parametrize("make", GOOD.values(), ids=list(GOOD))
def test_a_good_certificate_is_its_caller(world: World, pki: Pki, make: Callable[[Pki], Presented]) -> None:
    """What the bad ones differ from is let in, the first time and from memory."""
    context = connection(make(pki))
    assert [world.identify(context), world.identify(context)] == [CALLER, CALLER]


@pytest.mark.parametrize("versions", [[b"TLSv1.2"], [b""], [], [b"TLSv1.3", b"TLSv1.2"], [b"TLSv1.30"]])
def test_tls_1_3_is_demanded(world: World, pki: Pki, versions: list[bytes]) -> None:
    """A connection of any other version, or of one that gRPC does not tell, is nobody's."""
    context = connection(pki.present(URI(CALLER))) | {"ssl_tls_version": versions}
    assert world.refuses(context) is Rule.TLS_VERSION


def test_certificates_have_to_be_there_and_readable(world: World, pki: Pki) -> None:
    """None, two, or something else where one is expected is refused."""
    good = pki.present(URI(CALLER))
    assert world.refuses({"ssl_tls_version": [b"TLSv1.3"]}) is Rule.NO_CERTIFICATE
    assert world.refuses(connection(Presented(good.leaf * 2, b""))) is Rule.NO_CERTIFICATE
    assert world.refuses(connection(Presented(b"canary", b""))) is Rule.UNREADABLE
    assert world.refuses(connection(Presented(good.leaf, b"", b"canary"))) is Rule.UNREADABLE


def test_a_certificate_expires_while_its_connection_is_open(world: World, pki: Pki) -> None:
    """What was remembered ends with the first certificate of the chain that expires, and begins with the last."""
    context = connection(pki.below(authority("intermediate", pki.root, end=HOUR / 2)))
    assert world.identify(context) == CALLER
    world.now += timedelta(minutes=29)
    assert world.identify(context) == CALLER
    world.now += timedelta(minutes=2)
    assert world.refuses(context) is Rule.CHAIN
    world.now -= timedelta(hours=2)
    assert world.refuses(context) is Rule.CHAIN


def test_an_authority_that_is_taken_away_vouches_for_nobody_at_once(world: World, pki: Pki) -> None:
    """The next call on the same connection is refused, and let in again when the authority is back."""
    context = connection(pki.present(URI(CALLER)))
    assert world.identify(context) == CALLER
    world.trust(pki.stranger.pem)
    assert world.refuses(context) is Rule.CHAIN
    world.trust(pki.bundle)
    assert world.identify(context) == CALLER


def test_an_authority_may_be_an_intermediate_one(world: World, pki: Pki) -> None:
    """A bundle that names the intermediate alone trusts what that signed, and nothing else of its root's."""
    intermediate = authority("intermediate", pki.root)
    world.trust(intermediate.pem)
    assert world.identify(connection(pki.below(intermediate))) == CALLER
    assert world.refuses(connection(pki.present(URI(CALLER)))) is Rule.CHAIN


def test_trust_domains_are_asked_for_each_time(world: World, pki: Pki) -> None:
    """When the last caller of a trust domain is gone, so is the trust domain."""
    context = connection(pki.present(URI(CALLER)))
    assert world.identify(context) == CALLER
    world.trust_domains = {"other.example"}
    assert world.refuses(context) is Rule.TRUST_DOMAIN


def test_others_chain_does_not_count(world: World, pki: Pki) -> None:
    """What was remembered of a certificate with its intermediate is not believed without it."""
    intermediate = authority("intermediate", pki.root)
    whole = pki.below(intermediate)
    assert world.identify(connection(whole)) == CALLER
    assert world.refuses(connection(Presented(whole.leaf, whole.key))) is Rule.CHAIN


@pytest.mark.parametrize("intermediates", [0, 1])
def test_cryptography_is_paid_for_once(
    world: World, pki: Pki, intermediates: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A certificate that was found good is not verified again while nothing changes."""
    presented = pki.below(authority("intermediate", pki.root)) if intermediates else pki.present(URI(CALLER))
    world.identify(connection(presented))
    monkeypatch.setattr(ChainVerifier, "verify", None)
    world.now += timedelta(minutes=1)
    assert world.identify(connection(presented)) == CALLER


def test_only_so_much_is_remembered(world: World, pki: Pki) -> None:
    """However many certificates come, the memory stays bounded, and the forgotten are looked at anew."""
    contexts = [connection(pki.present(URI(CALLER))) for _ in range(3)]
    world.identify._verified.update({(bytes([n // 256, n % 256]), b""): None for n in range(MOST_REMEMBERED)})  # type: ignore[misc] # stands for others
    for context in contexts * 2:
        assert world.identify(context) == CALLER
    assert len(world.identify._verified) == MOST_REMEMBERED


def test_nothing_of_a_certificate_is_in_what_is_raised(world: World, pki: Pki) -> None:
    """The error holds the rule and nothing that the peer wrote."""
    with pytest.raises(BrokenRuleError) as refused:
        world.identify(connection(pki.present(URI("https://canary.example"), DNS("canary"))))
    assert str(refused.value) == "spiffe_id"
    assert refused.value.__cause__ is None
