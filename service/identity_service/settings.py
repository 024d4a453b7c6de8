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
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, DirectoryPath, Field, FilePath, SecretStr, ValidationError, WithJsonSchema
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "IDENTITY_SERVICE_"
MAXIMUM_MESSAGE_BYTES = 64 * 1024
"""The largest request. Not a setting: the contract's own limits stay below it."""

TLS_FILES = ("tls_certificate_file", "tls_private_key_file", "client_ca_file")
"""The settings without which the server does not speak TLS."""

EXAMPLES: Mapping[str, str] = {
    "listen_address": "127.0.0.1:8443",
    "health_address": "0.0.0.0:8444",
    "tls_certificate_file": "/etc/identity-service/tls/tls.crt",
    "tls_private_key_file": "/etc/identity-service/tls/tls.key",
    "client_ca_file": "/etc/identity-service/tls/ca.crt",
    "authorization_dir": "/etc/identity-service/authorization",
    "store_url": "sqlite:////var/lib/identity-service/identity-service.sqlite3",
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


_HOST_AND_PORT = r"([A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\])(:[0-9]{1,5})?"
Address = Annotated[str, AfterValidator(_check_address), WithJsonSchema({"format": "HOST:PORT"})]
Endpoint = Annotated[str, AfterValidator(_check_endpoint), WithJsonSchema({"format": "URL"})]
Seconds = Annotated[float, Field(gt=0, le=3600)]
Count = Annotated[int, Field(ge=1, le=10_000)]


class Settings(BaseSettings):
    """What an operator sets. Times are in seconds."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore", env_ignore_empty=True)

    listen_address: Address = "127.0.0.1:8443"
    health_address: Address = "0.0.0.0:8444"
    tls_certificate_file: FilePath | None = None
    tls_private_key_file: FilePath | None = None
    client_ca_file: FilePath | None = None

    authorization_dir: DirectoryPath
    store_url: SecretStr = SecretStr("sqlite:///identity-service.sqlite3")

    aws_account_id: Annotated[str, Field(pattern="^[0-9]{12}$")]
    aws_partition: Literal["", "aws", "aws-cn", "aws-us-gov"] = ""
    aws_region: Annotated[str, Field(pattern="^([a-z]{2}(-[a-z]+)+-[0-9]+)?$")] = ""
    aws_endpoint_url: Endpoint | None = None
    aws_role_arn: Annotated[str, Field(pattern="^arn:aws(-[a-z]+)*:iam::[0-9]{12}:role/.+$")] | None = None
    aws_connect_timeout: Seconds = 3
    aws_read_timeout: Seconds = 7
    aws_retry_budget: Seconds = 20
    aws_threads: Count = 32
    aws_calls_per_second: Count | None = None
    settle_seconds: Seconds = 15
    signature_validity_seconds: Seconds = 900
    lease_seconds: Seconds = 30
    retry_window_seconds: Seconds = 900
    retention_days: Annotated[float, Field(gt=0, le=3650)] = 30
    worker_poll_seconds: Seconds = 1

    maximum_concurrent_rpcs: Count = 200
    maximum_mutations: Count = 100
    maximum_watchers: Count = 50
    bulk_concurrency: Count = 16
    default_deadline: Seconds = 60
    drain_seconds: Seconds = 25

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_file: Path | None = None


def load_settings(overrides: Mapping[str, object] | None = None, *, insecure: bool = False) -> Settings:
    """Read the settings; `overrides` win over variables. Raises SettingsError that names everything wrong.

    `insecure` is no setting, so that no variable can switch TLS off.
    """
    try:
        settings = Settings.model_validate(overrides or {})
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        raise SettingsError("\n".join(_explain_detail(detail) for detail in details)) from None
    problems = _insecure_problems(settings) if insecure else _tls_problems(settings)
    problems += _aws_problems(settings)
    if problems:
        raise SettingsError("\n".join(problems))
    return settings


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


def _insecure_problems(settings: Settings) -> list[str]:
    if is_loopback(settings.listen_address):
        return []
    return [explain("listen_address", "must be a loopback address with --insecure")]


def _explain_detail(detail: ErrorDetails) -> str:
    name = str(detail["loc"][0])
    problem = "must be set" if detail["type"] == "missing" else detail["msg"].removeprefix("Value error, ")
    return explain(name, problem[:1].lower() + problem[1:])


def explain(name: str, problem: str) -> str:
    """Say what is wrong with a setting: its variable, the problem, an example."""
    variable = f"{PREFIX}{name.upper()}"
    return f"{variable}: {problem}; for example {variable}={example_of(name)}"


def example_of(name: str) -> str:
    """Return what a setting may look like; a number shows its default."""
    return EXAMPLES.get(name) or f"{Settings.model_fields[name].default:g}"
