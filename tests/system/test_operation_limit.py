"""How many users an operation takes is said in three places that cannot import one another."""

from __future__ import annotations

import re
from pathlib import Path

from identity_client import _bulk
from identity_service.domain import operation

CONTRACT = Path(__file__).parents[2] / "proto/identity_provisioning/v1/operation_service.proto"


def test_client_server_and_contract_know_one_limit() -> None:
    """What the client refuses to send is what the service refuses, and what the contract says of AppendUsers."""
    (said,) = re.findall(r"([\d,]+) in an operation at most", CONTRACT.read_text())
    assert int(said.replace(",", "")) == operation.MAXIMUM_USERS == _bulk.MAXIMUM_USERS
