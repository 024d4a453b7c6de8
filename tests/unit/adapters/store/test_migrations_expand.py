"""Migrations only add, so that servers of the release before go on while a rollout is under way."""

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from identity_service.adapters.store.migration import FOLDER

Columns = dict[str, dict[str, bool]]
"""Of each table the columns, and whether an INSERT may leave the column out."""


def columns_after(revision: str, folder: Path) -> Columns:
    """Bring a new database to a revision; return what it holds."""
    engine = sa.create_engine(f"sqlite:///{folder / revision}.sqlite3")
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        inspector = sa.inspect(connection)
        found = {
            table: {
                column["name"]: column["nullable"] or column["default"] is not None
                for column in inspector.get_columns(table)
            }
            for table in inspector.get_table_names()
        }
    engine.dispose()
    return found


def test_versions_are_numbers_that_grow() -> None:
    """Older releases tell by the number that a schema is newer than theirs."""
    revisions = [script.revision for script in ScriptDirectory(str(FOLDER)).walk_revisions()][::-1]
    assert revisions == [f"{number:04}" for number in range(1, len(revisions) + 1)]


def test_no_migration_takes_away_what_an_older_release_uses(tmp_path: Path) -> None:
    """Each revision has all tables and columns of the one before, and new columns of old tables may be left out."""
    revisions = [script.revision for script in ScriptDirectory(str(FOLDER)).walk_revisions()][::-1]
    assert len(revisions) > 1
    before: Columns = {}
    for revision in revisions:
        after = columns_after(revision, tmp_path)
        for table, columns in before.items():
            assert columns.keys() <= after[table].keys(), (revision, table)
            demanded = [name for name, optional in after[table].items() if name not in columns and not optional]
            assert demanded == [], (revision, table)
        before = after
