"""The connection to the serving database."""

import sqlite3
import time
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, event, make_url
from sqlalchemy import create_engine as sqlalchemy_engine
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from smartcity.errors import SettingsError
from smartcity.settings import Settings
from smartcity.store.migrate import migrate

__all__ = ["Connection", "Engine", "create_all", "create_engine", "open_engine", "took_too_long"]

#: SQLite looks at the clock every so many steps of its machine, about a millisecond.
STEPS_PER_LOOK = 100_000
#: How long a statement waits for another process's write before it fails.
BUSY_SECONDS = 10


def create_engine(settings: Settings, statement_seconds: float | None = None) -> Engine:
    """An engine for ``settings.database``: SQLite in WAL mode by default, PostgreSQL by its URL.

    ``statement_seconds``: a statement that takes longer is ended; see ``took_too_long``.

    Raises: SettingsError where the URL is none.
    """
    try:
        url = make_url(settings.database)
        if url.get_backend_name() == "sqlite":
            return _sqlite(settings.database, url.database, statement_seconds)
        if url.drivername == "postgresql":
            url = url.set(drivername="postgresql+psycopg")
        options = {"options": f"-c statement_timeout={int(statement_seconds * 1000)}"} if statement_seconds else {}
        return sqlalchemy_engine(url, pool_pre_ping=True, connect_args=options)
    except (ArgumentError, NoSuchModuleError) as error:
        raise SettingsError(
            f"TRAFFIC_DATABASE_URL does not name a database ({error}); use sqlite:///FILE or postgresql://HOST/NAME"
        ) from error


def create_all(engine: Engine) -> None:
    """Bring the database to the newest schema; two processes that start at once do it one after the other."""
    migrate(engine)


def open_engine(settings: Settings) -> Engine:
    """An engine for ``settings.database``, which is brought to the newest schema first."""
    engine = create_engine(settings)
    create_all(engine)
    return engine


def took_too_long(error: SQLAlchemyError) -> bool:
    """Whether a statement failed because it was ended after ``statement_seconds``."""
    cause = getattr(error, "orig", None)
    # SQLite's code for "interrupted" is 9, PostgreSQL's for "query canceled" 57014.
    return getattr(cause, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT or (
        getattr(cause, "sqlstate", None) == "57014"
    )


def _limit(engine: Engine, seconds: float) -> None:
    """End statements that take longer. SQLite knows no such thing: its machine is asked to look at the clock."""

    @event.listens_for(engine, "connect")
    def _watch(connection: Any, record: Any) -> None:
        record.info["until"] = time.monotonic() + seconds
        connection.set_progress_handler(lambda: time.monotonic() > record.info["until"], STEPS_PER_LOOK)

    @event.listens_for(engine, "before_cursor_execute")
    def _begin(connection: Connection, *_: Any) -> None:
        connection.info["until"] = time.monotonic() + seconds


def _sqlite(address: str, file: str | None, statement_seconds: float | None) -> Engine:
    if file and file != ":memory:":
        Path(file).parent.mkdir(parents=True, exist_ok=True)
    engine = sqlalchemy_engine(address, connect_args={"timeout": BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def _tune(connection: Any, _: Any) -> None:
        # WAL: readers never wait for the stream's writes. With WAL, synchronous=NORMAL survives a killed process; a
        # power cut may lose the last transactions, which the stream's checkpoint then writes again.
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", f"busy_timeout={BUSY_SECONDS * 1000}"):
            connection.execute(f"PRAGMA {pragma}")

    if statement_seconds:
        _limit(engine, statement_seconds)
    return engine
