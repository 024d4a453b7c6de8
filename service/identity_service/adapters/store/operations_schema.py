"""The tables of operations, as queries need them."""

import sqlalchemy as sa

from identity_service.adapters.store.schema import UtcDateTime, metadata, one_of
from identity_service.domain.operation import OperationState, UserState

operations = sa.Table(
    "operations",
    metadata,
    sa.Column("operation_id", sa.Text, primary_key=True),
    sa.Column("caller_id", sa.Text, nullable=False),
    sa.Column("request_id", sa.Text, nullable=False),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column("team", sa.Text, nullable=False),
    sa.Column("account_id", sa.Text, nullable=False),
    sa.Column("recipients", sa.JSON, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("total_users", sa.Integer, nullable=False),
    # The last starts that were carried out, one as a plan, one to run: what releases before `operation_starts` know.
    sa.Column("plan_request_id", sa.Text, nullable=False),
    sa.Column("start_request_id", sa.Text, nullable=False),
    sa.Column("plan_digest", sa.Text, nullable=False),
    sa.Column("expected_plan_digest", sa.Text, nullable=False),
    sa.Column("quota_uses", sa.JSON, nullable=False),
    # NULL while it changes: then the users are counted.
    sa.Column("progress", sa.JSON(none_as_null=True)),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("started_at", UtcDateTime),
    sa.Column("ended_at", UtcDateTime),
    sa.Column("updated_at", UtcDateTime, nullable=False),
    # By which the trace of each user is linked to that of the start.
    sa.Column("traceparent", sa.Text),
    sa.UniqueConstraint("caller_id", "request_id", name="operations_once_per_caller"),
    one_of("operations", "state", OperationState),
    sa.Index("operations_of_team", "account_id", "team", "created_at"),
    sa.Index("operations_state", "state"),
)

operation_batches = sa.Table(
    "operation_batches",
    metadata,
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

# Every start that was carried out, so that none is carried out again, however late it comes once more.
operation_starts = sa.Table(
    "operation_starts",
    metadata,
    sa.Column(
        "operation_id",
        sa.Text,
        sa.ForeignKey("operations.operation_id", name="operation_starts_operation", ondelete="CASCADE"),
        primary_key=True,
    ),
    sa.Column("request_id", sa.Text, primary_key=True),
    sa.Column("fingerprint", sa.Text, nullable=False),
)

operation_users = sa.Table(
    "operation_users",
    metadata,
    sa.Column(
        "operation_id",
        sa.Text,
        sa.ForeignKey("operations.operation_id", name="operation_users_operation", ondelete="CASCADE"),
        primary_key=True,
    ),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("user_name", sa.Text, nullable=False),
    sa.Column("user_key", sa.Text, nullable=False),
    # JSON as text: its length is looked at before it is read.
    sa.Column("change", sa.Text, nullable=False),
    sa.Column("new_groups", sa.Integer, nullable=False),
    sa.Column("new_policies", sa.Integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    # Counts the claims: what an earlier one writes is refused.
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    # Of one that runs, when its claim runs out; of one that waits, until when it rests.
    sa.Column("lease_expires_at", UtcDateTime),
    sa.Column("plan", sa.Text),
    sa.Column("plan_digest", sa.Text, nullable=False),
    sa.Column("outcome", sa.Text),
    sa.Column("made_at", UtcDateTime),
    sa.Column("failure", sa.JSON(none_as_null=True)),
    sa.UniqueConstraint("operation_id", "user_key", name="operation_users_once"),
    one_of("operation_users", "state", UserState),
    sa.Index("operation_users_state", "operation_id", "state", "number"),
)
