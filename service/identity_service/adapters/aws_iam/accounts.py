"""The configured accounts: built once at bootstrap, closed at shutdown."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from botocore.client import BaseClient
from botocore.exceptions import BotoCoreError, PartialCredentialsError, ProfileNotFound
from opentelemetry import trace
from opentelemetry.metrics import Meter, NoOpMeter

from identity_service.adapters.aws_iam.account import BotoIamAccount
from identity_service.adapters.aws_iam.aws_policies import AwsPolicyIndex
from identity_service.adapters.aws_iam.calls import AwsCalls
from identity_service.adapters.aws_iam.clients import AccountClients, build_loader
from identity_service.adapters.aws_iam.fence import fence
from identity_service.adapters.aws_iam.meter import CallMeter
from identity_service.adapters.aws_iam.pace_gauges import watch_pace
from identity_service.adapters.aws_iam.pacing import Pacer
from identity_service.adapters.aws_iam.recent_entities import RecentEntities
from identity_service.adapters.aws_iam.retry import Clock, Retrier
from identity_service.adapters.aws_iam.send_rate import SendRate
from identity_service.adapters.aws_iam.settings import AwsAccountSettings, AwsSettings, AwsSettingsError
from identity_service.application.operations.ports import Traffic
from identity_service.domain.errors import IdentityError, Reason
from identity_service.observability.instruments import AwsInstruments


@dataclass(frozen=True)
class _Connection:
    """An account with what it needs to be verified and closed."""

    account: BotoIamAccount
    sts: AwsCalls
    clients: tuple[BaseClient, ...]
    meter: CallMeter


class ConfiguredAccounts:
    """Fulfils `Accounts`; owns the clients and the pool."""

    def __init__(self, connections: Mapping[str, _Connection], pool: ThreadPoolExecutor) -> None:
        self._connections = connections
        self._pool = pool

    def get(self, account_id: str) -> BotoIamAccount:
        """Return an account; "" means the only one.

        Raises IdentityError ACCOUNT_NOT_FOUND if it is not configured, or if "" could mean several.
        """
        if account_id in self._connections:
            return self._connections[account_id].account
        if account_id:
            raise IdentityError(
                Reason.ACCOUNT_NOT_FOUND, "this account is not configured", metadata={"account_id": account_id}
            )
        if len(self._connections) != 1:
            raise IdentityError(Reason.ACCOUNT_NOT_FOUND, "name the account: there is not exactly one")
        return next(iter(self._connections.values())).account

    def traffic(self, account_id: str) -> Traffic:
        """Tell how many calls a configured account got from this process lately."""
        return self._connections[account_id].meter.traffic()

    @property
    def ids(self) -> tuple[str, ...]:
        """The configured accounts, in their order."""
        return tuple(self._connections)

    async def verify(self, account_id: str = "") -> None:
        """Ask STS whether an account's credentials work and belong to it; "" means the only one.

        Raises IamError if STS refuses, and IdentityError AWS_CREDENTIALS_REFUSED for another account's credentials,
        ACCOUNT_NOT_FOUND as `get`.
        """
        configured = self.get(account_id).account_id
        reply = await self._connections[configured].sts.call("GetCallerIdentity")
        if reply.value["Account"] != configured:
            raise IdentityError(
                Reason.AWS_CREDENTIALS_REFUSED,
                "the credentials belong to another account than the configured one",
                metadata={"account_id": configured},
            )

    def close(self) -> None:
        """Let the calls that are under way end, refuse new ones, close the connections."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        for connection in self._connections.values():
            for client in connection.clients:
                client.close()


def build_pool(settings: AwsSettings) -> ThreadPoolExecutor:
    """Build the threads that send; asyncio's own pool is too small to wait for AWS in.

    There are so many for each account, and no account's line lets more calls pass: one that does not answer cannot hold
    the threads of another. A thread is started when it is needed.
    """
    most = settings.threads * max(len(settings.accounts), 1)
    return ThreadPoolExecutor(max_workers=most, thread_name_prefix="aws-iam")


