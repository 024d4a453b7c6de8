"""The service's settings, from environment variables `IDENTITY_SERVICE_...`.

No access key is a setting: boto3 finds them by itself, in the machine's role or in the file that
AWS_SHARED_CREDENTIALS_FILE names. Kubernetes sets `IDENTITY_SERVICE_PORT`,
`IDENTITY_SERVICE_SERVICE_HOST` and their like for a Service of that name, so unknown variables are left alone and no
setting is called like one of those.
"""

import ipaddress
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, TypeVar
from urllib.parse import quote, urlsplit

from pydantic import (
    AfterValidator,
    DirectoryPath,
    Field,
    FilePath,
    SecretStr,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from identity_service.accounts_file import AccountsFileError, ListedAccount, read_accounts_file

PREFIX = "IDENTITY_SERVICE_"
MAXIMUM_MESSAGE_BYTES = 64 * 1024
"""The largest request. Not a setting: the contract's own limits stay below it."""

TLS_FILES = ("tls_certificate_file", "tls_private_key_file", "client_ca_file")
"""The settings without which the server does not speak TLS."""

EXAMPLES: Mapping[str, str] = {
    "listen_address": "127.0.0.1:8443",
    "health_address": "0.0.0.0:8444",
    "metrics_listen_address": "127.0.0.1:9464",
    "tls_certificate_file": "/etc/identity-service/tls/tls.crt",
    "tls_private_key_file": "/etc/identity-service/tls/tls.key",
    "client_ca_file": "/etc/identity-service/tls/ca.crt",
    "authorization_dir": "/etc/identity-service/authorization",
    "store_url": "sqlite:////var/lib/identity-service/identity-service.sqlite3",
    "store_password_file": "/etc/identity-service/store/password",
    "aws_accounts_file": "/etc/identity-service/accounts/accounts.yaml",
    "aws_account_id": "123456789012",
    "aws_partition": "aws",
    "aws_region": "eu-central-1",
    "aws_endpoint_url": "http://127.0.0.1:5000",
    "aws_calls_per_second": "100",
    "aws_role_arn": "arn:aws:iam::123456789012:role/identity-service",
    "log_file": "/var/log/identity-service.log",
    "log_level": "INFO",
}
"""What each setting may look like, for messages; numbers show their default."""

POSTGRESQL_EXAMPLE = (
    "postgresql+psycopg://identity@db.example:5432/identity?sslmode=verify-full&sslrootcert=/etc/db/ca.crt"
)
"""What the store's URL may look like where it is one of PostgreSQL."""


class SettingsError(Exception):
    """Settings that cannot be used; the text has one line for each, for the operator, without their values."""


def split_address(address: str) -> tuple[str, int]:
    """Split `HOST:PORT`; an IPv6 host stands in brackets. Raises ValueError."""
    host, separator, port = address.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    if not separator or not bare or not port.isdecimal() or int(port) > 65535 or (":" in bare and bare == host):
        raise ValueError("must be HOST:PORT, with a port of 0 to 65535")
    return bare, int(port)


def is_loopback(address: str) -> bool:
    """Tell whether only this machine can reach an address."""
    host, _ = split_address(address)
    return _is_loopback_host(host)


def _is_loopback_host(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _check_address(address: str) -> str:
    split_address(address)
    return address


def _check_endpoint(url: str) -> str:
    """Refuse what is no plain address of a server: botocore and the check for clear text both read it."""
    problem = "must be http://HOST:PORT or https://HOST:PORT, without a user and without a path"
    if not re.fullmatch(f"https?://{_HOST_AND_PORT}/?", url):
        raise ValueError(problem)
    try:
        # Reading the port checks it, and splitting checks an IPv6 address; their own words repeat the value.
        _ = urlsplit(url).port
    except ValueError:
        raise ValueError(problem) from None
    return url


def _check_store_url(url: SecretStr) -> SecretStr:
    """Refuse a password: variables are shown by `kubectl describe` and inherited by every child."""
    if re.search(r"//[^/@]*:[^/]*@", url.get_secret_value()) or "password=" in url.get_secret_value():
        raise ValueError(f"must not hold a password; put it into the file that {PREFIX}STORE_PASSWORD_FILE names")
    return url


_HOST_AND_PORT = r"([A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\])(:[0-9]{1,5})?"
Address = Annotated[str, AfterValidator(_check_address), WithJsonSchema({"format": "HOST:PORT"})]
Endpoint = Annotated[str, AfterValidator(_check_endpoint), WithJsonSchema({"format": "URL"})]
Seconds = Annotated[float, Field(gt=0, le=3600, json_schema_extra={"unit": "seconds"})]
Days = Annotated[float, Field(gt=0, le=3650, json_schema_extra={"unit": "days"})]
Count = Annotated[int, Field(ge=1, le=10_000)]


class StoreSettings(BaseSettings):
    """Where the store is: all that commands need which do not serve."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="ignore", env_ignore_empty=True, use_attribute_docstrings=True
    )

    store_url: Annotated[SecretStr, AfterValidator(_check_store_url)] = SecretStr("sqlite:///identity-service.sqlite3")
    """The database, without a password: `sqlite:///PATH` or `postgresql+psycopg://USER@HOST/DATABASE`."""
    store_password_file: FilePath | None = None
    """The file that holds the password of the database, if it has one; read at the start."""


class Settings(StoreSettings):
    """What an operator sets. Times are in seconds."""

    listen_address: Address = "127.0.0.1:8443"
    """Where callers reach the RPCs. In a container: every interface, `0.0.0.0:8443`."""
    health_address: Address = "0.0.0.0:8444"
    """Where probes ask gRPC's health service, in plain text: `liveness`, and `readiness` or no name."""
    metrics_listen_address: Address | None = None
    """Where Prometheus scrapes `/metrics`, in plain text and whoever asks; not listened on if it is not set."""
    tls_certificate_file: FilePath | None = None
    """The server's certificate and those that signed it, in PEM. All TLS files are read again when they change."""
    tls_private_key_file: FilePath | None = None
    """The key of that certificate, in PEM, without a password."""
    client_ca_file: FilePath | None = None
    """The authorities that sign clients' certificates, in PEM."""

    authorization_dir: DirectoryPath
    """The folder of `callers.yaml` and the `*.cedar` files; read again when they change."""

    aws_accounts_file: FilePath | None = None
    """The file of the accounts in which users are made, if there are several; read at the start."""
    aws_account_id: Annotated[str | None, Field(pattern="^[0-9]{12}$", validate_default=True)] = None
    """The account in which users are made, if there is one. Credentials of another one stop the start."""
    aws_partition: Literal["", "aws", "aws-cn", "aws-us-gov"] = ""
    """The partition; by default that of the region."""
    aws_region: Annotated[str, Field(pattern="^([a-z]{2}(-[a-z]+)+-[0-9]+)?$")] = ""
    """The region whose STS is asked; by default the one that boto3 finds."""
    aws_endpoint_url: Endpoint | None = None
    """Another address than AWS's own, such as an embedded account's. Over http only on this machine."""
    aws_role_arn: Annotated[str, Field(pattern="^arn:aws(-[a-z]+)*:iam::[0-9]{12}:role/.+$")] | None = None
    """A role to assume with the credentials that boto3 finds; of several accounts the file names each one's."""
    aws_connect_timeout: Seconds = 3
    """How long a connection to AWS may take."""
    aws_read_timeout: Seconds = 7
    """How long an answer of AWS's may take; with the connection at most a third of the lease."""
    aws_retry_budget: Seconds = 20
    """For how long one call is sent again, the wait in line left out."""
    aws_threads: Count = 32
    """How many calls to an account are under way at most."""
    aws_calls_per_second: Count | None = None
    """How many IAM calls a second are sent to an account at most. Without it the service finds out what AWS takes."""
    settle_seconds: Seconds = 15
    """How much later than its signature lasts a call may take effect, and how long IAM may lag."""
    signature_validity_seconds: Seconds = 900
    """For how long AWS carries out a signed call. For tests."""
    lease_seconds: Seconds = 30
    """After how long without a sign of life another replica takes a request over."""
    retry_window_seconds: Seconds = 900
    """For how long a caller may come back for secrets that were lost on the way."""
    retention_days: Days = 30
    """How long requests are remembered after they ended; the audit log is never removed."""
    worker_poll_seconds: Seconds = 1
    """How often a replica looks for work that others have left."""

    maximum_concurrent_rpcs: Count = 200
    """How many RPCs are answered at a time; further ones are refused with OVERLOADED."""
    maximum_mutations: Count = 100
    """How many mutations of callers run at a time."""
    maximum_watchers: Count = 50
    """How many callers may watch operations at a time, beside all other calls; one more is OVERLOADED."""
    bulk_concurrency: Count = 16
    """How many users of operations one replica makes at a time in an account."""
    default_deadline: Seconds = 60
    """The deadline of a call that brings none."""
    drain_seconds: Seconds = 25
    """How long a server that is told to end waits for what has begun."""

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """From which level on is logged."""
    log_file: Path | None = None
    """Where to log instead of standard error."""

    @field_validator("aws_account_id")
    @classmethod
    def _check_one_way(cls, account_id: str | None, info: ValidationInfo) -> str | None:
        """Refuse both ways to name accounts, and none. A file that is wrong itself is missing among what was read."""
        if "aws_accounts_file" not in info.data:
            return account_id
        file = info.data["aws_accounts_file"]
        if account_id is None and file is None:
            raise ValueError(f"must be set, unless {PREFIX}AWS_ACCOUNTS_FILE is")
        if account_id is not None and file is not None:
            raise ValueError(f"must not be set beside {PREFIX}AWS_ACCOUNTS_FILE: the account belongs into the file")
        return account_id


Kind = TypeVar("Kind", bound=StoreSettings)


def load_settings(overrides: Mapping[str, object] | None = None, *, insecure: bool = False) -> Settings:
    """Read the settings; `overrides` win over variables. Raises SettingsError that names everything wrong.

    `insecure` is no setting, so that no variable can switch TLS off.
    """
    settings = _read(Settings, overrides or {})
    problems = _insecure_problems(settings) if insecure else _tls_problems(settings)
    problems += [*_aws_problems(settings), *_file_problems(settings)]
    if problems:
        raise SettingsError("\n".join(problems))
    return settings


def load_store_settings() -> StoreSettings:
    """Read where the store is, and no other setting. Raises SettingsError."""
    return _read(StoreSettings, {})


def _read(kind: type[Kind], overrides: Mapping[str, object]) -> Kind:
    try:
        return kind.model_validate(overrides)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        raise SettingsError("\n".join(_explain_detail(detail) for detail in details)) from None


def _tls_problems(settings: Settings) -> list[str]:
    return [
        explain(name, "must be set; the server speaks TLS and asks every client for a certificate")
        for name in TLS_FILES
        if getattr(settings, name) is None
    ]


def _aws_problems(settings: Settings) -> list[str]:
    """Find what would let a call outlast its lease, or send secrets in the clear to another machine."""
    problems = []
    if settings.aws_connect_timeout + settings.aws_read_timeout > settings.lease_seconds / 3:
        problems.append(explain("lease_seconds", "must be at least three times the connect and read timeouts together"))
    url = urlsplit(settings.aws_endpoint_url or "")
    if url.scheme == "http" and not _is_loopback_host(url.hostname or ""):
        problems.append(explain("aws_endpoint_url", "must be https, since it is not on this machine"))
    return problems


def _file_problems(settings: Settings) -> list[str]:
    """Find what is wrong in the accounts file, or beside it."""
    if settings.aws_accounts_file is None:
        return []
    problems = []
    if settings.aws_role_arn is not None:
        problem = f"must not be set beside {PREFIX}AWS_ACCOUNTS_FILE, which names the role of each account"
        problems.append(explain("aws_role_arn", problem))
    try:
        read_accounts(settings)
    except SettingsError as error:
        problems += str(error).splitlines()
    return problems


def _insecure_problems(settings: Settings) -> list[str]:
    if is_loopback(settings.listen_address):
        return []
    return [explain("listen_address", "must be a loopback address with --insecure")]


def read_accounts(settings: Settings) -> tuple[ListedAccount, ...]:
    """Return the accounts of the accounts file; none without one. Raises SettingsError with all that is wrong in it."""
    if settings.aws_accounts_file is None:
        return ()
    try:
        return read_accounts_file(settings.aws_accounts_file)
    except AccountsFileError as error:
        lines = str(error).splitlines()
        raise SettingsError("\n".join(f"{PREFIX}AWS_ACCOUNTS_FILE: {line}" for line in lines)) from None


def read_store_url(settings: StoreSettings) -> str:
    """Return the store's address with the password out of its file. Raises SettingsError."""
    url, file = settings.store_url.get_secret_value(), settings.store_password_file
    if file is None:
        return url
    try:
        password = file.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError):
        raise SettingsError(explain("store_password_file", f"{file} cannot be read as text")) from None
    scheme, separator, rest = url.partition("://")
    user, at, place = rest.partition("@")
    if not (user and at and password):
        problem = "needs a user in the store's URL" if password else f"{file} is empty"
        raise SettingsError(explain("store_password_file", problem))
    return f"{scheme}{separator}{user}:{quote(password, safe='')}@{place}"


def _explain_detail(detail: ErrorDetails) -> str:
    name = str(detail["loc"][0])
    problem = "must be set" if detail["type"] == "missing" else detail["msg"].removeprefix("Value error, ")
    problem = problem[:1].lower() + problem[1:]
    # Of the store's URL only a password is refused here, which no file has.
    return explain(name, problem, POSTGRESQL_EXAMPLE if name == "store_url" else None)


def explain_store_url(url: str, problem: str) -> str:
    """Say what is wrong with the store's URL, which is not repeated: the example is of its kind of database."""
    return explain("store_url", problem, POSTGRESQL_EXAMPLE if url.startswith("postgres") else None)


def explain(name: str, problem: str, example: str | None = None) -> str:
    """Say what is wrong with a setting: its variable, the problem, an example; by default the usual one."""
    variable = f"{PREFIX}{name.upper()}"
    return f"{variable}: {problem}; for example {variable}={example or example_of(name)}"


def example_of(name: str) -> str:
    """Return what a setting may look like; a number shows its default."""
    return EXAMPLES.get(name) or f"{Settings.model_fields[name].default:g}"
