from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from smartcity.settings import Settings
from smartcity.store.engine import create_engine
from smartcity.store.migrate import NEWEST, configuration, migrate, version
from smartcity.store.tables import Base


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.integration)])
def engine(request, tmp_path):
    url = request.getfixturevalue("postgresql") if request.param == "postgresql" else ""
    engine = create_engine(Settings(home=tmp_path, database_url=url, _env_file=None))
    Base.metadata.drop_all(engine)
    with engine.begin() as connection:
        connection.execute(text("drop table if exists alembic_version"))
    yield engine
    engine.dispose()


def test_the_newest_step_is_the_one_that_the_code_names():
    assert ScriptDirectory.from_config(configuration()).get_current_head() == NEWEST


def test_the_steps_lead_to_the_tables_that_the_code_knows(engine):
    migrate(engine)
    with engine.connect() as connection:
        assert version(connection) == NEWEST
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_a_database_from_before_there_were_steps_keeps_its_rows(engine):
    Base.metadata.create_all(engine, [Base.metadata.tables[name] for name in ("scored_windows", "stream_progress")])
    values = "'windows', 7, '2026-03-04 12:00:00', 1, 1, 1, 1, 1, 1, 1, 1"
    columns = (
        "query, batch_id, updated_utc, input_rows, input_rows_per_second, batch_seconds, lag_events, total_read, "
        "total_good, total_rejected, total_late"
    )
    with engine.begin() as connection:
        connection.execute(text(f"insert into stream_progress ({columns}) values ({values})"))
    migrate(engine)
    with engine.connect() as connection:
        assert connection.execute(text("select batch_id from stream_progress")).scalar() == 7
        assert inspect(connection).has_table("window_rollups")


def test_two_processes_that_start_at_once_do_it_once(engine):
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(migrate, engine) for _ in range(4)]:
            done.result()
    with engine.connect() as connection:
        assert version(connection) == NEWEST


def test_every_step_can_be_taken_back(engine):
    migrate(engine)
    with engine.begin() as connection:
        command.downgrade(configuration(connection), "base")
        assert set(inspect(connection).get_table_names()) <= {"alembic_version"}