def build_accounts(
    settings: AwsSettings,
    pool: ThreadPoolExecutor,
    *,
    clock: Clock | None = None,
    tracer_provider: trace.TracerProvider | None = None,
    meter: Meter | None = None,
) -> ConfiguredAccounts:
    """Build all accounts' clients, which takes a moment; sends nothing.

    Raises AwsSettingsError for settings that contradict each other or that boto3 refuses. `tracer_provider`
    is the process's own by default, `meter` counts nothing.
    """
    meter = meter or NoOpMeter(__name__)
    tracer = trace.get_tracer(__name__, tracer_provider=tracer_provider)
    builder = _Builder(settings, pool, clock or Clock(), tracer, meter)
    connections: dict[str, _Connection] = {}
    for account in settings.accounts:
        if account.account_id in connections:
            raise AwsSettingsError("account_id", f"account {account.account_id} is configured twice")
        try:
            connections[account.account_id] = builder.connect(account)
        except AwsSettingsError as error:
            error.account_id = account.account_id
            raise
        except BotoCoreError as failure:
            raise _refused_by_boto3(failure) from None
    watch_pace(meter, builder.pacers)
    return ConfiguredAccounts(connections, pool)


def _refused_by_boto3(failure: BotoCoreError) -> AwsSettingsError:
    """Name the variable of boto3's own; of the failure only its name, because its text may quote a setting."""
    if isinstance(failure, PartialCredentialsError):
        return AwsSettingsError(str(failure.kwargs["cred_var"]).upper(), "is missing, the rest of the key is there")
    if isinstance(failure, ProfileNotFound):
        return AwsSettingsError("AWS_PROFILE", "boto3 finds no such profile")
    return AwsSettingsError("AWS_CONFIG_FILE", f"boto3 cannot use this file or its profile ({type(failure).__name__})")


class _Builder:
    """Builds accounts that share pool, clock, tracer, and what is the same in a whole partition."""

    def __init__(
        self, settings: AwsSettings, pool: ThreadPoolExecutor, clock: Clock, tracer: trace.Tracer, meter: Meter
    ) -> None:
        self._settings = settings
        self._pool = pool
        self._clock = clock
        self._tracer = tracer
        self._instruments = AwsInstruments(meter)
        self.pacers: dict[str, Pacer] = {}
        self._aws_policies: dict[str, AwsPolicyIndex] = {}
        self._loader = build_loader()

    def connect(self, account: AwsAccountSettings) -> _Connection:
        clients = AccountClients(account, self._settings, self._loader)
        iam, sts = clients.iam(), clients.sts()
        fence(iam, self._settings.connect_timeout + self._settings.read_timeout)
        partition = clients.place.partition
        aws_policies = self._aws_policies.setdefault(partition, AwsPolicyIndex(self._clock.now))
        recent = RecentEntities(self._settings.new_entity_window, self._clock.now)
        retrier = Retrier(self._settings.retry_budget, self._settings.max_attempts, recent, self._clock)
        meter = CallMeter()
        self.pacers[account.account_id] = pacer = self._pacer(account)
        calls = AwsCalls("IAM", iam, self._pool, retrier, pacer, self._tracer, meter, self._instruments)
        return _Connection(
            BotoIamAccount(account.account_id, partition, calls, recent, aws_policies),
            # STS counts its calls apart from IAM's.
            AwsCalls(
                "STS", sts, self._pool, retrier, self._pacer(account), self._tracer, instruments=self._instruments
            ),
            (iam, sts),
            meter,
        )

    def _pacer(self, account: AwsAccountSettings) -> Pacer:
        rate = SendRate(self._clock.now, account.calls_per_second or self._settings.calls_per_second)
        return Pacer(self._clock, rate, self._settings.threads)
