"""The one place that wires everything: from settings to a server that serves, and back down in the same order."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import grpc
import structlog
from opentelemetry.metrics import Meter
from opentelemetry.sdk.trace import TracerProvider

from identity_service.adapters.authorization import FileAuthorizer, keep_fresh
from identity_service.adapters.aws_iam import (
    AwsAccountSettings,
    AwsSettings,
    AwsSettingsError,
    ConfiguredAccounts,
    ExplicitCredentials,
    build_accounts,
    build_pool,
)
from identity_service.adapters.sealing import AgeSealer
from identity_service.adapters.store import SqlLedger, SqlOperationStore, StoreError, StoreWatch
from identity_service.application.account_choice import AccountChoice
from identity_service.application.attempt import Attempts
from identity_service.application.failures import explain as explain_iam
from identity_service.application.get_account import GetAccount
from identity_service.application.get_user import GetUser
from identity_service.application.listing import Listing
from identity_service.application.mutation import MutationService
from identity_service.application.operations.runner import OperationRunner
from identity_service.application.operations.service import Operations
from identity_service.application.settling import Settling
from identity_service.application.sweep import Sweep, unfinished_elsewhere
from identity_service.application.sweep_accounts import Swept, sweep_accounts
from identity_service.application.work import OwnedWork
from identity_service.application.worker import Worker
from identity_service.domain.errors import IamError, IdentityError
from identity_service.gauges import AuditHeadsAge, BacklogWatch, Gauges
from identity_service.observability.ending import Telemetry
from identity_service.observability.ending import end as end_telemetry
from identity_service.observability.metrics import Metrics
from identity_service.observability.otlp import TelemetrySettingsError
from identity_service.observability.telemetry import OpenTelemetry
from identity_service.observability.tracing import current_trace, open_tracing
from identity_service.readiness import Readiness
from identity_service.rpc.client_certificates import ClientCertificates
from identity_service.rpc.interceptors import interceptor_chain
from identity_service.rpc.interceptors.authentication import IdentifiesPeers, insecure_caller
from identity_service.rpc.mutations import Mutations
from identity_service.rpc.services import STREAMS, Services
from identity_service.server import (
    AddressError,
    BoundAddresses,
    HealthServer,
    bind,
    build_server,
    tls_credentials,
)
from identity_service.settings import (
    Settings,
    SettingsError,
    explain,
    explain_store_url,
    read_accounts,
    read_store_url,
    split_address,
)
from identity_service.start_check import StartCheck
from identity_service.tls_watch import TlsWatch

AWS_EXAMPLES: Mapping[str, str] = {
    "AWS_PROFILE": "default",
    "AWS_CONFIG_FILE": "/etc/aws/config",
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "SECRET",
}
"""The variables of boto3's own that can stop a start."""

SECONDS_OF_A_DAY = 86_400
AUDIT_HEADS_SECONDS = 60.0
TELEMETRY_SECONDS = 3.0
"""How long the end waits for a collector: what is left of the time to stop is for the drain."""
NAME = "identity_service"
"""What spans and metrics say that they were made by."""


@dataclass(frozen=True)
class Watchers:
    """Where spans and metrics go."""

    tracing: TracerProvider
    metrics: Metrics

    @property
    def meter(self) -> Meter:
        """What counts."""
        return self.metrics.provider.get_meter(NAME)


@dataclass(frozen=True)
class Running:
    """The parts of a server that are needed to stop it."""

    server: grpc.aio.Server
    health: HealthServer
    work: OwnedWork
    worker: Worker
    authorizer: FileAuthorizer
    operations: OperationRunner
    addresses: BoundAddresses
    tls: TlsWatch | None
    readiness: Readiness


