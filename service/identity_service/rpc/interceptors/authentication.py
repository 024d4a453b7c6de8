"""Who calls: exactly one SPIFFE id in a client certificate that the configured authority signed."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager

from identity_service.application.ports import Authorizer
from identity_service.domain.errors import IdentityError, Reason
from identity_service.rpc.call import current_call
from identity_service.rpc.interceptors.around import AroundInterceptor, Context

AuthContext = Mapping[str, Iterable[bytes]]
IdentifiesPeers = Callable[[AuthContext], str]
"""Takes a connection's authentication context to the id of who is at its other end."""

SPIFFE_SCHEME = "spiffe://"
TLS_VERSION = "TLSv1.3"
INSECURE_CALLER_ID = "spiffe://insecure.local/caller"


def spiffe_id(auth_context: AuthContext) -> str:
    """Return the SPIFFE id of a peer over TLS 1.3; raises IdentityError CALLER_UNKNOWN without exactly one.

    Only URI names count. gRPC's own `peer_identities()` mixes them with DNS names, into which anything may be written.
    """
    # gRPC for Python has no setting for the version of TLS.
    if _texts(auth_context, "ssl_tls_version") != [TLS_VERSION]:
        raise IdentityError(Reason.CALLER_UNKNOWN, "TLS 1.3 is required")
    uris = _texts(auth_context, "peer_uri")
    # gRPC gives a SPIFFE id only where it is in the form that the SPIFFE standard asks for.
    if len(uris) != 1 or _texts(auth_context, "peer_spiffe_id") != uris or not uris[0].startswith(SPIFFE_SCHEME):
        raise IdentityError(
            Reason.CALLER_UNKNOWN, "a client certificate with exactly one URI name, a SPIFFE id, is required"
        )
    return uris[0]


def insecure_caller(auth_context: AuthContext) -> str:
    """Return the one caller id there is without TLS."""
    return INSECURE_CALLER_ID


class Authentication(AroundInterceptor):
    """Finds out the caller and its team before anything else is done with a request."""

    def __init__(self, authorizer: Authorizer, identify_peer: IdentifiesPeers) -> None:
        self._authorizer = authorizer
        self._identify_peer = identify_peer

    @asynccontextmanager
    async def around(self, method: str, context: Context) -> AsyncIterator[None]:
        """Put the caller into the current call."""
        call = current_call()
        call.caller_id = self._identify_peer(context.auth_context())
        call.caller = self._authorizer.identify(call.caller_id)
        yield


def _texts(auth_context: AuthContext, key: str) -> list[str]:
    return [value.decode("utf-8", "replace") for value in auth_context.get(key, ())]
