"""The database's schema, step by step with Alembic: a database of any earlier version is brought to the newest."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect, text

FOLDER = Path(__file__).parent / "migrations"
#: The schema of databases from before there were migrations.
FIRST = "0001"
#: Any number that nobody else locks in PostgreSQL.
LOCK = 7_214_205


def configuration(connection: Connection | None = None) -> Config:
    """Alembic's configuration, without a file: the connection is ours."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.attributes["connection"] = connection
    return config


def newest() -> str:
    """The newest version there is."""
    return str(ScriptDirectory.from_config(configuration()).get_current_head())


def version(connection: Connection) -> str | None:
    """The database's version; None where it is empty, or older than migrations are."""
    return MigrationContext.configure(connection).get_current_revision()


def migrate(engine: Engine) -> None:
    """Bring the database to the newest version, in one transaction."""
    target = newest()
    with engine.connect() as connection:
        if version(connection) == target:
            return
    with engine.connect() as connection, connection.begin():
        _lock(connection)
        if version(connection) == target:
            return
        config = configuration(connection)
        if version(connection) is None and inspect(connection).has_table("scored_windows"):
            command.stamp(config, FIRST)
        command.upgrade(config, "head")


def _lock(connection: Connection) -> None:
    """Held until the transaction ends."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("select pg_advisory_xact_lock(:number)"), {"number": LOCK})
    elif connection.dialect.name == "sqlite":
        # Python's driver begins with the first write: by then two processes have read the same old version.
        connection.connection.driver_connection.execute("BEGIN IMMEDIATE")  # type: ignore[union-attr]
