"""What is known of an RPC that fails: the application's errors, and of everything else nothing but a trace id."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import structlog

from identity_service.domain.errors import IdentityError, Reason
from identity_service.rpc.call import Call, current_call
from identity_service.rpc.errors import STATUS_CODES
from identity_service.rpc.interceptors.around import AroundInterceptor, Context


class FaultBarrier(AroundInterceptor):
    """Turns every exception into an application's: grpc.aio itself would send the exception's text to the client."""

    @asynccontextmanager
    async def around(self, method: str, context: Context) -> AsyncIterator[None]:
        """Note what the call ends with and raise it; whatever else is raised inside becomes INTERNAL."""
        try:
            yield
        except IdentityError as error:
            raise _noted(error) from None
        except asyncio.CancelledError as error:
            if _is_cancelled_from_outside():
                raise
            # The RPC itself goes on: to let this through would leave the client without an answer for ever.
            raise _noted(_internal(error)) from None
        except Exception as error:  # noqa: BLE001 - this is the barrier
            raise _noted(_internal(error)) from None


def _noted(error: IdentityError) -> IdentityError:
    call = current_call()
    call.reason = error.reason
    call.code = STATUS_CODES[error.reason]
    return _traceable(error, call) if error.reason is Reason.INTERNAL else error


def _traceable(error: IdentityError, call: Call) -> IdentityError:
    """Add the trace id by which a fault is found in the logs; a replayed one may have brought its own."""
    return replace(error, metadata={"trace_id": call.trace_id, **error.metadata})


def _is_cancelled_from_outside() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _internal(error: BaseException) -> IdentityError:
    call: Call = current_call()
    structlog.get_logger().error("fault", method=call.method, trace_id=call.trace_id, exc_info=error)
    return IdentityError(Reason.INTERNAL, "a fault of this service")
