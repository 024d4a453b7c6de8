"""Alembic runs this for each migration; `migration.py` hands the connection over and has begun the transaction."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
with context.begin_transaction():
    context.run_migrations()
