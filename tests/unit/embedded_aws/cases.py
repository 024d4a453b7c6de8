"""Cases as data: steps of calls with what AWS answers, carried out against any endpoint.

A step calls an operation (`call`, of `service`, signed with the `key` that an earlier step made) `with` parameters,
`repeat` times with {n} counted up. It expects success, or `error` and `http`. Of the answer, `holds` gives the values
at paths, `differs` values that are not there, `matches` expressions, `absent` paths without a value, and `png` the
path of a picture. Answers are kept under `as`, and "$name.path" stands for a value of one. A step with a `fault`
disturbs the embedded account. A case that is told otherwise than AWS says gives its reason under `differs_from_aws`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from embedded_aws import consecutive_codes

Client = Callable[[str, Mapping[str, str] | None], Any]
Disturb = Callable[[Mapping[str, Any]], None]
_ABSENT = object()


def read_cases(name: str) -> list[dict[str, Any]]:
    """The cases of a file beside this one."""
    cases: list[dict[str, Any]] = json.loads(Path(__file__).with_name(name).read_text())["cases"]
    return cases


@dataclass
class Run:
    """One case against one endpoint. A step that comes out otherwise is an AssertionError."""

    client: Client
    disturb: Disturb
    results: dict[str, Any] = field(default_factory=dict)

    def carry_out(self, case: Mapping[str, Any]) -> None:
        """Go through the steps."""
        for step in case["steps"]:
            if "fault" in step:
                self.disturb(step["fault"])
                continue
            for number in range(1, step.get("repeat", 1) + 1):
                self._take(step, number)

    def _take(self, step: Mapping[str, Any], number: int) -> None:
        key = self.results[step["key"]]["AccessKey"] if "key" in step else None
        client = self.client(step.get("service", "iam"), key)
        outcome, answer = _call(client, step["call"], self._filled(step.get("with", {}), number))
        assert outcome == (step.get("error"), step.get("http", 200)), f"{step} came out as {outcome}"
        self.results[step.get("as", "_")] = answer
        for path, value in step.get("holds", {}).items():
            found = _at(answer, path)
            assert found == self._filled(value, number), f"{path} is {found!r} after {step}"
        for path, value in step.get("differs", {}).items():
            assert _at(answer, path) != self._filled(value, number), f"{path} is the same after {step}"
        for path, pattern in step.get("matches", {}).items():
            assert re.fullmatch(pattern, str(_at(answer, path))), f"{path} is {_at(answer, path)!r} after {step}"
        for path in step.get("absent", []):
            assert _at(answer, path) is _ABSENT, f"{path} is {_at(answer, path)!r} after {step}"
        if "png" in step:
            assert _at(answer, step["png"]).startswith(b"\x89PNG\r\n\x1a\n")

    def _filled(self, value: Any, number: int) -> Any:
        """The value with references and the few generators of long or changing values replaced."""
        match value:
            case str() if value.startswith("$"):
                name, _, path = value[1:].partition(".")
                return _at(self.results[name], path)
            case str():
                return value.replace("{n}", str(number))
            case {"$times": [text, count]}:
                return text * count
            case {"$join": parts}:
                return "".join(self._filled(part, number) for part in parts)
            case {"$document": document}:
                return json.dumps(self._filled(document, number))
            case {"$each": {"count": count, "of": template}}:
                return [self._filled(template, each) for each in range(1, count + 1)]
            case {"$code": [seed, which]}:
                return consecutive_codes(self._filled(seed, number))[which]
            case {"$wrong": seed}:
                return f"{(int(consecutive_codes(self._filled(seed, number))[0]) + 1) % 1_000_000:06d}"
            case {"$certificate": which}:
                return _certificate(which)
            case dict():
                return {name: self._filled(item, number) for name, item in value.items()}
            case list():
                return [self._filled(item, number) for item in value]
            case _:
                return value


def _call(client: Any, operation: str, params: Mapping[str, Any]) -> tuple[tuple[str | None, int], Any]:
    """The error code (None for success) and status, and the answer."""
    method = next(method for method, name in client.meta.method_to_api_mapping.items() if name == operation)
    try:
        answer = getattr(client, method)(**params)
    except ClientError as error:
        response: Any = error.response
        return (response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]), {}
    except (BotoCoreError, ResponseParserError) as error:
        return (type(error).__name__, 0), {}
    return (None, answer["ResponseMetadata"]["HTTPStatusCode"]), answer


def _at(value: Any, path: str) -> Any:
    """The value at a path; `*` maps over a list, `#` counts it."""
    step, _, rest = path.partition(".")
    if not step:
        return value
    if step == "#":
        return len(value)
    if step == "*":
        return [_at(item, rest) for item in value]
    try:
        return _at(value[int(step)] if isinstance(value, list) else value[step], rest)
    except (IndexError, KeyError, TypeError):
        return _ABSENT


def _certificate(number: int) -> str:
    """A self-signed certificate in PEM form."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"certificate {number}")])
    today = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(number)
        .not_valid_before(today)
        .not_valid_after(today + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return signed.public_bytes(serialization.Encoding.PEM).decode()
