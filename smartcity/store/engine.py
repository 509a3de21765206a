"""The connection to the serving database."""

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, event, make_url
from sqlalchemy import create_engine as sqlalchemy_engine
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from smartcity.errors import SettingsError
from smartcity.settings import Settings
from smartcity.store.migrate import migrate

__all__ = ["Connection", "Engine", "create_all", "create_engine"]

#: How long a statement waits for another process's write before it fails.
BUSY_SECONDS = 10


def create_engine(settings: Settings, statement_seconds: int | None = None) -> Engine:
    """An engine for ``settings.database``: SQLite in WAL mode by default, PostgreSQL by its URL.

    ``statement_seconds``: PostgreSQL ends a statement that takes longer.

    Raises: SettingsError where the URL is none.
    """
    try:
        url = make_url(settings.database)
        if url.get_backend_name() == "sqlite":
            return _sqlite(settings.database, url.database)
        if url.drivername == "postgresql":
            url = url.set(drivername="postgresql+psycopg")
        options = {"options": f"-c statement_timeout={statement_seconds}s"} if statement_seconds else {}
        return sqlalchemy_engine(url, pool_pre_ping=True, connect_args=options)
    except (ArgumentError, NoSuchModuleError) as error:
        raise SettingsError(
            f"TRAFFIC_DATABASE_URL does not name a database ({error}); use sqlite:///FILE or postgresql://HOST/NAME"
        ) from error


def create_all(engine: Engine) -> None:
    """Bring the database to the newest schema; two processes that start at once do it one after the other."""
    migrate(engine)


def _sqlite(address: str, file: str | None) -> Engine:
    if file and file != ":memory:":
        Path(file).parent.mkdir(parents=True, exist_ok=True)
    engine = sqlalchemy_engine(address, connect_args={"timeout": BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def _tune(connection: Any, _: Any) -> None:
        # WAL: readers never wait for the stream's writes. With WAL, synchronous=NORMAL survives a killed process; a
        # power cut may lose the last transactions, which the stream's checkpoint then writes again.
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", f"busy_timeout={BUSY_SECONDS * 1000}"):
            connection.execute(f"PRAGMA {pragma}")

    return engine
