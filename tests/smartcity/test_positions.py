"""The kernel from trips to positions: what it must keep whatever the trips are."""

import itertools
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smartcity.city import Bounds, City
from smartcity.columns import POSITIONS, TRIPS
from smartcity.events import MAX_SPEED_MPH
from smartcity.positions import ping_counts, positions_from_trips
from smartcity.streets import StreetGrid

CITY = City()
NOON = datetime(2016, 1, 5, 17, tzinfo=UTC)


def trip(trip_id="a", pickup=NOON, seconds=600, miles=2.0, start=(40.75, -73.99), end=(40.77, -73.97)):
    return {
        "trip_id": trip_id,
        "vehicle_id": f"taxi_{trip_id}",
        "pickup_utc": pickup,
        "dropoff_utc": pickup + timedelta(seconds=seconds),
        "pickup_latitude": start[0],
        "pickup_longitude": start[1],
        "dropoff_latitude": end[0],
        "dropoff_longitude": end[1],
        "trip_distance_miles": miles,
        "source_file": "literal",
        "date": date(2016, 1, 5),
    }


def table(*trips):
    return pa.Table.from_pylist(list(trips), schema=TRIPS)


trips_strategy = st.lists(
    st.builds(
        trip,
        trip_id=st.text(max_size=40),
        seconds=st.integers(1, 3 * 3600),
        miles=st.floats(0.01, 60),
        start=st.tuples(st.floats(40.6, 40.85), st.floats(-74.1, -73.8)),
        end=st.tuples(st.floats(40.6, 40.85), st.floats(-74.1, -73.8)),
    ),
    min_size=1,
    max_size=12,
    unique_by=lambda row: row["trip_id"],
)


def test_has_the_columns_of_the_contract():
    assert positions_from_trips(table(trip()), CITY).schema == POSITIONS


def test_pings_come_every_step_and_lie_within_the_trip():
    made = positions_from_trips(table(trip(seconds=600)), CITY)
    times = made.column("timestamp_utc").to_pylist()
    assert len(times) == 10
    assert all(b - a == timedelta(seconds=60) for a, b in itertools.pairwise(times))
    assert NOON <= times[0] < NOON + timedelta(seconds=60)
    assert times[-1] < NOON + timedelta(seconds=600)


@pytest.mark.parametrize("step", [1, 7, 60, 600])
def test_number_of_pings_is_proportional_to_time_on_average(step):
    city = CITY.model_copy(update={"position_step_seconds": step})
    trips = table(*(trip(trip_id=str(n), seconds=95) for n in range(2000)))
    assert ping_counts(trips, city).mean() == pytest.approx(95 / step, rel=0.15)


def test_speeds_at_one_second_add_up_to_the_distance():
    city = CITY.model_copy(update={"position_step_seconds": 1})
    made = positions_from_trips(table(trip(seconds=900, miles=3.7)), city)
    miles = np.sum(made.column("speed_mph").to_numpy()) / 3600
    assert miles == pytest.approx(3.7, rel=2e-3)


def test_half_the_way_is_driven_in_proportion_to_the_speeds():
    """Position and speed tell one story: the way between two pings is the mean of their speeds."""
    straight = trip(seconds=1200, miles=4.0)
    made = positions_from_trips(table(straight), CITY)
    streets = StreetGrid.of(CITY)
    along, across = streets.to_plane(made.column("latitude").to_numpy(), made.column("longitude").to_numpy())
    whole = streets.to_plane(np.array([40.75, 40.77]), np.array([-73.99, -73.97]))
    length = abs(np.diff(whole[0])[0]) + abs(np.diff(whole[1])[0])
    driven = (np.abs(np.diff(along)) + np.abs(np.diff(across))) * 4.0 / length
    speed = made.column("speed_mph").to_numpy()
    assert driven == pytest.approx((speed[1:] + speed[:-1]) / 2 / 60, abs=2e-3)


@settings(max_examples=60, deadline=None)
@given(trips_strategy)
def test_each_trip_is_the_same_alone_in_any_order_and_in_any_batch(rows):
    together = positions_from_trips(table(*rows), CITY)
    backwards = positions_from_trips(table(*reversed(rows)), CITY)
    alone = pa.concat_tables(positions_from_trips(table(row).to_batches()[0], CITY) for row in rows)
    order = [("trip_id", "ascending"), ("timestamp_utc", "ascending")]
    assert together.equals(alone)
    assert together.sort_by(order).equals(backwards.sort_by(order))


