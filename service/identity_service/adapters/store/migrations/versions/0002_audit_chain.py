"""The audit log in hash chains; what was there before becomes a chain of its own."""

import sqlalchemy as sa
from alembic import op

from identity_service.adapters.store.audit_chain import HASHED, first_head, hash_of
from identity_service.adapters.store.audit_reader import stored_pages

revision = "0002"
down_revision = "0001"

CHAIN_BEFORE = "before-0002"
CHAIN_COLUMNS = ("chain_id", "sequence", "previous_hash", "hash")

CHAIN_LINE = sa.text(
    "UPDATE audit_log SET chain_id = :chain_id, sequence = :sequence, previous_hash = :previous_hash, hash = :hash"
    " WHERE id = :id"
)

SQLITE_REFUSES_UPDATE = """CREATE TRIGGER audit_log_refuses_update BEFORE UPDATE ON audit_log
    BEGIN SELECT RAISE(ABORT, 'audit_log is append-only'); END"""


def upgrade() -> None:
    """Add the columns, chain what is there, and let nobody change it from then on."""
    op.add_column("audit_log", sa.Column("trace_id", sa.Text, nullable=False, server_default=""))
    op.add_column("audit_log", sa.Column("chain_id", sa.Text))
    op.add_column("audit_log", sa.Column("sequence", sa.Integer))
    op.add_column("audit_log", sa.Column("previous_hash", sa.Text))
    op.add_column("audit_log", sa.Column("hash", sa.Text))
    if op.get_context().dialect.name == "postgresql":
        op.execute("ALTER TABLE audit_log DISABLE TRIGGER audit_log_refuses_change")
        _chain_what_is_there(op.get_bind())
        op.execute("ALTER TABLE audit_log ENABLE TRIGGER audit_log_refuses_change")
    else:
        op.execute("DROP TRIGGER audit_log_refuses_update")
        _chain_what_is_there(op.get_bind())
        op.execute(SQLITE_REFUSES_UPDATE)
    op.create_index("audit_log_in_chain", "audit_log", ["chain_id", "sequence"], unique=True)
    op.create_index("audit_log_row_id", "audit_log", ["row_id"])


def _chain_what_is_there(connection: sa.Connection) -> None:
    head = first_head(CHAIN_BEFORE)
    for page in stored_pages(connection):
        lines = []
        for line in page:
            if line["event"] == "denied":
                continue
            sequence = head.sequence + 1
            hash_ = hash_of(CHAIN_BEFORE, sequence, head.hash, {name: line[name] for name in HASHED})
            lines.append(
                {
                    "id": line["id"],
                    "chain_id": CHAIN_BEFORE,
                    "sequence": sequence,
                    "previous_hash": head.hash,
                    "hash": hash_,
                }
            )
            head = type(head)(CHAIN_BEFORE, sequence, hash_)
        if lines:
            connection.execute(CHAIN_LINE, lines)
