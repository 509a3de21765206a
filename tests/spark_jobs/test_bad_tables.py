"""Sensor tables with what real ones have: a refusal that says why, or a fallback that is a number."""

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pyarrow.compute as pc
import pytest

from smartcity.city import City
from smartcity.errors import MissingDataError
from smartcity.features import FEATURE_NAMES, estimate, feature_table
from smartcity.lake import Dataset
from smartcity.profile import Profile
from smartcity.windows import WindowBlock
from spark_jobs import features
from spark_jobs.sensors import run_sensors

SENSORS = [f"s{number}" for number in range(6)]
STEPS = 288 * 5


def table(days: int = 5) -> pd.DataFrame:
    """Five-minute speeds that slow down in the morning, each day."""
    times = pd.date_range("2026-03-02", periods=288 * days, freq="5min")
    hour = times.hour + times.minute / 60
    base = 60 - 35 * np.exp(-(((hour.to_numpy() - 8) / 1.5) ** 2))
    noise = np.random.default_rng(1).normal(0, 2, (len(times), len(SENSORS)))
    return pd.DataFrame(base[:, None] + noise, columns=SENSORS).assign(timestamp=times)


@pytest.fixture
def ingest(tmp_path):
    def run(speeds: pd.DataFrame) -> Dataset:
        speeds.to_csv(tmp_path / "speeds.csv", index=False)
        places = pd.DataFrame({"sensor_id": SENSORS, "latitude": 34.0, "longitude": np.linspace(-118.3, -118.2, 6)})
        places.to_csv(tmp_path / "places.csv", index=False)
        dataset = Dataset(str(tmp_path / "lake"), "sensors", City(time_zone="America/Los_Angeles"))
        run_sensors(dataset, tmp_path / "speeds.csv", tmp_path / "places.csv")
        return dataset

    return run


def rows(dataset: Dataset):
    """Features of all rows, as the job makes them."""
    list(features.fit(dataset))
    profile = Profile.load(dataset)
    block = WindowBlock.of(dataset.windows.read(), dataset.city)
    return profile, feature_table(estimate(block, profile), 0, block.length)


def assert_finite(made):
    for name in FEATURE_NAMES:
        assert np.isfinite(made[name].to_numpy()).all(), name


def test_a_missing_day_leaves_rows_whose_target_fell_into_it_without_a_label(ingest):
    speeds = table()
    gone = speeds["timestamp"].dt.date == pd.Timestamp("2026-03-04").date()
    _, made = rows(ingest(speeds[~gone]))
    assert_finite(made)
    last = made.filter(pc.equal(made["window_start_utc"], datetime(2026, 3, 4, 7, 50, tzinfo=UTC)))
    assert last.num_rows == len(SENSORS) and last["label"].null_count == len(SENSORS)


def test_a_sensor_that_only_the_test_shows_gets_the_citys_values(ingest):
    speeds = table()
    speeds.loc[speeds.index < STEPS * 0.9, "s5"] = np.nan
    profile, made = rows(ingest(speeds))
    assert "s5" not in profile.cells
    assert_finite(made)
    new = made.filter(np.array(made["cell_id"].to_pylist()) == "s5")
    assert new.num_rows > 100
    assert set(new["cell_free_flow_mph"].to_pylist()) == {profile.city_free_flow_mph}


def test_a_constant_sensor_and_gaps_of_nan_and_zero_give_finite_features(ingest):
    speeds = table()
    speeds["s0"] = 55.0
    random = np.random.default_rng(2).random((STEPS, 2))
    speeds.loc[random[:, 0] < 0.3, "s1"] = np.nan
    speeds.loc[random[:, 1] < 0.3, "s2"] = 0.0
    profile, made = rows(ingest(speeds))
    assert_finite(made)
    assert profile.ratio_std[profile.cells.index("s0")] == pytest.approx(0)
    # Nothing to slow it down: it is at its own free flow, and always was.
    constant = made.filter(np.array(made["cell_id"].to_pylist()) == "s0")
    assert set(constant["label"].drop_null().to_pylist()) == {0}


def test_a_clock_put_forward_leaves_an_hour_out_and_no_target_wrong(ingest):
    # 2026-03-08, 02:00 becomes 03:00 in Los Angeles; the table keeps the wall's time, so that hour does not occur.
    speeds = table(8)
    skipped = speeds["timestamp"].between("2026-03-08 02:00", "2026-03-08 02:59")
    _, made = rows(ingest(speeds[~skipped]))
    assert_finite(made)
    starts = made["window_start_utc"].to_pandas().drop_duplicates().sort_values()
    # In UTC nothing is missing.
    assert (starts.diff().dropna() == pd.Timedelta(minutes=5)).all()
    assert made["label"].null_count == 3 * len(SENSORS)


def test_readings_of_the_hour_that_a_clock_leaves_out_are_in_the_quarantine(ingest):
    # A table of a clock that nobody put forward has rows at 02:00 to 02:55 too, when Los Angeles had no such time.
    speeds = table(8)
    dataset = ingest(speeds)
    found = dataset.quarantine.read()
    assert set(found["reason"].to_pylist()) == {"in the hour that the clock leaves out"}
    assert found.num_rows == 12 * len(SENSORS)
    at_two = 6 * 288 + 24
    assert sorted(set(found["row_number"].to_pylist())) == list(range(at_two + 1, at_two + 13))
    assert dataset.windows.read().num_rows + found.num_rows == len(speeds) * len(SENSORS)
    three = dataset.windows.read().filter(pc.field("window_start_utc") == datetime(2026, 3, 8, 10, tzinfo=UTC))
    assert three["avg_speed_mph"].to_pylist() == pytest.approx(speeds.loc[at_two + 12, SENSORS].tolist(), abs=0.01)


def test_the_hour_that_comes_twice_is_read_twice(ingest):
    # 2026-11-01, 02:00 becomes 01:00 in Los Angeles: the wall shows 01:00 to 01:55 two times.
    speeds = table(2)
    seconds = pd.date_range("2026-11-01 00:00", periods=len(speeds), freq="5min", tz="America/Los_Angeles")
    dataset = ingest(speeds.assign(timestamp=seconds.tz_localize(None)))
    windows = dataset.windows.read()
    assert windows.num_rows == len(speeds) * len(SENSORS)
    starts = windows["window_start_utc"].to_pandas().drop_duplicates().sort_values()
    assert (starts.diff().dropna() == pd.Timedelta(minutes=5)).all()


def test_three_rows_are_refused_with_what_is_missing(spark, ingest):
    dataset = ingest(table().head(3))
    with pytest.raises(MissingDataError, match=r"^no window before .* to fit a profile on$"):
        features.current_profile(spark, dataset, False, dataset.windows.dates())


def test_times_are_read_as_the_citys_wall_time(ingest):
    dataset = ingest(table(2))
    first = min(dataset.windows.read()["window_start_utc"].to_pylist())
    assert first.astimezone(UTC) == datetime(2026, 3, 2, 8, tzinfo=UTC)
