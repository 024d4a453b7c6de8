"""Reading the audit log whole, as of one moment, page by page, and as it is stored.

As it is stored: a value that was changed into one of another kind has to be told, not refused by the types of a query.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from identity_service.adapters.store import migration
from identity_service.adapters.store.audit_chain import HASHED
from identity_service.adapters.store.database import Database

PAGE = 1000
CHAIN = ("chain_id", "sequence", "previous_hash", "hash")

STORED = sa.table("audit_log", *(sa.column(name) for name in (*HASHED, *CHAIN)))
"""The log without types: what is read is what is stored."""

StoredLine = Mapping[str, Any]
"""A line of the log by the names of its columns: times and details as text, the others as the database has them."""


@contextmanager
def snapshot(database: Database) -> Iterator[sa.Connection]:
    """Read one moment of a database while the block lasts, and write nothing.

    Raises:
        StoreError: it cannot be used, or has not this release's schema; with words for the operator.
    """
    engine = database.create_reader()
    try:
        with engine.begin() as connection:
            migration.require_schema(database, connection)
            yield connection
    except sa.exc.SQLAlchemyError as error:
        raise migration.unusable(database, error) from None
    finally:
        engine.dispose()


def stored_lines(connection: sa.Connection, *conditions: sa.ColumnElement[bool]) -> Iterator[StoredLine]:
    """Yield the lines that meet conditions on STORED, in the order of their ids."""
    for page in stored_pages(connection, *conditions):
        yield from page


def stored_pages(connection: sa.Connection, *conditions: sa.ColumnElement[bool]) -> Iterator[Sequence[StoredLine]]:
    """Yield the same lines, a page at a time."""
    query = _query(connection.dialect.name, *conditions)
    after: sa.ColumnElement[bool] = sa.true()
    while page := [dict(line) for line in connection.execute(query.where(after)).mappings()]:
        yield page
        after = STORED.c.id > page[-1]["id"]


def _query(dialect: str, *conditions: sa.ColumnElement[bool]) -> sa.Select[Any]:
    columns: list[sa.ColumnElement[Any]] = list(STORED.c)
    if dialect == "postgresql":
        as_text = {
            "at": sa.func.to_char(sa.func.timezone("UTC", STORED.c.at), "YYYY-MM-DD HH24:MI:SS.US"),
            "details": sa.cast(STORED.c.details, sa.Text),
        }
        columns = [as_text[name].label(name) if name in as_text else column for name, column in STORED.c.items()]
    return sa.select(*columns).where(*conditions).order_by(STORED.c.id).limit(PAGE)
