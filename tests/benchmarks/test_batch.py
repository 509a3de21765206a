"""The peers of the batch benchmark do the same job: the same windows as ours, key by key, and the same refusals."""

import sys
from collections import Counter
from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.batch import DATASET, OURS, PEERS, count, figures, request, run_once, windows_of
from benchmarks.batch_compare import differences
from benchmarks.batch_measure import measure
from smartcity.cli.bench import names
from smartcity.errors import InputError, TrafficError
from smartcity.generator.request import Request
from smartcity.generator.run import generate
from smartcity.lake import Dataset
from smartcity.settings import ROOT, Settings


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Every version on two days of 1,500 trips, between which the clock is put forward; 20 rows come twice."""
    home = tmp_path_factory.mktemp("bench")
    asked = Request(
        city=Settings().city,
        seed=3,
        start=date(2016, 3, 12),
        days=2,
        trips_per_day=1500,
        format="csv",
        with_probes=False,
    )
    generate(asked, home / "input")
    (file,) = (home / "input/trips").glob("*.csv")
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(lines + lines[100:120]))
    return home, {version: run_once(version, home, [file]) for version in (OURS, *PEERS)}


def refusals(version, home):
    """Rows in the quarantine by reason."""
    out = home / f"out-{version}"
    if version == OURS:
        rows = Dataset(str(out / "lake"), DATASET, Settings().city).quarantine.read()
    else:
        rows = pq.read_table(out / "quarantine.parquet")
    return Counter(rows.column("reason").to_pylist())


@pytest.mark.parametrize("peer", PEERS)
def test_a_peer_comes_to_our_windows(runs, peer):
    ours = windows_of(OURS, runs[0])
    assert ours.num_rows > 20_000
    assert differences(ours, windows_of(peer, runs[0])) == []


@pytest.mark.parametrize("peer", PEERS)
def test_a_peer_refuses_the_rows_that_we_refuse(runs, peer):
    ours = refusals(OURS, runs[0])
    assert len(ours) >= 5
    assert refusals(peer, runs[0]) == ours


@pytest.mark.parametrize("peer", PEERS)
def test_a_peer_writes_what_the_batch_writes(runs, peer):
    out = runs[0] / f"out-{peer}"
    days = sorted(path.name for path in (out / "positions").iterdir())
    assert days[:2] == ["date=2016-03-12", "date=2016-03-13"]
    made = pq.read_table(out / "features.parquet")
    assert made.num_rows == windows_of(OURS, runs[0]).num_rows
    assert {"ratio", "ratio_lag_2min", "ratio_lag_90min", "free_flow_mph", "label"} <= set(made.column_names)
    assert set(made.column("label").to_pylist()) == {"low", "medium", "high", None}


def test_figures_say_where_the_time_went(runs):
    found = figures({version: [run] for version, run in runs[1].items()}, 3000)
    for version in (OURS, *PEERS):
        assert found[f"{version}_wall_seconds"] > found[f"{version}_features_seconds"] >= 0
        assert found[f"{version}_peak_memory_gib"] > 0
    assert found["ours_to_duckdb_wall_ratio"] == pytest.approx(
        found["ours_wall_seconds"] / found["duckdb_wall_seconds"], abs=1e-3
    )


def windows(**changes):
    columns = {
        "cell_id": ["a", "b"],
        "window_start_utc": pa.array([0, 0], pa.timestamp("us", tz="UTC")),
        "vehicle_count": [1, 2],
        "position_count": [1, 3],
        "speed_sum": [1000, 3000],
        "speed_square_sum": [1_000_000, 3_000_002],
        "avg_speed_mph": [10.0, 10.0],
        "std_speed_mph": [0.0, 0.01],
    }
    return pa.table({**columns, **changes})


def test_windows_in_another_order_are_the_same():
    assert differences(windows(), windows().take([1, 0])) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"speed_sum": [1000, 3001]}, "speed_sum: 1 differ, the first is 3000 here, 3001 there"),
        ({"avg_speed_mph": [10.0, 10.0 + 1e-8]}, "avg_speed_mph: up to 1e-08 apart"),
        ({"std_speed_mph": [0.0, float("nan")]}, "std_speed_mph: up to nan apart"),
        ({"cell_id": ["a", "c"]}, "cell_id: 1 differ, the first is b here, c there"),
    ],
)
def test_a_difference_is_named(changes, said):
    assert differences(windows(), windows(**changes)) == [said]


def test_a_missing_window_is_a_difference():
    assert differences(windows(), windows().slice(1)) == ["2 windows here, 1 there"]


def test_memory_is_that_of_all_processes_together(tmp_path):
    child = "import time; b = bytearray(150 << 20); time.sleep(1.5)"
    program = f"import subprocess, sys; c = [sys.executable, '-c', {child!r}]; p = [subprocess.Popen(c) for _ in '12'];"
    found = measure(
        [sys.executable, "-c", program + "[x.wait() for x in p]; print('done')"], {}, ROOT, tmp_path / "log"
    )
    assert found.peak_memory_bytes > 300 << 20
    assert found.output == "done\n"


def test_a_version_that_fails_is_named_with_its_last_words(tmp_path):
    with pytest.raises(TrafficError, match=r"exit code 3:\nout of luck"):
        measure(
            [sys.executable, "-c", "import sys; print('out of luck', file=sys.stderr); sys.exit(3)"],
            {},
            ROOT,
            tmp_path / "log",
        )


@pytest.mark.parametrize(("text", "number"), [("400k", 400_000), ("4m", 4_000_000), ("1.5M", 1_500_000), ("7", 7)])
def test_sizes_are_read(text, number):
    assert count(text) == number


@pytest.mark.parametrize("text", ["", "4g", "m", "-1m", "0"])
def test_other_sizes_are_refused(text):
    with pytest.raises(InputError, match="--trips"):
        count(text)


def test_input_has_a_real_city_s_trips_a_day():
    asked = request(46_000_000, Settings().city, "csv")
    assert (asked.days, asked.trips_per_day) == (115, 400_000)


def test_parts_of_a_benchmark_are_not_listed():
    assert names() == [
        *(
            "api",
            "batch",
            "chaos",
            "forecasts",
            "latency",
            "page",
            "pictures",
            "producer",
            "scale",
            "sockets",
            "stateful",
            "throughput",
            "training",
            "year",
        ),
    ]
