"""The data sets that forecasts are measured on, and how their figures are told."""

import pandas as pd
import pytest

from benchmarks.forecasts import SENSORS, arguments, sensor_table, summary, table
from spark_jobs.sensor_tables import read_locations, read_speeds

MODEL = {"accuracy": 0.8, "macro_f1": 0.7, "ece": 0.01}
REPORT = {
    "models": {"model": MODEL, "persistence": {**MODEL, "accuracy": 0.75}},
    "margin_over_persistence_macro_f1": {"value": 0.02, "low": 0.01, "high": 0.03},
    "rmse_below_persistence": 0.15,
    "truth_ceilings": {},
}


def test_a_made_sensor_table_is_one_that_ingest_takes_and_its_speeds_follow_the_day(tmp_path):
    speeds, places = sensor_table(tmp_path, 2, 7)
    readings = read_speeds(speeds, "America/New_York", None, None)
    assert readings.speeds.shape == (2 * 288, SENSORS) and readings.step_minutes == 5 and readings.repeated == 0
    assert set(read_locations(places)["sensor_id"]) == set(readings.sensors)
    hours = pd.Series(readings.speeds.mean(axis=1)).groupby(readings.times.tz_convert("America/New_York").hour).mean()
    assert hours[5] > 1.5 * hours[12]


def test_a_real_place_has_no_truth_and_the_table_shows_a_dash():
    found = summary(REPORT)
    assert not [name for name in found if "truth" in name]
    generated = summary(
        {
            **REPORT,
            "models": {**REPORT["models"], "model": {**MODEL, "truth_accuracy": 0.7}},
            "truth_ceilings": {"true_level_repeated": {"accuracy": 0.74}},
        }
    )
    shown = table({"gps": generated, "sensors": found})
    assert [line.split()[1:] for line in shown.splitlines() if line.startswith("truth_accuracy")] == [["0.7000", "–"]]
    assert generated["repeated_truth_accuracy"] == 0.74


def test_a_data_set_that_is_not_there_is_refused(capsys):
    with pytest.raises(SystemExit):
        arguments(["--only", "gps,loops"])
    assert "loops: there are gps, trips, sensors" in capsys.readouterr().err
