"""Windows from arrays are those that a person would count."""

from collections import defaultdict

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smartcity.city import City
from smartcity.columns import WINDOWS
from smartcity.windowsums import WindowSums, vehicle_bits

CITY = City()
FIRST = 24_000_000
NAMES = pa.array(["a", "b", "c"])
VEHICLES = ["taxi_1", "taxi_2", "taxi_3"]

position = st.tuples(
    st.integers(FIRST * 120 - 100, (FIRST + 5) * 120 + 100),
    st.integers(-1, 2),
    st.integers(0, 2),
    st.integers(0, 12000),
)


def added(*parts):
    sums = WindowSums(CITY, FIRST, 5, 3)
    for part in parts:
        second, cell, vehicle, speed = (np.array(column) for column in zip(*part, strict=True))
        sums.add(second * 1_000_000, cell.astype(np.int32), vehicle.astype(np.int32), speed.astype(np.int32))
    return sums.table(NAMES, vehicle_bits(VEHICLES)).cast(WINDOWS)


@settings(max_examples=60, deadline=None)
@given(st.lists(position, min_size=1, max_size=60), st.data())
def test_counts_and_sums_are_those_of_a_plain_loop(positions, data):
    groups = defaultdict(list)
    for second, cell, vehicle, speed in positions:
        if cell >= 0 and FIRST <= second // 120 < FIRST + 5:
            groups[second // 120, cell].append((vehicle, speed))
    cut = data.draw(st.integers(0, len(positions)))
    made = added(*(part for part in (positions[:cut], positions[cut:]) if part)).to_pylist()
    assert [(row["window_start_utc"].timestamp() // 120, row["cell_id"]) for row in made] == [
        (window, NAMES[cell].as_py()) for window, cell in sorted(groups)
    ]
    for row, (_, seen) in zip(made, sorted(groups.items()), strict=True):
        speeds = [speed for _, speed in seen]
        assert (row["position_count"], row["vehicle_count"]) == (len(seen), len({vehicle for vehicle, _ in seen}))
        assert (row["speed_sum"], row["speed_square_sum"]) == (sum(speeds), sum(speed**2 for speed in speeds))
        assert row["avg_speed_mph"] == pytest.approx(sum(speeds) / len(speeds) / 100)
        assert row["std_speed_mph"] == pytest.approx(np.std(speeds) / 100, abs=1e-6)
        assert row["vehicle_bits"] % 2**64 == np.bitwise_or.reduce(
            vehicle_bits([VEHICLES[vehicle] for vehicle, _ in seen])
        )


def test_nothing_gives_an_empty_table():
    assert WindowSums(CITY, FIRST, 5, 3).table(NAMES, vehicle_bits([])).cast(WINDOWS).num_rows == 0
