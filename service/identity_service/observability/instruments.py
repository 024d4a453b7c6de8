"""What is counted of RPCs, of calls to AWS and of the store, by the names of OpenTelemetry's conventions.

Spans of calls bear the same names.
"""

from opentelemetry.metrics import Meter
from opentelemetry.util.types import AttributeValue

CALL_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 30.0, 60.0)
"""The conventions' own bounds, and two more: an RPC may wait for a throttled IAM."""
STORE_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
STATUS_CODE = "rpc.response.status_code"


def rpc_attributes(method: str) -> dict[str, AttributeValue]:
    """Name an RPC of this service by its whole name, `package.Service/Method`."""
    return {"rpc.system.name": "grpc", "rpc.method": method}


def aws_attributes(service: str, operation: str) -> dict[str, AttributeValue]:
    """Name a call to AWS, such as `IAM/CreateUser`."""
    return {"rpc.system.name": "aws-api", "rpc.method": f"{service}/{operation}"}


class RpcInstruments:
    """RPCs that were answered."""

    def __init__(self, meter: Meter) -> None:
        self._duration = meter.create_histogram(
            "rpc.server.call.duration",
            "s",
            "How long RPCs took; error_type is the reason of the contract.",
            explicit_bucket_boundaries_advisory=CALL_SECONDS,
        )

    def ended(self, method: str, status_code: str, reason: str, seconds: float) -> None:
        """Count an RPC; `reason` is empty if it did what was asked."""
        self._duration.record(seconds, _with_error({**rpc_attributes(method), STATUS_CODE: status_code}, reason))


class AwsInstruments:
    """Calls to AWS, each attempt for itself."""

    def __init__(self, meter: Meter) -> None:
        self._duration = meter.create_histogram(
            "rpc.client.call.duration",
            "s",
            "How long calls to AWS took, the wait in line left out; error_type is the kind of the failure.",
            explicit_bucket_boundaries_advisory=CALL_SECONDS,
        )
        self._wait = meter.create_histogram(
            "identity_service.aws.wait.duration",
            "s",
            "How long calls stood in line before they were sent.",
            explicit_bucket_boundaries_advisory=CALL_SECONDS,
        )

    def waited(self, seconds: float) -> None:
        """Count a call that had its turn."""
        self._wait.record(seconds)

    def ended(self, service: str, operation: str, error: str, seconds: float) -> None:
        """Count a call; `error` is empty if AWS did what was asked."""
        self._duration.record(seconds, _with_error(aws_attributes(service, operation), error))


class StoreInstruments:
    """Units of work of the store."""

    def __init__(self, meter: Meter) -> None:
        self._duration = meter.create_histogram(
            "db.client.operation.duration",
            "s",
            "How long units of work of the store took; with an error_type, the store could not be used.",
            explicit_bucket_boundaries_advisory=STORE_SECONDS,
        )

    def ended(self, system: str, operation: str, error: str, seconds: float) -> None:
        """Count a unit of work; `error` is empty if the store could be used."""
        attributes: dict[str, AttributeValue] = {"db.system.name": system, "db.operation.name": operation}
        self._duration.record(seconds, _with_error(attributes, error))


def _with_error(attributes: dict[str, AttributeValue], error: str) -> dict[str, AttributeValue]:
    return {**attributes, "error.type": error} if error else attributes
