from datetime import UTC, datetime

import numpy as np
import pytest

from smartcity.city import City
from smartcity.spark.windows import aggregate_windows
from smartcity.windows import WindowBlock

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SCHEMA = "vehicle_id string, timestamp_utc timestamp, speed_mph double, cell_id string"


def at(second: int) -> datetime:
    return datetime.fromtimestamp(NOON.timestamp() + second, UTC)


@pytest.fixture
def positions(spark):
    return spark.createDataFrame(
        [
            ("taxi_1", at(0), 10.0, "a"),
            ("taxi_1", at(60), 20.0, "a"),
            ("taxi_2", at(119), 30.0, "a"),
            ("taxi_2", at(120), 40.0, "a"),
            ("taxi_3", at(5), 12.34, "b"),
        ],
        SCHEMA,
    )


def test_a_window_counts_positions_and_distinct_vehicles_of_its_own_two_minutes(positions):
    found = {(r.cell_id, r.window_start_utc.timestamp()): r for r in aggregate_windows(positions, City()).collect()}
    first = found["a", at(0).timestamp()]
    assert (first.position_count, first.vehicle_count, first.avg_speed_mph) == (3, 2, 20.0)
    assert first.std_speed_mph == pytest.approx(np.std([10, 20, 30]))
    assert found["a", at(120).timestamp()].avg_speed_mph == 40.0
    assert (found["b", at(0).timestamp()].speed_sum, found["b", at(0).timestamp()].std_speed_mph) == (1234, 0.0)


def test_spark_and_numpy_derive_the_same_mean_and_deviation(positions):
    table = aggregate_windows(positions, City()).orderBy("cell_id", "window_start_utc").toArrow()
    block = WindowBlock.of(table, City())
    seen = block.position_count.T > 0
    assert block.avg_speed_mph().T[seen].tolist() == table["avg_speed_mph"].to_pylist()
    assert block.std_speed_mph().T[seen].tolist() == table["std_speed_mph"].to_pylist()


def test_distinct_vehicles_over_windows_counts_a_vehicle_that_stays_once(positions):
    block = WindowBlock.of(aggregate_windows(positions, City()).toArrow(), City())
    assert block.distinct_vehicles(5)[:, block.cells.index("a")].tolist() == [2, 2]
