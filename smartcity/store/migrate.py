"""The database's schema, step by step with Alembic: a database of any earlier version is brought to the newest."""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, inspect, text

if TYPE_CHECKING:
    from alembic.config import Config

FOLDER = Path(__file__).parent / "migrations"
#: The newest step; a test holds it to the folder. Alembic itself takes half a second to import: only where it has work.
NEWEST = "0004"
#: The schema of databases from before there were migrations.
FIRST = "0001"
#: Any number that nobody else locks in PostgreSQL.
LOCK = 7_214_205


def configuration(connection: Connection | None = None) -> "Config":
    """Alembic's configuration, without a file: the connection is ours."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.attributes["connection"] = connection
    return config


def version(connection: Connection) -> str | None:
    """The database's version; None where it is empty, or older than migrations are."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(text("select version_num from alembic_version")).scalar()
    return str(found) if found is not None else None


def migrate(engine: Engine) -> None:
    """Bring the database to the newest version, in one transaction."""
    with engine.connect() as connection:
        if version(connection) == NEWEST:
            return
    from alembic import command

    with engine.connect() as connection, connection.begin():
        _lock(connection)
        if version(connection) == NEWEST:
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
