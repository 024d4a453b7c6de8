"""What the store needs of a database engine, and what it asks of every URL."""

from abc import ABC, abstractmethod
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa

from identity_service.adapters.store.errors import StoreError

ENGINE_SETTINGS: dict[str, Any] = {
    # Parameters hold plans and names; they have no business in the text of an error.
    "hide_parameters": True,
    "json_deserializer": orjson.loads,
}


def write_json(value: object) -> str:
    """Write JSON as the store does everywhere."""
    return orjson.dumps(value).decode()


class Database(ABC):
    """A database engine at one place."""

    name: str
    """How messages call it; never with what a URL may hold of a password."""

    maximum_threads: int
    """How many threads may use it at once."""

    patience_seconds: float | None
    """After how long a unit of work is given up, whatever it waits for; None if the database cannot hang."""

    commit_may_be_lost: bool
    """Whether a commit that fails may have been carried out all the same, its answer being lost."""

    creates_schema: bool
    """Whether an empty database gets its tables when it is opened, without a command."""

    @abstractmethod
    def prepare(self) -> None:
        """Make it ready for the first connection. Raises StoreError."""

    @abstractmethod
    def create_engine(self, connections: int) -> sa.Engine:
        """Build an engine with so many connections; nothing is opened yet."""

    @abstractmethod
    def create_reader(self) -> sa.Engine:
        """Build an engine of one connection whose transactions see one moment and can write nothing."""

    @abstractmethod
    def verify(self, connection: sa.Connection) -> None:
        """Look whether it can be what the store relies on. Raises StoreError."""

    @abstractmethod
    def check(self) -> None:
        """Notice what a connection does not, before each unit of work. Raises OSError."""

    @abstractmethod
    def now(self, connection: sa.Connection) -> datetime:
        """Tell the time that leases are counted by: the same clock for all who share the database."""

    @abstractmethod
    def lock_migrations(self, connection: sa.Connection) -> None:
        """Let others who migrate wait until this transaction ends."""


def parse_url(database_url: str) -> sa.URL:
    """Read a URL, and do not repeat one that is wrong: it may hold a password."""
    try:
        return sa.make_url(database_url)
    except (sa.exc.ArgumentError, ValueError):  # ValueError is for a port that is no number
        raise StoreError(
            "the store's URL is not a database URL, such as sqlite:///PATH or postgresql+psycopg://USER@HOST/DATABASE"
        ) from None
