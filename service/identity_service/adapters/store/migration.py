"""The version of the schema: brought up to date by a command, looked at by each start.

A start never changes tables that hold something: with several replicas, some would still run the older release. Those
work with a newer schema too, as long as its migrations only add; the database says which releases that holds for. So
versions are numbers of four digits, each higher than the one before.
"""

import threading
from collections.abc import Collection
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from identity_service.adapters.store.database import Database
from identity_service.adapters.store.engines import database_of
from identity_service.adapters.store.errors import StoreError, cause_of
from identity_service.adapters.store.schema import schema_support

FOLDER = Path(__file__).parent / "migrations"
VERSION_TABLE = "alembic_version"
_one_at_a_time = threading.Lock()  # Alembic keeps the migration that runs in a global


def migrate(database_url: str) -> str:
    """Bring a database to this release's schema, or create it; return the version that it has. There is no way back.

    A newer schema that this release works with is left as it is.

    Raises:
        StoreError: the database cannot be used, is somebody else's, or of a release too new to work with.
    """
    database = database_of(database_url)
    database.prepare()
    engine = database.create_engine(1)
    try:
        with engine.begin() as connection:
            database.verify(connection)
            database.lock_migrations(connection)
            version = _version_of(database, connection)
            if version is None or version < _newest():
                _upgrade(connection)
                version = _newest()
    except sa.exc.SQLAlchemyError as error:
        raise unusable(database, error) from None
    finally:
        engine.dispose()
    return version


def ensure_schema(database: Database, engine: sa.Engine) -> None:
    """Refuse a schema that this release cannot work with; create it where an empty database needs no command.

    Raises:
        StoreError: with words for the operator.
    """
    try:
        with engine.begin() as connection:
            database.verify(connection)
            if database.creates_schema and _version_of(database, connection) is None:
                _upgrade(connection)
            require_schema(database, connection)
    except sa.exc.SQLAlchemyError as error:
        raise unusable(database, error) from None


def require_schema(database: Database, connection: sa.Connection) -> None:
    """Refuse a schema that this release cannot work with. Raises StoreError, with words for the operator."""
    version = _version_of(database, connection)
    if version is None:
        raise StoreError(f"{database.name} is empty: run `identity-service migrate`")
    if version < _newest():
        raise StoreError(
            f"{database.name} has schema version {version}, this release needs {_newest()}: "
            "run `identity-service migrate`"
        )


def _version_of(database: Database, connection: sa.Connection) -> str | None:
    """Return the version, None for an empty database; refuse what this release neither knows nor works with."""
    tables = sa.inspect(connection).get_table_names()
    if not tables:
        return None
    if VERSION_TABLE not in tables:
        raise StoreError(f"{database.name} holds tables of something else; the store needs a database of its own")
    versions = MigrationContext.configure(connection).get_current_heads()
    if len(versions) != 1 or not (versions[0] in _known() or _supports_this_release(connection, tables)):
        # Somebody else's version is not repeated: it may be anything.
        raise StoreError(
            f"{database.name} has a schema that this release does not know: "
            "run the release that wrote it, or a newer one"
        )
    return versions[0]


def _supports_this_release(connection: sa.Connection, tables: Collection[str]) -> bool:
    """Tell whether a newer release has left word that this one can work with its schema."""
    if schema_support.name not in tables:
        return False
    oldest = connection.execute(sa.select(schema_support.c.oldest_version)).scalars().all()
    return len(oldest) == 1 and oldest[0] in _known()


def _upgrade(connection: sa.Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    with _one_at_a_time:
        command.upgrade(config, "head")


def _known() -> frozenset[str]:
    return frozenset(script.revision for script in ScriptDirectory(str(FOLDER)).walk_revisions())


def _newest() -> str:
    (newest,) = ScriptDirectory(str(FOLDER)).get_heads()
    return newest


def unusable(database: Database, error: BaseException) -> StoreError:
    """Say that a database cannot be used, without the words of its driver."""
    return StoreError(f"{database.name} cannot be used ({cause_of(error)})")
