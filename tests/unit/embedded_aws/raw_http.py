"""Calls of the Query protocol over one kept connection, without the cost of a real client."""

from __future__ import annotations

import http.client
import re
from typing import Self
from urllib.parse import urlencode, urlsplit

# Without access control nobody looks at the signature.
_HEADERS = {
    "Authorization": "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260101/us-east-1/iam/aws4_request, "
    "SignedHeaders=host, Signature=0",
    "Content-Type": "application/x-www-form-urlencoded",
}
_CODE = re.compile(rb"<Code>(\w+)</Code>")


class Connection:
    """One connection that is kept alive over all its calls."""

    def __init__(self, endpoint_url: str) -> None:
        """Point at an endpoint; the first call connects."""
        self._connection = http.client.HTTPConnection(urlsplit(endpoint_url).netloc, timeout=60)

    def __enter__(self) -> Self:
        """Connect."""
        self._connection.connect()
        return self

    def __exit__(self, *_: object) -> None:
        """Disconnect."""
        self._connection.close()

    def call(self, operation: str, **params: str) -> tuple[str, bytes]:
        """The error code, or `ok`, and the body."""
        form = urlencode({"Action": operation, "Version": "2010-05-08", **params})
        self._connection.request("POST", "/", form, _HEADERS)
        answer = self._connection.getresponse()
        body = answer.read()
        found = _CODE.search(body) if answer.status != http.client.OK else None
        return (found[1].decode() if found else "ok" if answer.status == http.client.OK else str(answer.status)), body
