"""The trace in which a request and an operation were begun, for links from those that go on with them."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the columns; what was begun before has no trace to be linked to."""
    for table in ("requests", "operations"):
        op.add_column(table, sa.Column("traceparent", sa.Text))
