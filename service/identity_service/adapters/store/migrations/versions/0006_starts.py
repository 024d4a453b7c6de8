"""Every start of an operation, and when each of its users was made."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Create the table and add the column; of what was started before, the operation's row tells the last starts."""
    op.create_table(
        "operation_starts",
        sa.Column(
            "operation_id",
            sa.Text,
            sa.ForeignKey("operations.operation_id", name="operation_starts_operation", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("request_id", sa.Text, primary_key=True),
        sa.Column("fingerprint", sa.Text, nullable=False),
    )
    time = sa.DateTime(timezone=op.get_context().dialect.name == "postgresql")
    op.add_column("operation_users", sa.Column("made_at", time))
