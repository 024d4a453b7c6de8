"""The AWS Query protocol as the server sees it: a form comes in, XML goes out."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit
from xml.sax.saxutils import escape

from botocore.model import ListShape, Shape, StructureShape

from embedded_aws.errors import AwsError
from embedded_aws.service_models import SERVICE_OF_API_VERSION, operation_model, service_model

if TYPE_CHECKING:
    from embedded_aws.accounts import Accounts
    from embedded_aws.principals import Principal

_CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/\d{8}/([^/]+)/([^/]+)/aws4_request")
_UNSIGNED_OPERATIONS = {"AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"}
REDACTED = "REDACTED"
# Sensitive by nature, though the service model does not mark them.
_SENSITIVE_PARAMETERS = {"AuthenticationCode1", "AuthenticationCode2"}


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request as it came over the wire; header names keep their spelling."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    client_address: str = "127.0.0.1"
    client_has_gone: Callable[[], bool] = lambda: False


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """One answer as it goes over the wire."""

    status: int
    body: bytes
    content_type: str = "text/xml"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call:
    """One operation with its typed parameters, and who asks for it."""

    service: str
    operation: str
    params: dict[str, Any]
    access_key_id: str
    region: str
    http: HttpRequest
    caller: Principal | None = None
    # Where a role of another account is looked up.
    accounts: Accounts | None = None
    # For how many seconds a deleted key still lets its user in.
    deleted_key_grace: float = 0.0

    def redacted_parameters(self) -> dict[str, Any]:
        """The parameters as they may be recorded: secrets are replaced."""
        model = operation_model(self.service, self.operation)
        members = model.input_shape.members if model and model.input_shape else {}
        return {
            name: REDACTED if _is_sensitive(name, members.get(name)) else _jsonable(value)
            for name, value in self.params.items()
        }


def parse_call(http: HttpRequest) -> Call:
    """Read the operation and its parameters out of a request."""
    form = dict(parse_qsl(_form_of(http), keep_blank_values=True))
    service = SERVICE_OF_API_VERSION.get(form.get("Version", ""), "")
    operation = form.get("Action", "")
    model = operation_model(service, operation) if service else None
    if model is None:
        version = form.get("Version", "")
        raise AwsError("InvalidAction", f"Could not find operation {operation} for version {version}")
    access_key_id, region = _credential_of(http, operation)
    params = _read(model.input_shape, "", _Form(form)) if model.input_shape else {}
    return Call(service, operation, params or {}, access_key_id, region, http)


def error_xml(service: str, error: AwsError, request_id: str) -> bytes:
    """The document that botocore reads as a ClientError."""
    namespace = service_model(service).metadata["xmlNamespace"]
    kind = "Receiver" if error.status >= 500 else "Sender"
    return (
        f'<ErrorResponse xmlns="{namespace}"><Error><Type>{kind}</Type><Code>{escape(error.code)}</Code>'
        f"<Message>{escape(error.message)}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
    ).encode()


def _form_of(http: HttpRequest) -> str:
    return http.body.decode("utf-8", "replace") if http.method == "POST" else urlsplit(http.target).query


def _credential_of(http: HttpRequest, operation: str) -> tuple[str, str]:
    if found := _CREDENTIAL.search(http.headers.get("Authorization", "")):
        return found[1], found[2]
    if operation in _UNSIGNED_OPERATIONS:
        return "", "us-east-1"
    raise AwsError("MissingAuthenticationToken", "Request is missing Authentication Token")


class _Form:
    """The flat form with an index of every prefix, so that absent branches cost nothing."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values = values
        self.prefixes = {
            ".".join(parts[:depth])
            for parts in (key.split(".") for key in values)
            for depth in range(1, len(parts) + 1)
        }


def _read(shape: Shape, prefix: str, form: _Form) -> Any:
    if prefix and prefix not in form.prefixes:
        return None
    if isinstance(shape, StructureShape):
        members = (
            (name, _read(member, _join(prefix, member.serialization.get("name", name)), form))
            for name, member in shape.members.items()
        )
        return {name: value for name, value in members if value is not None}
    if isinstance(shape, ListShape):
        return _read_list(shape, prefix, form)
    return _scalar(shape, prefix, form.values.get(prefix))


def _read_list(shape: ListShape, prefix: str, form: _Form) -> list[Any]:
    items: list[Any] = []
    stem = prefix if shape.serialization.get("flattened") else f"{prefix}.member"
    while (item := f"{stem}.{len(items) + 1}") in form.prefixes:
        items.append(_read(shape.member, item, form))
    return items


def _scalar(shape: Shape, name: str, text: str | None) -> Any:
    if text is None:
        return None
    if shape.type_name in {"integer", "long"}:
        try:
            return int(text)
        except ValueError:
            raise AwsError("MalformedInput", f"{name} is not an integer") from None
    if shape.type_name == "boolean":
        if text.lower() not in {"true", "false"}:
            raise AwsError("MalformedInput", f"{name} is not a boolean")
        return text.lower() == "true"
    return text


def _join(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def _is_sensitive(name: str, shape: Shape | None) -> bool:
    return name in _SENSITIVE_PARAMETERS or bool(shape is not None and shape.metadata.get("sensitive"))


def _jsonable(value: Any) -> Any:
    return value if isinstance(value, str | int | bool | list | dict) else str(value)
