import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from smartcity import columns
from smartcity.city import City
from smartcity.levels import Level
from smartcity.live import LiveCity
from smartcity.settings import Settings
from smartcity.store.engine import create_all, create_engine
from smartcity.store.reader import progress, scored_windows
from streaming.balance import Balance
from streaming.retention import PRUNE_SECONDS, Retention
from streaming.sinks import Incoming, RejectedSink, WindowSink
from tests.streaming.profiles import even_profile

NOON = datetime(2026, 3, 4, 17, 0, tzinfo=UTC)
CELLS = ("882a100d65fffff", "882a100d67fffff")
SCHEMA = pa.schema([*(f for f in columns.WINDOWS if f.name != "date"), ("newest_event_utc", columns.UTC_TIMESTAMP)])


class Told:
    """Stands in for Kafka: keeps what it is told, and fails when asked to."""

    def __init__(self):
        self.windows, self.rows, self.broken = [], [], False

    def scored(self, windows):
        self.windows.append(list(windows))

    def rejected(self, rows):
        self.rows += rows

    def flush(self):
        if self.broken:
            raise ConnectionError("broker away")


class NoNews:
    def take(self):
        return None


def profile():
    return even_profile(City(), CELLS, NOON - timedelta(days=1))


@pytest.fixture
def engine(tmp_path):
    engine = create_engine(Settings(home=tmp_path, _env_file=None))
    create_all(engine)
    return engine


def sink(engine, told, count=True, watch=None, kept=timedelta(days=30), clock=time.monotonic, balance=None):
    fitted, retention = profile(), Retention(engine, kept, kept, timedelta(minutes=2), clock)
    made = WindowSink(
        LiveCity(City(), fitted), fitted, engine, told, watch or NoNews(), retention, balance or Balance()
    )
    made.restore(count=count)
    return made


def window(cell=CELLS[0], start=NOON, positions=4, mph=10):
    return {
        "cell_id": cell,
        "window_start_utc": start,
        "vehicle_count": positions,
        "position_count": positions,
        "speed_sum": positions * mph * 100,
        "speed_square_sum": positions * (mph * 100) ** 2,
        "vehicle_bits": (1 << positions) - 1,
        "avg_speed_mph": float(mph),
        "std_speed_mph": 0.0,
        "newest_event_utc": start + timedelta(seconds=100),
    }


def batch(batch_id, rows):
    return Incoming(batch_id, rows, 0, datetime.now(UTC), 1.0, None)


def write(made, batch_id, rows, events):
    return made.write(pa.Table.from_pylist(rows, SCHEMA), batch(batch_id, events))


def totals(engine, *names):
    return tuple(progress(engine)["windows"][name] for name in names)


def test_a_changed_window_is_stored_scored_and_told(engine):
    told = Told()
    write(sink(engine, told), 0, [window()], 4)
    [stored] = scored_windows(engine, NOON)
    assert (stored.position_count, stored.free_flow_mph, stored.level) == (4, 20.0, Level.MEDIUM)
    [[said]] = told.windows
    assert said.newest_event_utc == NOON + timedelta(seconds=100)
    assert (said.cell_id, said.level) == (CELLS[0], stored.level)


def test_good_events_are_what_a_batch_added_to_its_windows(engine):
    made = sink(engine, Told())
    write(made, 0, [window(positions=4)], 4)
    write(made, 1, [window(positions=6), window(CELLS[1], positions=3)], 6)
    assert totals(engine, "total_read", "total_good") == (10, 9)


def test_a_batch_that_runs_again_after_a_restart_counts_once(engine):
    write(sink(engine, Told()), 0, [window()], 4)
    write(sink(engine, Told()), 0, [window()], 4)
    assert totals(engine, "total_read", "total_good") == (4, 4)


def test_a_batch_whose_confirmation_failed_runs_again_and_counts_once(engine):
    told = Told()
    made = sink(engine, told)
    told.broken = True
    with pytest.raises(ConnectionError):
        write(made, 0, [window()], 4)
    told.broken = False
    write(made, 0, [window()], 4)
    assert totals(engine, "total_read", "total_good") == (4, 4)
    assert len(told.windows[-1]) == 1


