"""The one place that wires everything: from settings to a server that serves, and back down in the same order."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import grpc
import structlog
from opentelemetry.sdk.trace import TracerProvider

from identity_service.adapters.authorization import FileAuthorizer
from identity_service.adapters.aws_iam import (
    AwsAccountSettings,
    AwsSettings,
    AwsSettingsError,
    ConfiguredAccounts,
    ExplicitCredentials,
    build_accounts,
    build_pool,
)
from identity_service.adapters.store import SqlLedger, StoreError
from identity_service.application.get_account import GetAccount
from identity_service.application.get_user import GetUser
from identity_service.application.listing import Listing
from identity_service.application.mutation import MutationService, interrupted
from identity_service.application.ports import Failure
from identity_service.application.undoing import Settling
from identity_service.application.work import OwnedWork
from identity_service.domain.errors import IdentityError
from identity_service.observability.tracing import TracingSettingsError, open_tracing
from identity_service.rpc.interceptors import interceptor_chain
from identity_service.rpc.interceptors.authentication import insecure_caller, spiffe_id
from identity_service.rpc.mutations import Mutations
from identity_service.rpc.services import RPC_NAMES, Services
from identity_service.server import BoundAddresses, HealthServer, bind, build_server, tls_credentials
from identity_service.settings import Settings, SettingsError, explain
from identity_service.start_check import StartCheck
from identity_service.tls import read_tls_files

AWS_EXAMPLES: Mapping[str, str] = {
    "AWS_PROFILE": "default",
    "AWS_CONFIG_FILE": "/etc/aws/config",
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "SECRET",
}
"""The variables of boto3's own that can stop a start."""


@dataclass(frozen=True)
class Running:
    """The parts of a server that are needed to stop it."""

    server: grpc.aio.Server
    health: HealthServer
    work: OwnedWork
    addresses: BoundAddresses


@asynccontextmanager
async def serve(
    settings: Settings, *, insecure: bool = False, credentials: ExplicitCredentials | None = None
) -> AsyncIterator[BoundAddresses]:
    """Serve while the block lasts, and drain at its end. gRPC is not fork-safe: do not fork inside.

    `credentials` are for an account that was started together with the server; others are boto3's to find.
    """
    async with AsyncExitStack() as stack:
        tracing = _tracing()
        stack.push_async_callback(asyncio.to_thread, tracing.shutdown)
        # On a thread: without credentials, boto3 asks the machine for a role and waits for the answer.
        accounts = await asyncio.to_thread(_accounts, settings, credentials, tracing)
        stack.push_async_callback(asyncio.to_thread, accounts.close)
        ledger = await _open_ledger(settings, stack)
        check = StartCheck(accounts.verify)
        stack.push_async_callback(check.close)
        running = _build(settings, insecure, accounts, ledger, tracing)
        await check.wait(running.health.set_draining)
        # Also what is cut off halfway through its start is stopped in order.
        stack.push_async_callback(_drain, running, settings.drain_seconds)
        await _start(running)
        yield running.addresses


def _tracing() -> TracerProvider:
    try:
        return open_tracing(os.environ)
    except TracingSettingsError as error:
        raise SettingsError(str(error)) from None


async def _open_ledger(settings: Settings, stack: AsyncExitStack) -> SqlLedger:
    try:
        ledger = SqlLedger(settings.store_url.get_secret_value(), lease_seconds=settings.lease_seconds)
        stack.push_async_callback(ledger.close)
        await ledger.open()
        await _end_interrupted(ledger)
    except StoreError as error:
        raise SettingsError(explain("store_url", str(error))) from None
    except IdentityError as error:
        raise SettingsError(explain("store_url", error.message)) from None
    return ledger


async def _end_interrupted(ledger: SqlLedger) -> None:
    """Tell those who ask for what an earlier process left unfinished that it was cut off."""
    count = await ledger.end_unfinished(Failure(interrupted(), retryable=False))
    if count:
        structlog.get_logger().warning("requests of an earlier process were cut off", requests=count)


def _accounts(
    settings: Settings, credentials: ExplicitCredentials | None, tracing: TracerProvider
) -> ConfiguredAccounts:
    account = AwsAccountSettings(
        account_id=settings.aws_account_id,
        partition=settings.aws_partition,
        region=settings.aws_region,
        endpoint_url=settings.aws_endpoint_url,
        role_arn=settings.aws_role_arn,
        credentials=credentials,
    )
    aws = AwsSettings(
        accounts=(account,),
        threads=settings.aws_threads,
        connect_timeout=settings.aws_connect_timeout,
        read_timeout=settings.aws_read_timeout,
        retry_budget=settings.aws_retry_budget,
    )
    try:
        return build_accounts(aws, build_pool(aws), tracer_provider=tracing)
    except AwsSettingsError as error:
        raise SettingsError(_explain_aws(error)) from None


def _explain_aws(error: AwsSettingsError) -> str:
    """Name the variable: one of this service's, or in capitals one of boto3's own."""
    if error.setting in AWS_EXAMPLES:
        return f"{error.setting}: {error}; for example {error.setting}={AWS_EXAMPLES[error.setting]}"
    return explain(f"aws_{error.setting}", str(error))


def _build(
    settings: Settings, insecure: bool, accounts: ConfiguredAccounts, ledger: SqlLedger, tracing: TracerProvider
) -> Running:
    authorizer = FileAuthorizer.from_file(settings.authorization_file, RPC_NAMES)
    work = OwnedWork(settings.maximum_mutations)
    services = Services(
        mutations=Mutations(_mutations(settings, accounts, authorizer, ledger, work), work),
        get_user=GetUser(accounts=accounts, authorizer=authorizer),
        get_account=GetAccount(accounts=accounts, authorizer=authorizer),
        listing=Listing(accounts=accounts, authorizer=authorizer),
    )
    interceptors = interceptor_chain(
        tracer=tracing.get_tracer("identity_service"),
        authorizer=authorizer,
        identify_peer=insecure_caller if insecure else spiffe_id,
        default_deadline=settings.default_deadline,
        only_account_id=settings.aws_account_id,
    )
    server = build_server(services, interceptors, settings.maximum_concurrent_rpcs)
    address = bind(server, settings.listen_address, None if insecure else _tls(settings))
    health = HealthServer(settings.health_address)
    return Running(server, health, work, BoundAddresses(address, health.address))


def _mutations(
    settings: Settings,
    accounts: ConfiguredAccounts,
    authorizer: FileAuthorizer,
    ledger: SqlLedger,
    work: OwnedWork,
) -> MutationService:
    return MutationService(
        accounts=accounts,
        authorizer=authorizer,
        ledger=ledger,
        settling=Settling(settings.settle_seconds),
        is_stopping=work.is_stopping,
    )


def _tls(settings: Settings) -> grpc.ServerCredentials:
    files = read_tls_files(settings)
    return tls_credentials(files.certificate, files.private_key, files.client_ca)


async def _start(running: Running) -> None:
    await running.health.start()
    await running.server.start()
    await running.health.set_serving()


async def _drain(running: Running, seconds: float) -> None:
    """Say that no more is taken, let the calls end, then the work that nobody waits for."""
    log = structlog.get_logger()
    log.info("draining", mutations=running.work.running)
    await running.health.set_draining()
    _, cut_off = await asyncio.gather(running.server.stop(seconds), running.work.drain(seconds))
    await running.health.stop()
    log.info("drained", mutations_cut_off=cut_off)
