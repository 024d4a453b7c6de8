"""When a request was first done: from then on, for a while, its secrets may be issued again."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the column; where it is empty, as in what an older release has done, the last end counts."""
    op.add_column("requests", sa.Column("done_at", sa.DateTime(timezone=op.get_context().dialect.name == "postgresql")))
