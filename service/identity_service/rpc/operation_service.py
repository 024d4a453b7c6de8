"""OperationService."""

from identity_provisioning.v1.operation_service_pb2_grpc import OperationServiceServicer
from identity_service.rpc.not_built import not_built, not_built_stream


class OperationService(OperationServiceServicer):
    """Many users at once."""

    CreateOperation = not_built
    AppendUsers = not_built
    StartOperation = not_built
    GetOperation = not_built
    ListOperations = not_built
    WatchOperation = not_built_stream
    ListOperationResults = not_built
    CancelOperation = not_built
