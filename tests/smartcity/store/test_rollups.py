from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from smartcity.settings import Settings
from smartcity.store.engine import create_all, create_engine
from smartcity.store.rollups import prune_rollups, roll_up, rolled_until
from smartcity.store.tables import WHOLE_CITY, RollupRow
from smartcity.store.writer import upsert_windows, window_row
from tests.api.rows import scored, start_of

#: Of NOON: windows 60 ago to 31 ago are the hour before.
WINDOW = timedelta(minutes=2)
NOON = datetime(2026, 3, 3, 17, 0, tzinfo=UTC)


@pytest.fixture
def engine(tmp_path):
    engine = create_engine(Settings(home=tmp_path, _env_file=None))
    create_all(engine)
    with engine.begin() as connection:
        windows = [scored("a", step, 0.8, "low", forecast="low") for step in range(1, 91)]
        windows += [scored("b", step, 0.4, "high", forecast="high") for step in range(1, 91)]
        upsert_windows(connection, [window_row(window) for window in windows])
    yield engine
    engine.dispose()


def row(engine, minutes, cell, start):
    query = select(RollupRow.__table__).where(
        RollupRow.period_minutes == minutes, RollupRow.cell_id == cell, RollupRow.start_utc == start
    )
    with engine.connect() as connection:
        return connection.execute(query).mappings().first()


def test_an_hour_of_the_city_and_of_a_cell_is_what_its_windows_say(engine):
    roll_up(engine, WINDOW, NOON)
    hour = row(engine, 60, WHOLE_CITY, NOON - timedelta(hours=2))
    assert (hour["windows"], hour["vehicle_count"], hour["known"], hour["high"]) == (30, 240, 60, 30)
    assert hour["ratio_sum"] / hour["known"] == pytest.approx(0.6)
    assert hour["speed_positions"] / hour["position_count"] == pytest.approx(12.0)
    # Every window from here on was foretold 8 windows before, by both cells.
    assert hour["forecasts"] == 60
    assert hour["chance_high_sum"] / 60 == pytest.approx((0.1 + 0.7) / 2)
    cell = row(engine, 60, "b", NOON - timedelta(hours=2))
    assert (cell["windows"], cell["least_speed_mph"], cell["most_share_high"]) == (30, 8.0, 1.0)


def test_nothing_is_summed_that_may_still_change(engine):
    roll_up(engine, WINDOW, NOON)
    with engine.connect() as connection:
        assert rolled_until(connection, timedelta(minutes=15)) == NOON - timedelta(minutes=30)
        assert rolled_until(connection, timedelta(hours=1)) == NOON - timedelta(hours=1)


def test_a_second_turn_goes_on_where_the_first_stopped(engine):
    while roll_up(engine, WINDOW, NOON, most=3) >= 3:
        pass
    whole = row(engine, 60, WHOLE_CITY, NOON - timedelta(hours=2))
    assert whole["windows"] == 30
    assert roll_up(engine, WINDOW, NOON) == 0


def test_a_silence_of_months_is_leapt_over(engine):
    with engine.begin() as connection:
        upsert_windows(connection, [window_row(scored("a", -30 * 24 * 90, 0.8, "low"))])
    later = start_of(-30 * 24 * 90) + timedelta(hours=3)
    while roll_up(engine, WINDOW, later) >= 90:
        pass
    assert row(engine, 15, "a", start_of(-30 * 24 * 90)) is not None


def test_old_sums_are_deleted(engine):
    roll_up(engine, WINDOW, NOON)
    assert prune_rollups(engine, NOON, timedelta(hours=1)) > 0
    assert row(engine, 60, WHOLE_CITY, NOON - timedelta(hours=2)) is None