@settings(max_examples=60, deadline=None)
@given(trips_strategy)
def test_mean_of_the_speeds_is_the_trips_and_no_ping_leaves_the_box_of_its_ends(rows):
    made = positions_from_trips(table(*rows), CITY, keep_outside=True)
    assert made.num_rows == ping_counts(table(*rows), CITY).sum()
    streets = StreetGrid.of(CITY)
    for row in rows:
        mine = made.filter(pa.compute.equal(made.column("trip_id"), row["trip_id"]))
        speed = mine.column("speed_mph").to_numpy()
        hours = (row["dropoff_utc"] - row["pickup_utc"]).total_seconds() / 3600
        if len(speed) > 2:
            # The inner pings stand for a minute each; what is left is the first and the last one's.
            assert speed[1:-1].sum() / 60 <= row["trip_distance_miles"] + len(speed) * 0.005 / 60
        assert (speed <= MAX_SPEED_MPH).all() and (speed >= 0).all()
        if len(speed) and (speed < MAX_SPEED_MPH).all():
            assert speed.min() <= row["trip_distance_miles"] / hours + 0.01
            assert speed.max() >= row["trip_distance_miles"] / hours - 0.01
        along, across = streets.to_plane(mine.column("latitude").to_numpy(), mine.column("longitude").to_numpy())
        ends = streets.to_plane(
            np.array([row["pickup_latitude"], row["dropoff_latitude"]]),
            np.array([row["pickup_longitude"], row["dropoff_longitude"]]),
        )
        for place, end in ((along, ends[0]), (across, ends[1])):
            assert ((place >= end.min() - 1e-4) & (place <= end.max() + 1e-4)).all()


def test_speed_varies_like_gps_traces_do():
    rng = np.random.default_rng(4)
    minutes = np.clip(np.exp(rng.normal(2.33, 0.72, 4000)), 1, 180)
    rows = [trip(trip_id=str(n), seconds=int(m * 60), miles=m / 6) for n, m in enumerate(minutes)]
    made = positions_from_trips(table(*rows), CITY, keep_outside=True)
    relative = made.column("speed_mph").to_numpy() / 10 - 1
    names = made.column("trip_id").to_numpy(zero_copy_only=False)
    same = names[1:] == names[:-1]
    assert relative.std() == pytest.approx(0.50, abs=0.03)
    assert np.corrcoef(relative[1:][same], relative[:-1][same])[0, 1] == pytest.approx(0.38, abs=0.03)


def test_drops_positions_outside_the_bounds_and_lets_the_caller_count_them():
    small = City(bounds=Bounds(south=40.74, west=-74.0, north=40.76, east=-73.9))
    rows = table(trip(start=(40.75, -73.99), end=(40.90, -73.99), seconds=3600))
    kept, whole = positions_from_trips(rows, small), positions_from_trips(rows, small, keep_outside=True)
    assert 0 < kept.num_rows < whole.num_rows == ping_counts(rows, small).sum()
    assert whole.column("cell_id").null_count == whole.num_rows - kept.num_rows
    assert kept.column("latitude").to_numpy().max() <= 40.76


def test_a_trip_over_midnight_reaches_into_the_next_local_day():
    late = trip(pickup=datetime(2016, 1, 6, 4, 55, tzinfo=UTC), seconds=600)
    assert set(positions_from_trips(table(late), CITY).column("date").to_pylist()) == {
        date(2016, 1, 5),
        date(2016, 1, 6),
    }


@pytest.mark.parametrize("seconds", [0, -60])
def test_a_trip_that_takes_no_time_has_no_positions(seconds):
    assert positions_from_trips(table(trip(seconds=seconds), trip("b")), CITY).num_rows == 10


def test_no_trips_no_positions():
    assert positions_from_trips(table(), CITY).equals(POSITIONS.empty_table())


def test_a_sliced_table_gives_the_same_positions():
    rows = table(*(trip(trip_id=f"trip-{n}") for n in range(5)))
    assert positions_from_trips(rows.slice(3, 2), CITY).equals(
        positions_from_trips(table(trip("trip-3"), trip("trip-4")), CITY)
    )