@asynccontextmanager
async def serve(
    settings: Settings, *, insecure: bool = False, credentials: ExplicitCredentials | None = None
) -> AsyncIterator[BoundAddresses]:
    """Serve while the block lasts, and drain at its end. gRPC is not fork-safe: do not fork inside.

    `credentials` are for an account that was started together with the server; others are boto3's to find.
    """
    async with AsyncExitStack() as stack:
        watchers, accounts, ledger = await _open(settings, credentials, stack)
        check = StartCheck(accounts.ids, accounts.verify, _accounts_setting(settings))
        stack.push_async_callback(check.close)
        running = _build(settings, insecure, accounts, ledger, watchers)
        await check.wait(running.health.set_draining)
        # Also what is cut off halfway through its start is stopped in order.
        stack.push_async_callback(_drain, running, settings.drain_seconds)
        await _start(running)
        async with _looping(_loops(settings, running, ledger, watchers)):
            yield running.addresses


def _loops(
    settings: Settings, running: Running, ledger: SqlLedger, watchers: Watchers
) -> Sequence[Coroutine[Any, Any, None]]:
    backlog, heads = BacklogWatch(ledger), AuditHeadsAge()
    gauges = Gauges(watchers.meter)
    gauges.watch_readiness(running.readiness)
    gauges.watch_backlog(backlog)
    gauges.watch_files(running.authorizer, running.tls)
    gauges.watch_audit(heads)
    loops = [
        running.worker.run(settings.worker_poll_seconds),
        running.operations.run(settings.worker_poll_seconds),
        running.readiness.run(),
        keep_fresh(running.authorizer),
        log_audit_heads(ledger, AUDIT_HEADS_SECONDS, heads.logged),
    ]
    if watchers.metrics.is_read:
        loops.append(backlog.run())
    if running.tls:
        loops.append(running.tls.run())
    return loops


async def sweep(settings: Settings, account_ids: Collection[str] = (), *, end_abandoned: bool = False) -> Swept:
    """Return what accounts have and the store does not vouch for; without `account_ids`, of all that are configured.

    Raises IdentityError.
    """
    async with AsyncExitStack() as stack:
        _, accounts, ledger = await _open(settings.model_copy(update={"metrics_listen_address": None}), None, stack)
        sweeps = {
            each: Sweep(accounts.get(each), ledger, lambda: datetime.now(UTC), one_of_several=len(accounts.ids) > 1)
            for each in account_ids or accounts.ids
        }
        swept = await sweep_accounts(sweeps, partial(_verify, settings, accounts), end_abandoned=end_abandoned)
        if not account_ids:
            swept.findings += await unfinished_elsewhere(ledger, accounts.ids)
        return swept


async def _verify(settings: Settings, accounts: ConfiguredAccounts, account_id: str) -> None:
    try:
        await accounts.verify(account_id)
    except IamError as error:
        raise explain_iam(error) from None
    except IdentityError as error:
        raise SettingsError(explain(_accounts_setting(settings), error.message)) from None


async def _open(
    settings: Settings, credentials: ExplicitCredentials | None, stack: AsyncExitStack
) -> tuple[Watchers, ConfiguredAccounts, SqlLedger]:
    """Open what leads outside: traces and metrics, AWS, the store; the stack closes them."""
    watchers = _watchers(settings, stack)
    # On a thread: without credentials, boto3 asks the machine for a role and waits for the answer.
    accounts = await asyncio.to_thread(_accounts, settings, credentials, watchers)
    stack.push_async_callback(asyncio.to_thread, accounts.close)
    return watchers, accounts, await _open_ledger(settings, watchers, stack)


def _watchers(settings: Settings, stack: AsyncExitStack) -> Watchers:
    address = settings.metrics_listen_address
    opened: list[Telemetry] = []
    stack.push_async_callback(asyncio.to_thread, end_telemetry, opened, TELEMETRY_SECONDS)
    try:
        tracing = open_tracing(os.environ)
        opened.append(tracing)
        metrics = Metrics(os.environ, split_address(address) if address else None)
    except TelemetrySettingsError as error:
        raise SettingsError(str(error)) from None
    except OSError:
        raise AddressError(f"cannot listen on {address}: is something else listening there?") from None
    opened.append(metrics)
    return Watchers(tracing, metrics)


