from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest

from smartcity import columns
from smartcity.city import City
from smartcity.errors import InputError, MissingDataError
from smartcity.lake import Dataset
from streaming.plan import make_plan, parser
from streaming.recording import Recording
from streaming.schedule import micros

#: Monday to Friday; the day after has a stub of positions.
DAYS = [date(2016, 1, 4) + timedelta(days=day) for day in range(5)]
STUB = date(2016, 1, 9)


@pytest.fixture
def dataset(tmp_path):
    dataset = Dataset(str(tmp_path), "city", City())
    rows = [(day, hour) for day in DAYS for hour in range(24)] + [(STUB, 0)]
    dataset.positions.write(
        pa.Table.from_pylist(
            [
                {
                    "vehicle_id": "v",
                    "trip_id": "t",
                    "timestamp_utc": datetime(day.year, day.month, day.day, hour, tzinfo=City().zone),
                    "latitude": 40.7,
                    "longitude": -74.0,
                    "speed_mph": 1.0,
                    "cell_id": "882a100d65fffff",
                    "date": day,
                }
                for day, hour in rows
            ],
            columns.POSITIONS,
        )
    )
    return dataset


def plan(dataset, *arguments):
    return make_plan(parser().parse_args(arguments), dataset, Recording(dataset.positions))


def test_by_default_whole_days_are_moved_to_now_at_the_speed_of_the_clock(dataset):
    found = plan(dataset)
    assert (found.now, found.speed, found.days) == (True, 1.0, tuple(DAYS))


def test_a_speed_means_as_recorded(dataset):
    found = plan(dataset, "--speed", "60")
    assert (found.now, found.speed) == (False, 60.0)


def test_a_span_as_recorded_starts_and_ends_at_its_moments(dataset):
    found = plan(dataset, "--as-recorded", "--from", "2016-01-05T08:00", "--to", "2016-01-05T10:00")
    [leg] = found.legs(None, datetime.now(UTC))
    assert leg.start_us == micros(datetime(2016, 1, 5, 13, tzinfo=UTC))
    assert leg.end_us - leg.start_us == 2 * 3_600_000_000


def test_the_last_day_is_included(dataset):
    found = plan(dataset, "--as-recorded", "--from", "2016-01-04", "--to", "2016-01-05")
    assert found.days == tuple(DAYS[:2])


def test_a_replay_that_goes_on_starts_where_it_stopped(dataset):
    found = plan(dataset, "--as-recorded")
    stopped = micros(datetime(2016, 1, 6, 20, 30, tzinfo=UTC))
    first = next(iter(found.legs(stopped, datetime.now(UTC))))
    assert (first.day, first.start_us) == (date(2016, 1, 6), stopped)


def test_a_live_replay_that_was_away_for_long_starts_at_its_warm_up(dataset):
    found, now = plan(dataset, "--warm-up", "30"), datetime(2026, 11, 23, 17, 0, tzinfo=UTC)
    first = next(iter(found.legs(micros(now - timedelta(hours=9)), now)))
    assert first.start_us + first.shift_us == micros(now - timedelta(minutes=30))


def test_a_live_replay_that_was_away_for_a_moment_leaves_no_gap(dataset):
    found, now = plan(dataset, "--warm-up", "30"), datetime(2026, 11, 23, 17, 0, tzinfo=UTC)
    first = next(iter(found.legs(micros(now - timedelta(minutes=2)), now)))
    assert first.start_us + first.shift_us == micros(now - timedelta(minutes=2))


def test_other_days_are_another_replay(dataset):
    assert plan(dataset, "--from", "2016-01-05").key != plan(dataset).key


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (["--now", "--speed", "max"], InputError, "--as-recorded"),
        (["--from", "last week"], InputError, "2016-01-05T08:00"),
        (["--from", "2020-01-01"], MissingDataError, "it has 2016-01-04 to 2016-01-09"),
    ],
)
def test_what_cannot_be_replayed_is_said_with_the_way_out(dataset, arguments, error, message):
    with pytest.raises(error, match=message):
        plan(dataset, *arguments)
