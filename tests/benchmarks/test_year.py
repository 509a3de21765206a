"""The database that is filled for the benchmark of a year is one that the platform itself could have written."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select

from api.history import Choice, Span, series
from benchmarks._load import AHEAD, WINDOW, cells
from benchmarks.year import Size, fill
from smartcity.settings import Settings
from smartcity.store.engine import create_all, create_engine
from smartcity.store.reader import newest_window_start
from smartcity.store.tables import RollupRow, WindowRow

END = datetime(2026, 3, 4, 12, tzinfo=UTC)


def test_every_cell_has_every_window_and_its_sums(tmp_path):
    engine = create_engine(Settings(home=tmp_path, _env_file=None))
    create_all(engine)
    with engine.connect() as connection:
        fill(connection, Size(cells=3, window_days=1, days=100, end=END))
        assert connection.execute(select(func.count()).select_from(WindowRow)).scalar() == 3 * 720
        periods = dict(
            connection.execute(
                select(RollupRow.period_minutes, func.count()).group_by(RollupRow.period_minutes)
            ).fetchall()
        )
    assert periods == {15: 4 * 90 * 96, 60: 4 * 100 * 24}, "three cells and the city; quarters for 90 days"
    assert newest_window_start(engine) == END - WINDOW
    days = series(engine, Span(END - timedelta(days=100), END, timedelta(days=1)), WINDOW, AHEAD)
    assert len(days) == 101 and all(point.cells for point in days)
    [cell, *_] = cells(3)
    day = Span(END - timedelta(hours=20), END, WINDOW)
    points = series(engine, day, WINDOW, AHEAD, Choice((cell,)))
    assert sum(point.avg_speed_mph is not None for point in points) == 599, "the newest window is still filling"
