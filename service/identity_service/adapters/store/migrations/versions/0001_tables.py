"""The first tables: requests, the locks on their targets, their mints, and the audit log, which only grows."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

SQLITE_APPEND_ONLY = (
    """CREATE TRIGGER audit_log_refuses_update BEFORE UPDATE ON audit_log
    BEGIN SELECT RAISE(ABORT, 'audit_log is append-only'); END""",
    """CREATE TRIGGER audit_log_refuses_delete BEFORE DELETE ON audit_log
    BEGIN SELECT RAISE(ABORT, 'audit_log is append-only'); END""",
    # INSERT OR REPLACE deletes without firing the delete trigger, unless recursive_triggers is on.
    """CREATE TRIGGER audit_log_refuses_replace BEFORE INSERT ON audit_log
    WHEN EXISTS (SELECT 1 FROM audit_log WHERE id = NEW.id)
    BEGIN SELECT RAISE(ABORT, 'audit_log is append-only'); END""",
)

POSTGRESQL_APPEND_ONLY = (
    """CREATE FUNCTION audit_log_refuses() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'audit_log is append-only'; END $$""",
    # For each row, so that a statement that finds nothing to change is let through; TRUNCATE knows no rows.
    """CREATE TRIGGER audit_log_refuses_change BEFORE UPDATE OR DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION audit_log_refuses()""",
    """CREATE TRIGGER audit_log_refuses_truncate BEFORE TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_refuses()""",
)


def upgrade() -> None:
    """Create everything."""
    is_postgresql = op.get_context().dialect.name == "postgresql"
    time = sa.DateTime(timezone=is_postgresql)
    _create_requests(time)
    _create_locks()
    _create_mints(time)
    _create_audit_log(time)
    for statement in POSTGRESQL_APPEND_ONLY if is_postgresql else SQLITE_APPEND_ONLY:
        op.execute(statement)


def _create_requests(time: sa.DateTime) -> None:
    op.create_table(
        "requests",
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
        sa.Column("snapshot", sa.JSON),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("lease_expires_at", time),
        sa.Column("recheck_at", time),
        sa.Column("outcome", sa.JSON),
        sa.Column("failure", sa.JSON),
        sa.Column("created_at", time, nullable=False),
        sa.Column("updated_at", time, nullable=False),
        sa.UniqueConstraint("caller_id", "request_id", name="requests_once_per_caller"),
        sa.CheckConstraint(
            "state IN ('running', 'undoing', 'done', 'failed', 'undone-retryable')", name="requests_state_known"
        ),
    )
    unfinished = sa.text("state IN ('running', 'undoing')")
    op.create_index(
        "requests_unfinished",
        "requests",
        ["lease_expires_at"],
        sqlite_where=unfinished,
        postgresql_where=unfinished,
    )
    second_look = sa.text("recheck_at IS NOT NULL")
    op.create_index(
        "requests_second_look", "requests", ["recheck_at"], sqlite_where=second_look, postgresql_where=second_look
    )
    op.create_index("requests_updated_at", "requests", ["updated_at"])


def _create_locks() -> None:
    op.create_table(
        "locks",
        sa.Column("account_id", sa.Text, primary_key=True),
        sa.Column("target_key", sa.Text, primary_key=True),
        sa.Column("row_id", sa.Text, sa.ForeignKey("requests.row_id", name="locks_request"), nullable=False),
    )
    op.create_index("locks_row_id", "locks", ["row_id"])


def _create_mints(time: sa.DateTime) -> None:
    op.create_table(
        "mints",
        sa.Column("mint_id", sa.Text, primary_key=True),
        sa.Column(
            "row_id",
            sa.Text,
            sa.ForeignKey("requests.row_id", name="mints_request", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("account_id", sa.Text, nullable=False),
        sa.Column("target_key", sa.Text, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("credential_id", sa.Text, nullable=False),
        sa.Column("begun_at", time, nullable=False),
        sa.UniqueConstraint("row_id", "number", name="mints_in_order"),
        sa.CheckConstraint("kind IN ('access-key', 'console-password', 'mfa-device')", name="mints_kind_known"),
        sa.CheckConstraint("state IN ('unanswered', 'made', 'void')", name="mints_state_known"),
    )
    op.create_index("mints_target", "mints", ["account_id", "target_key"])


def _create_audit_log(time: sa.DateTime) -> None:
    op.create_table(
        "audit_log",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("at", time, nullable=False),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("caller_id", sa.Text, nullable=False),
        sa.Column("team", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("account_id", sa.Text, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("request_id", sa.Text, nullable=False),
        sa.Column("row_id", sa.Text, nullable=False),
        sa.Column("details", sa.JSON, nullable=False),
        sa.CheckConstraint(
            "event IN ('intent', 'outcome', 'failure', 'denied', 'takeover', 'reissue', 'second-look')",
            name="audit_log_event_known",
        ),
        sqlite_autoincrement=True,
    )
