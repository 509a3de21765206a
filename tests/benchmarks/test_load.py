"""What is said of loads and of scenarios, and the cells that a load drives in."""

import h3
import pytest

from benchmarks._firehose import places
from benchmarks.chaos import line
from benchmarks.chaos_scenarios import Outcome
from benchmarks.scale import chosen, plot, table
from benchmarks.throughput import Load


def load(lag, rate=1_000, cells=60):
    cores, memory = {"stream": 0.02, "broker": 0.01, "api": 0.0}, {"stream": 600, "broker": 300, "api": 90}
    return Load(rate, cells, 60, read_per_second=rate, lag_events=lag, cores=cores, memory_mb=memory)


@pytest.mark.parametrize(
    ("lag", "bounded"),
    [
        ([900] * 50, True),
        ([500, 4_000] * 25, True),
        (list(range(0, 50_000, 1_000)), False),
        ([10_000] * 50, False),
        ([], False),
    ],
)
def test_a_lag_is_bounded_where_it_stays_and_is_small(lag, bounded):
    assert load(lag).bounded is bounded


def test_what_an_event_costs_is_processor_time_by_the_events_that_were_taken_in():
    assert load([1], rate=4_000).cpu_microseconds_per_event == {"stream": 5.0, "broker": 2.5, "api": 0.0}


def test_loads_are_a_cross_and_each_of_them_is_a_row_and_on_the_plot(tmp_path):
    cross = chosen([1, 5, 10], [60, 300, 1_000])
    assert cross == [(1, 300), (5, 300), (10, 300), (5, 60), (5, 1_000)]
    loads = [load([5], rate, cells) for rate, cells in cross]
    assert [row.split(" | ")[:2] for row in table(loads).splitlines()[2:]] == [
        [f"| {rate:,}", f"{cells:,}"] for rate, cells in cross
    ]
    plot(loads, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


def test_the_cells_of_a_load_are_as_many_as_asked_for_and_side_by_side():
    cells = {h3.latlng_to_cell(*place, 8) for place in places(300, 8)}
    assert len(cells) == 300
    assert all(any(near in cells for near in set(h3.grid_disk(cell, 1)) - {cell}) for cell in cells)


def test_a_scenario_is_told_in_a_line_with_what_was_wrong():
    times, loads = [9.0, 31.0, 10.0], [1.5, 2.5, 0.5]
    told = line(Outcome("broker", 1_000, kills=3, recoveries=times, loads=loads, problems=["2 windows differ"]))
    assert "3 kills, recovery 10.0 s, at most 31.0 s at load 2.5: 2 windows differ" in told
    assert line(Outcome("poison", events=10)).endswith("no recovery needed: equal")
    assert "not tried (skipped: no disk)" in line(Outcome("disk", note="skipped: no disk"))