def test_a_restart_goes_on_counting_where_the_database_stands(engine):
    write(sink(engine, Told()), 0, [window(positions=4)], 4)
    write(sink(engine, Told()), 1, [window(positions=5)], 1)
    assert totals(engine, "total_good") == (5,)


def test_a_cell_that_did_not_change_is_not_told_again(engine):
    told = Told()
    made = sink(engine, told)
    write(made, 0, [window(), window(CELLS[1])], 8)
    write(made, 1, [window(positions=5)], 1)
    assert [[said.cell_id for said in batch] for batch in told.windows] == [list(CELLS), [CELLS[0]]]


def test_a_batch_that_spans_hours_scores_each_of_its_windows(engine):
    starts = [NOON + timedelta(hours=hour) for hour in range(6)]
    write(sink(engine, Told()), 0, [window(start=start) for start in reversed(starts)], 24)
    levels = {row.window_start_utc: row.level for row in scored_windows(engine, NOON) if row.position_count}
    assert levels == dict.fromkeys(starts, Level.MEDIUM)


def test_a_window_too_old_to_score_is_stored_with_its_level_unknown(engine):
    made = sink(engine, Told())
    write(made, 0, [window(start=NOON + timedelta(hours=12))], 4)
    write(made, 1, [window(start=NOON)], 4)
    assert next((row.position_count, row.level) for row in scored_windows(engine, NOON)) == (4, Level.UNKNOWN)


def test_rejected_events_are_told_and_balance_what_was_read(engine):
    told, balance = Told(), Balance()
    write(sink(engine, told, balance=balance), 0, [window(positions=4)], 6)
    rows = pa.table({"reject_reason": ["not_json"], "payload": [b"x"]})
    RejectedSink(engine, told, balance).write(rows, batch(0, 6))
    assert told.rows == [{"reject_reason": "not_json", "payload": b"x"}]
    assert totals(engine, "total_read", "total_good", "total_rejected", "total_late") == (6, 4, 1, 1)


def test_a_new_champion_scores_from_the_next_batch_on(engine):
    class Model:
        version = "7"

        def __init__(self):
            self.profile = profile()

        def probabilities(self, features):
            return np.tile([0.1, 0.2, 0.7], (len(features), 1))

        def ratio_change(self, features):
            return np.zeros(len(features))

    news = [Model()]
    made = sink(engine, Told(), watch=SimpleNamespace(take=lambda: news.pop() if news else None))
    assert write(made, 0, [window()], 4).model_version == "7"
    [stored] = scored_windows(engine, NOON)
    assert (stored.forecast.level, stored.forecast.model_version) == (Level.HIGH, "7")


def test_windows_past_their_time_are_deleted_about_hourly(engine):
    clock = [0.0]
    made = sink(engine, Told(), kept=timedelta(days=1.5), clock=lambda: clock[0])

    def days_stored_after(batch_id, day):
        write(made, batch_id, [window(start=NOON + timedelta(days=day))], 4)
        seen = {row.window_start_utc.date() for row in scored_windows(engine, NOON) if row.position_count}
        return sorted((date - NOON.date()).days for date in seen)

    assert days_stored_after(0, 0) == [0]
    assert days_stored_after(1, 2) == [0, 2]
    clock[0] = PRUNE_SECONDS
    assert days_stored_after(2, 3) == [2, 3]
    clock[0] = 2 * PRUNE_SECONDS
    # A replay of an earlier day goes back in time, and keeps what it writes.
    assert days_stored_after(3, 1) == [1, 2, 3]


def test_a_rebuilt_stream_leaves_windows_alone_of_which_it_sees_a_part_only(engine):
    def stored():
        return {row.cell_id: row.position_count for row in scored_windows(engine, NOON)}

    write(sink(engine, Told()), 0, [window(positions=9), window(CELLS[1], positions=9)], 18)
    fitted = profile()
    retention = Retention(engine, timedelta(days=30), timedelta(days=30), timedelta(minutes=2))
    rebuilt = WindowSink(LiveCity(City(), fitted), fitted, engine, Told(), NoNews(), retention, Balance(), True)
    write(rebuilt, 0, [window(positions=3), window(CELLS[1], positions=11)], 14)
    assert stored() == {CELLS[0]: 9, CELLS[1]: 11}
