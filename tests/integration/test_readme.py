"""The README's example is run as it stands."""

import re
from pathlib import Path
from typing import Any

import pytest

import identity_client
from tests.integration.conftest import Account

README = Path(__file__).resolve().parents[2] / "README.md"


def test_the_client_example_works(
    server: str, account: Account, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Copied from the README, with the server's address alone replaced, the example makes its user."""
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)
    real = identity_client.IdentityClient

    def here(target: str, *, tls: identity_client.TlsFiles) -> Any:
        return real(server, insecure=True)

    monkeypatch.setattr(identity_client, "IdentityClient", here)
    exec(compile(example, str(README), "exec"), {})  # noqa: S102 - our own README
    arn, url, password = capsys.readouterr().out.split()
    assert arn == account.iam.get_user(UserName="ana.lima")["User"]["Arn"]
    assert url == "https://acme.signin.aws.amazon.com/console"
    assert len(password) >= 8
