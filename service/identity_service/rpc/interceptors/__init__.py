"""What every RPC passes on its way in and out, outermost first.

The last barrier, the answer to an error, log and trace, fault barrier, deadline, authentication, a place, the reading
of the request, well-formedness, the share of its account.
"""

from collections.abc import Collection, Sequence

import grpc
from opentelemetry.metrics import Meter, NoOpMeter
from opentelemetry.trace import Tracer

from identity_service.application.account_choice import AccountChoice
from identity_service.application.ports import Authorizer
from identity_service.observability.instruments import RpcInstruments
from identity_service.rpc.interceptors.account_share import AccountShare
from identity_service.rpc.interceptors.authentication import Authentication, IdentifiesPeers
from identity_service.rpc.interceptors.deadline import Deadline
from identity_service.rpc.interceptors.error_answer import ErrorAnswer
from identity_service.rpc.interceptors.fault_barrier import FaultBarrier
from identity_service.rpc.interceptors.last_barrier import LastBarrier
from identity_service.rpc.interceptors.one_message import READ_SECONDS, OneMessage
from identity_service.rpc.interceptors.places import Places
from identity_service.rpc.interceptors.request_log import RequestLog
from identity_service.rpc.interceptors.well_formedness import WellFormedness
from identity_service.rpc.validation import RequestValidator


def interceptor_chain(
    *,
    tracer: Tracer,
    authorizer: Authorizer,
    identify_peer: IdentifiesPeers,
    default_deadline: float,
    most_calls: int,
    most_streams: int,
    streams: Collection[str] = (),
    accounts: AccountChoice | None = None,
    meter: Meter | None = None,
    read_seconds: float = READ_SECONDS,
    most_of_one_account: int | None = None,
) -> Sequence[grpc.aio.ServerInterceptor]:
    """Build the chain of the server; `accounts` knows those that requests may name.

    `streams` are the methods that answer with a stream: at most `most_streams` of them are under way, and `most_calls`
    of all others, of these `most_of_one_account` for one account; None sets that no limit of its own. A request has to
    have arrived within `read_seconds`.
    """
    return (
        LastBarrier(),
        ErrorAnswer(),
        RequestLog(tracer, RpcInstruments(meter or NoOpMeter(__name__))),
        FaultBarrier(),
        Deadline(default_deadline, streams),
        Authentication(authorizer, identify_peer),
        Places(most_calls, most_streams, streams),
        OneMessage(read_seconds),
        WellFormedness(RequestValidator(), accounts),
        AccountShare(most_of_one_account, streams),
    )
