"""The services of the contract, together."""

from dataclasses import dataclass

import grpc

from identity_provisioning.v1 import (
    account_service_pb2,
    credential_service_pb2,
    operation_service_pb2,
    permission_service_pb2,
    user_service_pb2,
)
from identity_provisioning.v1.account_service_pb2_grpc import add_AccountServiceServicer_to_server
from identity_provisioning.v1.credential_service_pb2_grpc import add_CredentialServiceServicer_to_server
from identity_provisioning.v1.operation_service_pb2_grpc import add_OperationServiceServicer_to_server
from identity_provisioning.v1.permission_service_pb2_grpc import add_PermissionServiceServicer_to_server
from identity_provisioning.v1.user_service_pb2_grpc import add_UserServiceServicer_to_server
from identity_service.rpc.account_service import AccountService, ReadsAccounts
from identity_service.rpc.credential_service import CredentialService
from identity_service.rpc.listings import Lists
from identity_service.rpc.mutations import Mutations
from identity_service.rpc.operation_service import CarriesOutOperations, OperationService
from identity_service.rpc.permission_service import PermissionService
from identity_service.rpc.user_service import ReadsUsers, UserService

FILES = (
    account_service_pb2,
    credential_service_pb2,
    operation_service_pb2,
    permission_service_pb2,
    user_service_pb2,
)
SERVICE_NAMES = tuple(service.full_name for file in FILES for service in file.DESCRIPTOR.services_by_name.values())

RPC_NAMES = frozenset(
    method.name for file in FILES for service in file.DESCRIPTOR.services_by_name.values() for method in service.methods
)
"""The names of all RPCs, which authorization knows as actions."""

STREAMS = frozenset(
    f"/{service.full_name}/{method.name}"
    for file in FILES
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
    if method.server_streaming
)
"""The RPCs that answer with a stream."""


@dataclass(frozen=True)
class Services:
    """What the services need of the application."""

    mutations: Mutations
    get_user: ReadsUsers
    get_account: ReadsAccounts
    listing: Lists
    operations: CarriesOutOperations

    def add_to(self, server: grpc.aio.Server) -> None:
        """Register every service of the contract."""
        add_AccountServiceServicer_to_server(AccountService(self.get_account), server)
        add_CredentialServiceServicer_to_server(CredentialService(self.mutations, self.listing), server)
        add_OperationServiceServicer_to_server(OperationService(self.operations), server)
        add_PermissionServiceServicer_to_server(PermissionService(self.mutations, self.listing), server)
        add_UserServiceServicer_to_server(UserService(self.mutations, self.get_user, self.listing), server)
