"""How much of the truth each kind of data shows: the level from 10 minutes of positions, against the true level.

Probes carry local speeds; trip records only their averages, which no simulation brings back. Both figures are in the
docs, so both are held here.
"""

from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from smartcity.city import City
from smartcity.columns import TRIPS, UTC_TIMESTAMP
from smartcity.generator.demand import demand
from smartcity.generator.drive import drive
from smartcity.generator.layout import layout_of
from smartcity.generator.truth import truth
from smartcity.grid import CellGrid
from smartcity.levels import ESTIMATE_MINUTES, class_index
from smartcity.localtime import MICROS
from smartcity.positions import positions_from_trips

CITY, SEED, DAY = City(), 3, date(2016, 1, 6)
STEPS = ESTIMATE_MINUTES // CITY.window_minutes


@pytest.fixture(scope="module")
def driven():
    trips = demand(CITY, SEED, DAY, 30_000)
    return trips, drive(CITY, SEED, trips, with_pings=True)


@pytest.fixture(scope="module")
def true():
    rows = truth(CITY, SEED, DAY)
    cells = layout_of(CITY, SEED).cells
    shape = (rows.num_rows // len(cells), len(cells))
    first = rows.column("window_start_utc")[0].value // MICROS // CITY.window_seconds
    speed, free_flow = (rows.column(name).to_numpy().reshape(shape) for name in TRUTH_SPEEDS)
    return cells, first, speed, free_flow


TRUTH_SPEEDS = ("true_speed_mph", "true_free_flow_mph")


def agreement(cells, window, speed_mph, true):
    """Share of cell-windows with 6 positions or more whose level is the true one."""
    names, first, speed, free_flow = true
    column = pc.index_in(cells, pa.array(names)).fill_null(-1).to_numpy(zero_copy_only=False)
    row = window - first
    keep = (column >= 0) & (row >= 0) & (row < len(speed))
    total, count = np.zeros(speed.shape), np.zeros(speed.shape)
    np.add.at(total, (row[keep], column[keep]), speed_mph[keep])
    np.add.at(count, (row[keep], column[keep]), 1)
    total, count = total.cumsum(axis=0), count.cumsum(axis=0)
    total[STEPS:], count[STEPS:] = total[STEPS:] - total[:-STEPS], count[STEPS:] - count[:-STEPS]
    known = count >= 6
    level = class_index(np.divide(total, count, where=known, out=np.zeros_like(total)) / free_flow)
    return (level == class_index(speed / free_flow))[known].mean()


def test_probes_show_the_true_level_three_times_in_four(driven, true):
    pings = driven[1].pings
    cells = CellGrid.of(CITY).cells(*layout_of(CITY, SEED).streets.to_degrees(pings.along, pings.across))
    assert 0.72 <= agreement(cells, pings.time_utc // CITY.window_seconds, pings.speed_mph, true) <= 0.85


def test_positions_simulated_from_trips_show_it_two_times_in_three(driven, true):
    trips, taken = driven
    streets, routes = layout_of(CITY, SEED).streets, trips.routes
    start = streets.to_degrees(routes.along, routes.across)
    end = streets.to_degrees(routes.along + routes.delta_along, routes.across + routes.delta_across)
    names = pa.array([f"{number:08x}" for number in range(len(trips))])
    table = pa.table(
        {
            "trip_id": names,
            "vehicle_id": names,
            "pickup_utc": pa.array(trips.pickup_utc * MICROS).cast(UTC_TIMESTAMP),
            "dropoff_utc": pa.array((trips.pickup_utc + taken.seconds) * MICROS).cast(UTC_TIMESTAMP),
            "pickup_latitude": start[0],
            "pickup_longitude": start[1],
            "dropoff_latitude": end[0],
            "dropoff_longitude": end[1],
            "trip_distance_miles": taken.miles,
        }
    )
    assert set(table.schema) < set(TRIPS)
    made = positions_from_trips(table, CITY)
    window = made.column("timestamp_utc").cast(pa.int64()).to_numpy() // MICROS // CITY.window_seconds
    found = agreement(made.column("cell_id").combine_chunks(), window, made.column("speed_mph").to_numpy(), true)
    assert 0.58 <= found <= 0.72
