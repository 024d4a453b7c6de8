"""HTTP/1.1 on the loopback interface: the Query protocol at /, the control API under /_embedded/."""

from __future__ import annotations

import contextlib
import socket
import sys
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any
from uuid import uuid4

from embedded_aws.control import CONTROL_PREFIX, Control
from embedded_aws.errors import AwsError
from embedded_aws.query_protocol import HttpAnswer, HttpRequest, error_xml
from embedded_aws.service import Service


class Server(ThreadingHTTPServer):
    """A thread per connection; the account's own lock orders the work."""

    daemon_threads = True
    # A burst of clients must not meet a refused connection.
    request_queue_size = 256

    def __init__(self, service: Service, host: str, port: int) -> None:
        """Bind; port 0 takes a free one."""
        if ":" in host:
            # Read by the base class, which opens the socket.
            self.address_family = socket.AF_INET6
        self.service = service
        self.control = Control(service)
        super().__init__((host, port), _Handler)

    @property
    def endpoint_url(self) -> str:
        """Where clients reach the account."""
        host, port = self.server_address[:2]
        name = f"[{host!s}]" if ":" in str(host) else str(host)
        return f"http://{name}:{port}"

    def server_bind(self) -> None:
        """Bind without asking the name service who we are, as HTTPServer does: it can take seconds."""
        TCPServer.server_bind(self)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error of the account."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    # Headers and body in one segment: two would wait 40 ms for the client's delayed acknowledgement.
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        """Answer one request, or close the connection if a fault says so."""
        length = int(self.headers.get("Content-Length") or 0)
        request = HttpRequest(
            self.command,
            self.path,
            dict(self.headers.items()),
            self.rfile.read(length),
            str(self.client_address[0]),
            self._client_has_gone,
        )
        answer = self._answer(request)
        if answer is None:
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
            return
        self._send(answer)

    def do_GET(self) -> None:
        """STS is also asked by GET, when a request was signed beforehand for others to send."""
        self.do_POST()

    def _client_has_gone(self) -> bool:
        """Whether the client has closed its end; what it has sent ahead stays unread."""
        try:
            ahead: bytes = self.connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return ahead == b""

    def _answer(self, request: HttpRequest) -> HttpAnswer | None:
        try:
            if self.path.startswith(CONTROL_PREFIX):
                return self.server.control.handle(request)
            return self.server.service.handle(request)
        except Exception:  # noqa: BLE001 - a defect must show as one, and not look like a lost connection
            traceback.print_exc()
            defect = AwsError("InternalFailure", "The embedded account failed; its standard error tells why.")
            return HttpAnswer(defect.status, error_xml("iam", defect, str(uuid4())))

    def _send(self, answer: HttpAnswer) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, *args: object) -> None:
        """Keep quiet: the call log is the record."""
