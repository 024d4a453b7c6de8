"""Where the service is, how it is spoken to, and the refusal to speak in clear to another machine."""

from __future__ import annotations

import ipaddress
import json
import re
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from os import PathLike
from pathlib import Path

import grpc

from identity_client._contract import rpc
from identity_provisioning.v1.operation_service_pb2 import WatchOperationRequest, WatchOperationResponse

_LARGEST_REQUEST = 64 * 1024
_LARGEST_RESPONSE = 4 * 1024 * 1024
# All field violations of a request come in one answer's metadata; gRPC drops answers above 8 KiB by default.
_LARGEST_METADATA = 64 * 1024
# A connection whose other end is gone without a word is given up after this time: TCP's own patience with what it has
# sent is set to the timeout as well. The service allows a ping every ten seconds.
_KEEPALIVE_MS = 20_000
_KEEPALIVE_TIMEOUT_MS = 8_000
# A service that is back is to be found while a call still has time; gRPC itself would wait up to two minutes.
_LONGEST_RECONNECT_MS = 5_000
# Replicas that are replaced come back under other addresses. Names are asked for again when a connection ends, and by
# gRPC's default not within 30 s of the last time: two replicas replaced within that time left nobody to call.
_SOONEST_RESOLUTION_MS = 1_000


@dataclass(frozen=True)
class TlsFiles:
    """The PEM files of a TLS connection. When they change, a client connects anew with what they hold then.

    Attributes:
        ca: the authorities that sign the server's certificate; None for the public ones.
        certificate: this client's certificate chain, which says who calls.
        key: the private key of that certificate.
        server_name: the name to expect in the server's certificate, where the target has another one, as with
            a forwarded port.
    """

    ca: str | PathLike[str] | None = None
    certificate: str | PathLike[str] | None = None
    key: str | PathLike[str] | None = None
    server_name: str = ""

    def __post_init__(self) -> None:
        """Refuse half of a client identity."""
        if (self.certificate is None) != (self.key is None):
            raise ValueError("a client certificate and its key are only of use together")

    @property
    def paths(self) -> list[Path]:
        """The files that are named."""
        return [Path(path) for path in (self.ca, self.certificate, self.key) if path is not None]

    def credentials(self) -> grpc.ChannelCredentials:
        """Read the files.

        Raises:
            TlsFileError: one cannot be read or is no such file, or certificate and key do not belong together. gRPC
                itself would only fail to connect, and not say why.
        """
        authorities, chain, key = _read("ca", self.ca), _read("certificate", self.certificate), _read("key", self.key)
        self._check()
        return grpc.ssl_channel_credentials(root_certificates=authorities, private_key=key, certificate_chain=chain)

    def _check(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if self.ca is not None:
            try:
                context.load_verify_locations(cafile=self.ca)
            except ssl.SSLError:
                raise TlsFileError("ca", self.ca, "holds no PEM certificate") from None
        if self.certificate is not None and self.key is not None:
            try:
                context.load_cert_chain(self.certificate, self.key, password=_no_password)
            except ssl.SSLError as error:
                raise self._misfit(error) from None

    def _misfit(self, error: ssl.SSLError) -> TlsFileError:
        """Find out which of certificate and key it is."""
        if error.reason in ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH"):
            return TlsFileError("key", self.key, f"is not the key of the certificate {self.certificate}")
        if not _is_pem(self.certificate, b"CERTIFICATE"):
            return TlsFileError("certificate", self.certificate, "holds no PEM certificate")
        return TlsFileError("key", self.key, "holds no PEM private key without a password")


class TlsFileError(ValueError):
    """A file of a TLS connection is no good.

    Attributes:
        option: which field of `TlsFiles` names it.
        problem: the file, and what is wrong with it.
    """

    def __init__(self, option: str, path: str | PathLike[str] | None, problem: str) -> None:
        """Take the field, the file and what is wrong; never what it holds."""
        self.option = option
        self.problem = f"{path}: {problem}"
        super().__init__(f"{option} {self.problem}")


@dataclass(frozen=True)
class Endpoint:
    """All that a channel is made from; without credentials it speaks in clear."""

    address: str
    credentials: grpc.ChannelCredentials | None
    options: Sequence[tuple[str, str | int]]


def endpoint(
    target: str,
    *,
    tls: TlsFiles | None = None,
    credentials: grpc.ChannelCredentials | None = None,
    insecure: bool = False,
) -> Endpoint:
    """Settle how to reach the service.

    Raises:
        ValueError: the options contradict one another, or ask for plain text to another machine.
    """
    if not target:
        raise ValueError("the target is empty; name the service as HOST:PORT")
    if re.match("https?://", target, re.IGNORECASE):
        raise ValueError(f"the target {target!r} is a URL; name the service as HOST:PORT")
    if sum((tls is not None, credentials is not None, insecure)) > 1:
        raise ValueError("give one of tls, credentials and insecure")
    options = _options()
    if insecure:
        if not is_loopback(target):
            raise ValueError(f"insecure is for loopback targets only, and {target!r} is another machine")
        # A proxy from the environment would carry the plain text off this machine.
        return Endpoint(_address(target), None, [*options, ("grpc.enable_http_proxy", 0)])
    if tls is not None and tls.server_name:
        options.append(("grpc.ssl_target_name_override", tls.server_name))
    chosen = credentials or (tls or TlsFiles()).credentials()
    return Endpoint(_address(target), chosen, options)


def is_loopback(target: str) -> bool:
    """Tell whether a gRPC target can only be this machine."""
    scheme, _, rest = target.partition(":")
    if scheme in ("unix", "unix-abstract"):
        return True
    if scheme in ("ipv4", "ipv6") and not rest.startswith("//"):
        return all(_is_loopback_host(_host(each)) for each in rest.split(","))
    return _is_loopback_host(_host(target.removeprefix("dns:///")))


def _is_loopback_host(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _host(authority: str) -> str:
    bracketed = re.fullmatch(r"\[([^\]]+)\](:\d+)?", authority)
    if bracketed:
        return bracketed[1]
    host, _, port = authority.rpartition(":")
    return host if host and port.isdigit() and ":" not in host else authority


def _address(target: str) -> str:
    """Have DNS names resolved to all of their addresses, so that calls spread over the replicas."""
    has_scheme = re.match(r"(dns|unix|unix-abstract|ipv4|ipv6|xds|passthrough):", target)
    return target if has_scheme else f"dns:///{target}"


def _options() -> list[tuple[str, str | int]]:
    return [
        ("grpc.service_config", _service_config()),
        ("grpc.max_send_message_length", _LARGEST_REQUEST),
        ("grpc.max_receive_message_length", _LARGEST_RESPONSE),
        ("grpc.max_metadata_size", _LARGEST_METADATA),
        ("grpc.absolute_max_metadata_size", 2 * _LARGEST_METADATA),
        ("grpc.keepalive_time_ms", _KEEPALIVE_MS),
        ("grpc.keepalive_timeout_ms", _KEEPALIVE_TIMEOUT_MS),
        # What ends the wait for a ping's answer is this one, as was measured; without it that takes a minute.
        ("grpc.http2.ping_timeout_ms", _KEEPALIVE_TIMEOUT_MS),
        ("grpc.max_reconnect_backoff_ms", _LONGEST_RECONNECT_MS),
        ("grpc.dns_min_time_between_resolutions_ms", _SOONEST_RESOLUTION_MS),
        ("grpc.primary_user_agent", f"identity-client-python/{_own_version()}"),
    ]


def _service_config() -> str:
    """Spread calls over the replicas; let gRPC itself restart only the one stream, which reads.

    Unary calls are retried by this package alone, reads as well: gRPC's own retries cannot see the service's RetryInfo,
    cannot say that secrets went lost, and two layers of retries multiply.
    """
    service, method = rpc(WatchOperationRequest, WatchOperationResponse).path.strip("/").split("/")
    config = {
        "loadBalancingConfig": [{"round_robin": {}}],
        "methodConfig": [
            {
                "name": [{"service": service, "method": method}],
                "retryPolicy": {
                    "maxAttempts": 4,
                    "initialBackoff": "0.2s",
                    "maxBackoff": "5s",
                    "backoffMultiplier": 2,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            }
        ],
    }
    return json.dumps(config)


def _own_version() -> str:
    try:
        return version("identity-provisioning-client")
    except PackageNotFoundError:
        return "unknown"


def _read(option: str, path: str | PathLike[str] | None) -> bytes | None:
    if path is None:
        return None
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise TlsFileError(option, path, error.strerror or str(error)) from None


def _is_pem(path: str | PathLike[str] | None, kind: bytes) -> bool:
    return b"-----BEGIN " + kind + b"-----" in (_read("certificate", path) or b"")


def _no_password() -> str:
    """Answer for whoever would be asked at the terminal: gRPC takes no password for a key."""
    return ""
