"""The tables of the store."""

import enum
from datetime import UTC, datetime

import sqlalchemy as sa

SCHEMA_VERSION = 1
"""Counts up with each change of the tables; it stands in the database, and an unknown one is refused."""


class RequestState(enum.StrEnum):
    """Where a mutation stands."""

    RUNNING = "running"
    UNDOING = "undoing"
    DONE = "done"
    FAILED = "failed"
    UNDONE_RETRYABLE = "undone-retryable"


UNFINISHED = (RequestState.RUNNING, RequestState.UNDOING)
"""States of a mutation that somebody works on, or that a dead process has left."""


class AuditEventName(enum.StrEnum):
    """What a line of the audit log tells."""

    INTENT = "intent"
    OUTCOME = "outcome"
    FAILURE = "failure"
    DENIED = "denied"


class UtcDateTime(sa.types.TypeDecorator[datetime]):
    """An aware time. SQLite knows no time zones, so it holds UTC, as text that sorts like the times."""

    impl = sa.DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Turn an aware time into UTC without a zone; a naive one is a mistake."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise TypeError("the store takes aware times only")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Say that a stored time is UTC."""
        return None if value is None else value.replace(tzinfo=UTC)


def _one_of(column: str, values: type[enum.StrEnum]) -> sa.CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return sa.CheckConstraint(f"{column} IN ({listed})", name=f"{column}_known")


metadata = sa.MetaData()

requests = sa.Table(
    "requests",
    metadata,
    sa.Column("row_id", sa.Text, primary_key=True),
    sa.Column("caller_id", sa.Text, nullable=False),
    sa.Column("request_id", sa.Text, nullable=False),
    sa.Column("team", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("account_id", sa.Text, nullable=False),
    sa.Column("target", sa.Text, nullable=False),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("lease_expires_at", UtcDateTime, nullable=False),
    sa.Column("plan", sa.JSON(none_as_null=True), nullable=False),
    sa.Column("snapshot", sa.JSON(none_as_null=True)),
    sa.Column("outcome", sa.JSON(none_as_null=True)),
    sa.Column("failure", sa.JSON(none_as_null=True)),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
    sa.UniqueConstraint("caller_id", "request_id"),
    _one_of("state", RequestState),
)

locks = sa.Table(
    "locks",
    metadata,
    sa.Column("account_id", sa.Text, primary_key=True),
    sa.Column("target_key", sa.Text, primary_key=True),
    sa.Column("row_id", sa.Text, sa.ForeignKey("requests.row_id"), nullable=False),
    sa.Column("lease_expires_at", UtcDateTime, nullable=False),
    sa.Index("locks_row_id", "row_id"),
)

audit_log = sa.Table(
    "audit_log",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("event", sa.Text, nullable=False),
    sa.Column("caller_id", sa.Text, nullable=False),
    sa.Column("team", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("account_id", sa.Text, nullable=False),
    sa.Column("target", sa.Text, nullable=False),
    sa.Column("request_id", sa.Text, nullable=False),
    # No foreign key: a retry gives its request another row id, and the log keeps the one that was.
    sa.Column("row_id", sa.Text, nullable=False),
    sa.Column("details", sa.JSON, nullable=False),
    _one_of("event", AuditEventName),
    # Ids are never given twice, even if somebody empties the table behind the triggers' back.
    sqlite_autoincrement=True,
)

_APPEND_ONLY = (
    """CREATE TRIGGER audit_log_refuses_update BEFORE UPDATE ON audit_log
    BEGIN SELECT RAISE(ABORT, 'audit_log is append-only'); END""",
    """CREATE TRIGGER audit_log_refuses_delete BEFORE DELETE ON audit_log
    BEGIN SELECT RAISE(ABORT, 'audit_log is append-only'); END""",
    # INSERT OR REPLACE deletes without firing the delete trigger, unless recursive_triggers is on.
    """CREATE TRIGGER audit_log_refuses_replace BEFORE INSERT ON audit_log
    WHEN EXISTS (SELECT 1 FROM audit_log WHERE id = NEW.id)
    BEGIN SELECT RAISE(ABORT, 'audit_log is append-only'); END""",
)


def create_all(connection: sa.Connection) -> None:
    """Create the tables and the triggers that keep the audit log append-only."""
    metadata.create_all(connection, checkfirst=False)
    for trigger in _APPEND_ONLY:
        connection.exec_driver_sql(trigger)
