"""Every call carries a trace context, the application's own where there is one."""

from __future__ import annotations

import re
import subprocess
import sys

from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from identity_client import IdentityClient
from tests.unit.client.fake_service import FakeIdentityService


def test_a_fresh_trace_is_started(client: IdentityClient, service: FakeIdentityService) -> None:
    """Without an active span each call has a well-formed trace of its own."""
    client.get_account()
    client.get_account()
    first, second = (each.metadata["traceparent"] for each in service.received)
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", first)
    assert first != second


def test_an_active_span_is_continued(client: IdentityClient, service: FakeIdentityService) -> None:
    """Inside an OpenTelemetry span the call belongs to its trace."""
    context = SpanContext(0xABC, 0xDEF, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    with trace.use_span(NonRecordingSpan(context)):
        client.get_account()
    assert service.received[0].metadata["traceparent"] == f"00-{0xABC:032x}-{0xDEF:016x}-01"


def test_plain_install_needs_neither_opentelemetry_nor_the_extra() -> None:
    """The library starts with everything blocked that a plain install lacks, the server and `buf` among it."""
    blocked = ("opentelemetry", "typer", "rich", "yaml", "buf", "protovalidate", "identity_service", "embedded_aws")
    program = (
        "import sys\n"
        f"sys.modules.update(dict.fromkeys({blocked!r}))\n"
        "import identity_client\n"
        "from identity_client._trace import current_trace\n"
        "print(len(current_trace().trace_id), sorted(m for m in sys.modules if m.split('.')[0] == 'buf'))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "32 ['buf']"


def test_the_command_line_says_how_to_get_its_extra() -> None:
    """Without typer `identityctl` names what to install, and shows no traceback."""
    program = (
        "import sys\n"
        "class Missing:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'typer': raise ModuleNotFoundError(name=name)\n"
        "sys.meta_path.insert(0, Missing())\n"
        "from identity_client.cli.__main__ import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "identity-provisioning-client[cli]" in done.stderr
    assert "Traceback" not in done.stderr
