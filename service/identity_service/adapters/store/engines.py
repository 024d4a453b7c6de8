"""Which database a URL names."""

from collections.abc import Callable
from datetime import UTC, datetime

from identity_service.adapters.store import postgresql, sqlite
from identity_service.adapters.store.database import Database, parse_url
from identity_service.adapters.store.errors import StoreError
from identity_service.adapters.store.postgresql import PostgresDatabase
from identity_service.adapters.store.sqlite import SqliteDatabase


def utc_now() -> datetime:
    """Return the time, aware, in UTC."""
    return datetime.now(UTC)


def database_of(
    database_url: str, clock: Callable[[], datetime] = utc_now, busy_timeout_seconds: float = 5
) -> Database:
    """Return the database of a URL; nothing is opened yet. Raises StoreError, without the URL."""
    url = parse_url(database_url)
    if url.drivername in sqlite.DRIVERS:
        return SqliteDatabase(url, clock, busy_timeout_seconds)
    if url.drivername in postgresql.DRIVERS:
        return PostgresDatabase(url)
    raise StoreError(
        f"databases of type {url.drivername} are not supported, only sqlite:///PATH "
        "and postgresql+psycopg://USER@HOST/DATABASE"
    )
