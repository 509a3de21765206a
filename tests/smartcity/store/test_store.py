from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from smartcity.errors import SettingsError
from smartcity.levels import Level
from smartcity.messages import Forecast, ScoredWindow
from smartcity.settings import Settings
from smartcity.store.engine import create_all, create_engine
from smartcity.store.reader import (
    newest_window_start,
    progress,
    recent_windows,
    scored_windows,
)
from smartcity.store.tables import Base
from smartcity.store.writer import (
    BatchFigures,
    WindowSums,
    balance_progress,
    prune_windows,
    record_progress,
    reset_progress,
    upsert_scores,
    upsert_windows,
    window_row,
)

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.integration)])
def engine(request, tmp_path):
    url = request.getfixturevalue("postgresql") if request.param == "postgresql" else ""
    engine = create_engine(Settings(home=tmp_path, database_url=url, _env_file=None))
    Base.metadata.drop_all(engine)
    with engine.begin() as connection:
        connection.execute(text("drop table if exists alembic_version"))
    create_all(engine)
    yield engine
    engine.dispose()


def scored(cell="882a100d65fffff", start=NOON, positions=3, speed=10.0, forecast=True):
    end = start + timedelta(minutes=2)
    return ScoredWindow(
        cell_id=cell,
        window_start_utc=start,
        window_end_utc=end,
        vehicle_count=3,
        position_count=positions,
        avg_speed_mph=speed,
        std_speed_mph=0.5,
        free_flow_mph=20.0,
        ratio=0.5,
        level=Level.MEDIUM,
        forecast=Forecast(
            made_utc=end,
            for_utc=end + timedelta(minutes=16),
            level=Level.HIGH,
            probability_low=0.1,
            probability_medium=0.2,
            probability_high=0.7,
            expected_speed_mph=8.0,
            model_version="3",
        )
        if forecast
        else None,
        updated_utc=NOON,
    )


def row(**fields):
    return window_row(scored(**fields), WindowSums(3000, 3_000_000, -(2**63)))


def batch(batch_id, read=11, good=10, rejected=0):
    return BatchFigures(batch_id, NOON, NOON, read, good, rejected, 5.0, 0.2, 0, "3")


def write(engine, rows):
    with engine.begin() as connection:
        upsert_windows(connection, rows)


def record(engine, *batches):
    with engine.begin() as connection:
        for figures in batches:
            record_progress(connection, "windows", figures)


def test_a_window_comes_back_as_it_was_written(engine):
    write(engine, [row(), row(cell="882a100d67fffff", forecast=False)])
    assert scored_windows(engine, NOON) == [scored(), scored(cell="882a100d67fffff", forecast=False)]


def test_a_window_written_again_is_replaced_not_doubled(engine):
    write(engine, [row(positions=3, speed=10.0)])
    write(engine, [row(positions=7, speed=9.0)])
    [stored] = scored_windows(engine, NOON)
    assert (stored.position_count, stored.avg_speed_mph) == (7, 9.0)


def test_more_windows_than_one_statement_can_carry_are_all_written(engine):
    write(engine, [row(cell=f"cell-{index}") for index in range(3500)])
    assert recent_windows(engine, NOON).num_rows == 3500


def test_a_set_of_vehicles_with_its_highest_bit_survives(engine):
    write(engine, [row()])
    assert recent_windows(engine, NOON).column("vehicle_bits").to_pylist() == [-(2**63)]


def test_recent_windows_are_within_the_span_and_in_order(engine):
    starts = [NOON + timedelta(minutes=2 * step) for step in (2, 0, 1, -1)]
    write(engine, [row(start=start) for start in starts])
    found = recent_windows(engine, NOON, NOON + timedelta(minutes=4)).column("window_start_utc").to_pylist()
    assert found == [NOON, NOON + timedelta(minutes=2)]
    assert newest_window_start(engine) == NOON + timedelta(minutes=4)


def test_an_empty_database_reads_as_empty_tables(engine):
    assert recent_windows(engine, NOON).num_rows == 0
    assert newest_window_start(engine) is None
    assert progress(engine) == {}


def test_totals_grow_once_per_batch_however_often_it_is_recorded(engine):
    record(engine, batch(0), batch(1, good=5), batch(1, good=5))
    found = progress(engine)["windows"]
    assert (found["batch_id"], found["total_read"], found["total_good"]) == (1, 22, 15)


def test_what_was_read_is_good_rejected_or_late(engine):
    with engine.begin() as connection:
        record_progress(connection, "windows", batch(0, read=20, good=15))
        record_progress(connection, "rejected", batch(0, read=20, good=0, rejected=3))
        balance_progress(connection, "windows", "rejected", late=2)
        record_progress(connection, "windows", batch(1, read=5, good=5))
        balance_progress(connection, "windows", "rejected", late=1)
    found = progress(engine)["windows"]
    assert (found["total_read"], found["total_good"], found["total_rejected"], found["total_late"]) == (25, 20, 3, 2)


def test_a_window_scored_again_keeps_its_measurements(engine):
    write(engine, [row(positions=7)])
    with engine.begin() as connection:
        upsert_scores(connection, [window_row(scored(positions=0, forecast=False))])
    [stored] = scored_windows(engine, NOON)
    assert (stored.position_count, stored.forecast) == (7, None)
    assert recent_windows(engine, NOON).column("speed_sum").to_pylist() == [3000]


def test_a_reset_query_counts_from_nothing(engine):
    record(engine, batch(4))
    reset_progress(engine, "windows")
    record(engine, batch(0, good=2))
    assert progress(engine)["windows"]["total_good"] == 2


def test_old_windows_are_pruned_and_counted(engine):
    write(engine, [row(), row(start=NOON + timedelta(hours=1))])
    assert prune_windows(engine, NOON + timedelta(minutes=30)) == 1
    assert newest_window_start(engine) == NOON + timedelta(hours=1)


def test_readers_are_not_blocked_by_an_open_write(engine):
    write(engine, [row()])
    with engine.begin() as connection:
        upsert_windows(connection, [row(positions=9)])
        assert scored_windows(engine, NOON)[0].position_count == 3


def test_a_url_that_names_no_database_is_refused_by_name(tmp_path):
    with pytest.raises(SettingsError, match="TRAFFIC_DATABASE_URL"):
        create_engine(Settings(home=tmp_path, database_url="nonsense", _env_file=None))