async def _open_ledger(settings: Settings, watchers: Watchers, stack: AsyncExitStack) -> SqlLedger:
    url = read_store_url(settings)
    try:
        ledger = SqlLedger(
            url,
            lease_seconds=settings.lease_seconds,
            settle_seconds=settings.settle_seconds,
            signature_validity_seconds=settings.signature_validity_seconds,
            retry_window_seconds=settings.retry_window_seconds,
            retention_seconds=settings.retention_days * SECONDS_OF_A_DAY,
            trace_id=_trace_id,
            watch=StoreWatch(watchers.tracing.get_tracer(NAME), watchers.meter),
        )
        stack.push_async_callback(ledger.close)
        await ledger.open()
    except StoreError as error:
        raise SettingsError(explain_store_url(url, str(error))) from None
    except IdentityError as error:
        raise SettingsError(explain_store_url(url, error.message)) from None
    return ledger


def _accounts(settings: Settings, credentials: ExplicitCredentials | None, watchers: Watchers) -> ConfiguredAccounts:
    aws = AwsSettings(
        accounts=_listed_accounts(settings) if settings.aws_accounts_file else (_only_account(settings, credentials),),
        threads=settings.aws_threads,
        connect_timeout=settings.aws_connect_timeout,
        read_timeout=settings.aws_read_timeout,
        retry_budget=settings.aws_retry_budget,
        calls_per_second=settings.aws_calls_per_second,
    )
    try:
        return build_accounts(aws, build_pool(aws), tracer_provider=watchers.tracing, meter=watchers.meter)
    except AwsSettingsError as error:
        raise SettingsError(_explain_aws(settings, error)) from None


def _only_account(settings: Settings, credentials: ExplicitCredentials | None) -> AwsAccountSettings:
    return AwsAccountSettings(
        account_id=settings.aws_account_id or "",
        partition=settings.aws_partition,
        region=settings.aws_region,
        endpoint_url=settings.aws_endpoint_url,
        role_arn=settings.aws_role_arn,
        credentials=credentials,
    )


def _listed_accounts(settings: Settings) -> tuple[AwsAccountSettings, ...]:
    """Return the accounts of the file; what one does not say itself, the settings say for all."""
    return tuple(
        AwsAccountSettings(
            account_id=account.id,
            partition=account.partition or account.role_partition or settings.aws_partition,
            region=account.region or settings.aws_region,
            endpoint_url=settings.aws_endpoint_url,
            role_arn=account.role_arn,
            external_id=account.external_id,
            calls_per_second=account.calls_per_second,
        )
        for account in read_accounts(settings)
    )


def _accounts_setting(settings: Settings) -> str:
    """Name the setting that says which accounts there are."""
    return "aws_account_id" if settings.aws_accounts_file is None else "aws_accounts_file"


def _explain_aws(settings: Settings, error: AwsSettingsError) -> str:
    """Name the variable: one of this service's, or in capitals one of boto3's own."""
    if error.setting in AWS_EXAMPLES:
        return f"{error.setting}: {error}; for example {error.setting}={AWS_EXAMPLES[error.setting]}"
    if settings.aws_accounts_file is not None:
        return explain("aws_accounts_file", f"account {error.account_id}: {error}")
    return explain(f"aws_{error.setting}", str(error))


