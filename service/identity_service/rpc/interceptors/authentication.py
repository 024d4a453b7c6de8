"""Who calls: exactly one SPIFFE id in a client certificate that a trusted authority signed."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import structlog

from identity_service.application.ports import Authorizer
from identity_service.domain.errors import IdentityError, Reason
from identity_service.domain.spiffe import INSECURE_TRUST_DOMAIN, SCHEME
from identity_service.rpc.call import current_call
from identity_service.rpc.client_certificates import AuthContext
from identity_service.rpc.interceptors.around import AroundInterceptor, Context
from identity_service.rpc.x509_svid import BrokenRuleError

IdentifiesPeers = Callable[[AuthContext], str]
"""Takes a connection's authentication context to the id of who is at its other end, or raises BrokenRuleError."""

INSECURE_CALLER_ID = f"{SCHEME}{INSECURE_TRUST_DOMAIN}/caller"
UNKNOWN = "a client certificate with exactly one SPIFFE id, over TLS 1.3, is required"
"""All that a peer is told, whatever is wrong: it is nobody, and need not learn how to become somebody."""


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
        try:
            call.caller_id = self._identify_peer(context.auth_context())
        except BrokenRuleError as error:
            structlog.get_logger().warning("caller_unknown", rule=error.rule, trace_id=call.trace_id)
            raise IdentityError(Reason.CALLER_UNKNOWN, UNKNOWN) from None
        call.caller = self._authorizer.identify(call.caller_id)
        yield
