"""What stores hold after secrets have passed: every row of every table, and the audit log as it is exported."""

import asyncio
import os
import sys

import sqlalchemy as sa

from tests.security.canary_world import World

SECONDS = 90
AUDITED = '"action":"ProvisionUser"'
"""What an export has to hold for it to mean something that it holds no secret."""


async def look_at_store(world: World, case: str) -> None:
    """Search the world's store for every secret, as its database and as `audit export` show it."""
    for table, rows in (await asyncio.to_thread(rows_of, world.store_url)).items():
        world.search.look(f"{case}: table {table}", rows)
    exported = await _export(world.store_url)
    if AUDITED not in exported.replace(": ", ":"):
        raise AssertionError(f"the audit log was not exported: {exported[:500]}")
    world.search.look(f"{case}: audit export", exported)


def rows_of(url: str) -> dict[str, str]:
    """Read every table; what is not text shows itself as Python writes it, bytes as they are besides."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    tables = sa.MetaData()
    tables.reflect(engine)
    with engine.connect() as connection:
        return {
            name: "\n".join(_written(value) for row in connection.execute(sa.select(table)) for value in row)
            for name, table in tables.tables.items()
        }


def _written(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


async def _export(url: str) -> str:
    own = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "IDENTITY_", "OTEL_"))}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "identity_service", "audit", "export"),
        env={**own, "IDENTITY_SERVICE_STORE_URL": url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), SECONDS)
    return output.decode(errors="replace")
