"""Which older releases can work with a schema that is newer than theirs."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create the table with its one row. A later migration that older releases cannot work with raises the version."""
    table = op.create_table("schema_support", sa.Column("oldest_version", sa.Text, nullable=False))
    op.bulk_insert(table, [{"oldest_version": revision}])
