"""The tables of the store, as queries need them; `migrations/` makes them, and a test holds the two together."""

import enum
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from identity_service.application.ledger import RequestState
from identity_service.domain.minting import MintKind, MintState


class AuditEventName(enum.StrEnum):
    """What a line of the audit log tells."""

    INTENT = "intent"
    OUTCOME = "outcome"
    FAILURE = "failure"
    DENIED = "denied"
    TAKEOVER = "takeover"
    REISSUE = "reissue"
    SECOND_LOOK = "second-look"


class UtcDateTime(sa.types.TypeDecorator[datetime]):
    """An aware time. SQLite knows no time zones, so it holds UTC there, as text that sorts like the times."""

    impl = sa.DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        """Let PostgreSQL keep points in time."""
        return dialect.type_descriptor(sa.DateTime(timezone=dialect.name == "postgresql"))

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Turn an aware time into UTC, without a zone for SQLite; a naive one is a mistake."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise TypeError("the store takes aware times only")
        utc = value.astimezone(UTC)
        return utc if dialect.name == "postgresql" else utc.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Say that a stored time is UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def one_of(table: str, column: str, values: type[enum.StrEnum]) -> sa.CheckConstraint:
    """Allow a column the names of an enum and nothing else."""
    listed = ", ".join(f"'{value}'" for value in values)
    return sa.CheckConstraint(f"{column} IN ({listed})", name=f"{table}_{column}_known")


metadata = sa.MetaData()

schema_support = sa.Table(
    "schema_support",
    metadata,
    # Of the releases that can work with this schema, the oldest one's own version of it.
    sa.Column("oldest_version", sa.Text, nullable=False),
)

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
    sa.Column("target_key", sa.Text, nullable=False),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column("forward_only", sa.Boolean, nullable=False),
    sa.Column("needs_caller", sa.Boolean, nullable=False),
    sa.Column("recipients", sa.JSON, nullable=False),
    sa.Column("sign_in_url", sa.Text, nullable=False),
    sa.Column("plan", sa.JSON, nullable=False),
    sa.Column("snapshot", sa.JSON(none_as_null=True)),
    sa.Column("state", sa.Text, nullable=False),
    # Counts the attempts: whoever claims the request counts it up, and what an earlier attempt writes is refused.
    sa.Column("epoch", sa.Integer, nullable=False),
    # NULL where nobody has a lease and nobody needs one: the request has ended, and no second look is going on.
    sa.Column("lease_expires_at", UtcDateTime),
    sa.Column("recheck_at", UtcDateTime),
    sa.Column("outcome", sa.JSON(none_as_null=True)),
    sa.Column("failure", sa.JSON(none_as_null=True)),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
    # By which whoever goes on with the request links its trace to that of who began it.
    sa.Column("traceparent", sa.Text),
    # From which the retry window is counted; `updated_at` tells of the end of every reissue, too. NULL until a request
    # is done, and where an older release has done it.
    sa.Column("done_at", UtcDateTime),
    sa.UniqueConstraint("caller_id", "request_id", name="requests_once_per_caller"),
    one_of("requests", "state", RequestState),
)

_IS_UNFINISHED = sa.text("state IN ('running', 'undoing')")
_IS_TO_BE_SEEN_AGAIN = sa.text("recheck_at IS NOT NULL")
sa.Index(
    "requests_unfinished",
    requests.c.lease_expires_at,
    sqlite_where=_IS_UNFINISHED,
    postgresql_where=_IS_UNFINISHED,
)
sa.Index(
    "requests_second_look",
    requests.c.recheck_at,
    sqlite_where=_IS_TO_BE_SEEN_AGAIN,
    postgresql_where=_IS_TO_BE_SEEN_AGAIN,
)
sa.Index("requests_updated_at", requests.c.updated_at)

locks = sa.Table(
    "locks",
    metadata,
    sa.Column("account_id", sa.Text, primary_key=True),
    sa.Column("target_key", sa.Text, primary_key=True),
    sa.Column("row_id", sa.Text, sa.ForeignKey("requests.row_id", name="locks_request"), nullable=False),
    sa.Index("locks_row_id", "row_id"),
)

mints = sa.Table(
    "mints",
    metadata,
    sa.Column("mint_id", sa.Text, primary_key=True),
    sa.Column(
        "row_id", sa.Text, sa.ForeignKey("requests.row_id", name="mints_request", ondelete="CASCADE"), nullable=False
    ),
    # Counts the mints of a request; times are not fine enough to tell which was first.
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("account_id", sa.Text, nullable=False),
    sa.Column("target_key", sa.Text, nullable=False),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("credential_id", sa.Text, nullable=False),
    sa.Column("begun_at", UtcDateTime, nullable=False),
    sa.UniqueConstraint("row_id", "number", name="mints_in_order"),
    one_of("mints", "kind", MintKind),
    one_of("mints", "state", MintState),
    sa.Index("mints_target", "account_id", "target_key"),
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
    # No foreign key: the log outlives the rows.
    sa.Column("row_id", sa.Text, nullable=False),
    sa.Column("details", sa.JSON, nullable=False),
    # The trace that the line was written in; empty where there was none, as in a takeover.
    sa.Column("trace_id", sa.Text, nullable=False, server_default=""),
    # NULL in denials, which are in no chain: who is refused must not make others wait. See audit_chain.py.
    sa.Column("chain_id", sa.Text),
    sa.Column("sequence", sa.Integer),
    sa.Column("previous_hash", sa.Text),
    sa.Column("hash", sa.Text),
    one_of("audit_log", "event", AuditEventName),
    # Two lines in one place of a chain would be a fork.
    sa.Index("audit_log_in_chain", "chain_id", "sequence", unique=True),
    sa.Index("audit_log_row_id", "row_id"),
    # Ids are never given twice, even if somebody empties the table behind the triggers' back.
    sqlite_autoincrement=True,
)
