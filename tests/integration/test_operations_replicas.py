"""Two servers on one PostgreSQL share an operation out, and one finishes what the other has left."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from identity_client import IdentityClient, in_batches, user_spec
from identity_provisioning.v1.operation_pb2 import Operation
from identity_service.adapters.store import migrate
from tests.integration.conftest import Account, start_server, wait_until_ready
from tests.support.postgres import database_folder, new_database, start_postgres

USERS = 200
CONCURRENCY = 4
VARIABLES = {
    "IDENTITY_SERVICE_AWS_CONNECT_TIMEOUT": "0.5",
    "IDENTITY_SERVICE_AWS_READ_TIMEOUT": "1.5",
    "IDENTITY_SERVICE_LEASE_SECONDS": "6",
    "IDENTITY_SERVICE_BULK_CONCURRENCY": str(CONCURRENCY),
}


@pytest.fixture(scope="module")
def store_url() -> Iterator[str]:
    """A database with the store's tables."""
    with (
        database_folder() as directory,
        start_postgres(directory) as server,
        new_database(server) as url,
    ):
        migrate(url)
        yield url


def test_a_replica_finishes_what_another_has_left(store_url: str, account: Account, tmp_path: Path) -> None:
    """Both carry users out; after one is killed, the other ends the operation, and every user is there."""
    processes = []
    addresses = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        process, ready = start_server(account, folder, {**VARIABLES, "IDENTITY_SERVICE_STORE_URL": store_url})
        processes.append(process)
        addresses.append(wait_until_ready(process, ready))
    try:
        with IdentityClient(addresses[1], insecure=True) as client:
            operation_id = client.create_operation().operation.operation_id
            users = (user_spec(f"user-{index}", groups=["Developers"]) for index in range(USERS))
            for number, batch in enumerate(in_batches(users)):
                client.append_users(operation_id, number, batch)
            client.start_operation(operation_id)
            for operation in client.follow_operation(operation_id):
                # More than one server has under way.
                if operation.progress.running_users > CONCURRENCY:
                    break
            assert operation.state == Operation.STATE_RUNNING
            processes[0].kill()
            processes[0].wait()
            *_, last = client.follow_operation(operation_id)
        assert (last.state, last.progress.succeeded_users) == (Operation.STATE_DONE, USERS)
    finally:
        for process in processes:
            process.terminate()
            process.wait(60)
    pages = account.iam.get_paginator("list_users").paginate()
    assert {user["UserName"] for page in pages for user in page["Users"]} == {f"user-{n}" for n in range(USERS)}