def _build(
    settings: Settings, insecure: bool, accounts: ConfiguredAccounts, ledger: SqlLedger, watchers: Watchers
) -> Running:
    authorizer = FileAuthorizer(settings.authorization_dir)
    tls = None if insecure else TlsWatch(settings)
    # What operations carry out takes no room from callers. Of several accounts, no one may take all that there is.
    several = len(accounts.ids) > 1
    work = OwnedWork(
        settings.maximum_mutations + settings.bulk_concurrency * len(accounts.ids),
        _share(settings.maximum_mutations) if several else None,
    )
    settling = Settling(settings.settle_seconds, timedelta(seconds=settings.signature_validity_seconds))
    sealer = AgeSealer()
    telemetry = OpenTelemetry(watchers.tracing.get_tracer(NAME), watchers.meter)
    attempts = Attempts(ledger, sealer, settling, work.is_stopping, telemetry)
    mutations = MutationService(accounts=accounts, authorizer=authorizer, attempts=attempts)
    worker = Worker(accounts=accounts, ledger=ledger, attempts=attempts, settling=settling, work=work)
    operation_store = SqlOperationStore(ledger.units, settings.retention_days * SECONDS_OF_A_DAY)
    runner = OperationRunner(
        store=operation_store,
        ledger=ledger,
        mutations=mutations,
        accounts=accounts,
        authorizer=authorizer,
        work=work,
        concurrency=settings.bulk_concurrency,
        account_ids=accounts.ids,
        lease_seconds=settings.lease_seconds,
        telemetry=telemetry,
    )
    operations = Operations(
        store=operation_store,
        ledger=ledger,
        accounts=accounts,
        authorizer=authorizer,
        sealer=sealer,
        traffic=accounts,
        is_draining=work.is_draining,
        telemetry=telemetry,
    )
    services = Services(
        mutations=Mutations(mutations, work),
        get_user=GetUser(accounts=accounts, authorizer=authorizer),
        get_account=GetAccount(accounts=accounts, authorizer=authorizer),
        listing=Listing(accounts=accounts, authorizer=authorizer),
        operations=operations,
    )
    interceptors = interceptor_chain(
        tracer=watchers.tracing.get_tracer(NAME),
        meter=watchers.meter,
        authorizer=authorizer,
        identify_peer=_identify_peers(tls, authorizer),
        default_deadline=settings.default_deadline,
        most_calls=settings.maximum_concurrent_rpcs,
        most_streams=settings.maximum_watchers,
        streams=STREAMS,
        accounts=AccountChoice(accounts.ids, authorizer),
        most_of_one_account=_share(settings.maximum_concurrent_rpcs) if several else None,
    )
    server = build_server(services, interceptors, settings.maximum_concurrent_rpcs + settings.maximum_watchers)
    address = bind(server, settings.listen_address, tls_credentials(tls.current) if tls else None)
    health = HealthServer(settings.health_address)
    readiness = Readiness(
        ping=ledger.ping,
        policies_decide=authorizer.decides,
        certificate_expires=(lambda: tls.current().not_after) if tls else None,
        tell=health.set_ready,
    )
    addresses = BoundAddresses(address, health.address, watchers.metrics.address)
    return Running(server, health, work, worker, authorizer, runner, addresses, tls, readiness)


def _share(places: int) -> int:
    """Tell how many places one of several accounts may take: a quarter is left to the others."""
    return max(places - places // 4, 1)


def _identify_peers(tls: TlsWatch | None, authorizer: FileAuthorizer) -> IdentifiesPeers:
    if tls is None:
        return insecure_caller
    return ClientCertificates(lambda: tls.current().authorities, authorizer.trust_domains)


async def _start(running: Running) -> None:
    await running.health.start()
    await running.server.start()
    await running.readiness.look()


@asynccontextmanager
async def _looping(loops: Sequence[Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Run loops while the block lasts; what the worker has begun by then is drained with the rest."""
    tasks = [asyncio.create_task(loop) for loop in loops]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task


async def log_audit_heads(ledger: SqlLedger, seconds: float, logged: Callable[[], None] = lambda: None) -> None:
    """Log the heads of the audit log's chains every so many seconds, until cancelled; the last ones at the close.

    `logged` is told each time that they were.
    """
    while True:
        await asyncio.sleep(seconds)
        # A log that cannot be written now may be written later.
        with suppress(OSError):
            ledger.log_audit_heads()
            logged()


def _trace_id() -> str:
    trace = current_trace()
    return trace[0] if trace else ""


async def _drain(running: Running, seconds: float) -> None:
    """Say that no more is taken, let the calls end, then the work that nobody waits for."""
    log = structlog.get_logger()
    log.info("draining", mutations=running.work.running)
    await running.health.set_draining()
    _, cut_off = await asyncio.gather(running.server.stop(seconds), running.work.drain(seconds))
    await running.health.stop()
    log.info("drained", mutations_cut_off=cut_off)
