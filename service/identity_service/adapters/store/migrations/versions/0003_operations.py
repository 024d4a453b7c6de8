"""Operations: many users made as one piece of work."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the tables of operations."""
    time = sa.DateTime(timezone=op.get_context().dialect.name == "postgresql")
    _create_operations(time)
    _create_batches()
    _create_users(time)


def _create_operations(time: sa.DateTime) -> None:
    op.create_table(
        "operations",
        sa.Column("operation_id", sa.Text, primary_key=True),
        sa.Column("caller_id", sa.Text, nullable=False),
        sa.Column("request_id", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("team", sa.Text, nullable=False),
        sa.Column("account_id", sa.Text, nullable=False),
        sa.Column("recipients", sa.JSON, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("total_users", sa.Integer, nullable=False),
        sa.Column("plan_request_id", sa.Text, nullable=False),
        sa.Column("start_request_id", sa.Text, nullable=False),
        sa.Column("plan_digest", sa.Text, nullable=False),
        sa.Column("expected_plan_digest", sa.Text, nullable=False),
        sa.Column("quota_uses", sa.JSON, nullable=False),
        sa.Column("progress", sa.JSON),
        sa.Column("created_at", time, nullable=False),
        sa.Column("started_at", time),
        sa.Column("ended_at", time),
        sa.Column("updated_at", time, nullable=False),
        sa.UniqueConstraint("caller_id", "request_id", name="operations_once_per_caller"),
        sa.CheckConstraint(
            "state IN ('draft', 'planning', 'planned', 'running', 'cancelling', 'done', 'cancelled')",
            name="operations_state_known",
        ),
    )
    op.create_index("operations_of_team", "operations", ["account_id", "team", "created_at"])
    op.create_index("operations_state", "operations", ["state"])


def _create_batches() -> None:
    op.create_table(
        "operation_batches",
        sa.Column(
            "operation_id",
            sa.Text,
            sa.ForeignKey("operations.operation_id", name="operation_batches_operation", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("sequence_number", sa.Integer, primary_key=True),
        sa.Column("request_id", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("total_users", sa.Integer, nullable=False),
        sa.UniqueConstraint("operation_id", "request_id", name="operation_batches_once"),
    )


def _create_users(time: sa.DateTime) -> None:
    op.create_table(
        "operation_users",
        sa.Column(
            "operation_id",
            sa.Text,
            sa.ForeignKey("operations.operation_id", name="operation_users_operation", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("user_name", sa.Text, nullable=False),
        sa.Column("user_key", sa.Text, nullable=False),
        sa.Column("change", sa.Text, nullable=False),
        sa.Column("new_groups", sa.Integer, nullable=False),
        sa.Column("new_policies", sa.Integer, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("lease_expires_at", time),
        sa.Column("plan", sa.Text),
        sa.Column("plan_digest", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text),
        sa.Column("failure", sa.JSON),
        sa.UniqueConstraint("operation_id", "user_key", name="operation_users_once"),
        sa.CheckConstraint(
            "state IN ('waiting', 'running', 'planned', 'made', 'failed')", name="operation_users_state_known"
        ),
    )
    op.create_index("operation_users_state", "operation_users", ["operation_id", "state", "number"])
