from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from smartcity import columns
from smartcity.city import City
from smartcity.model.truthscore import SEEN, TRUE_NOW, truth_scores

CITY = City()
NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
#: Of a free flow of 20 mph: low, then high at the target.
SPEEDS = {"a": (18.0, 5.0), "b": (18.0, 18.0), "c": (11.0, 11.0)}


@pytest.fixture
def truth():
    ahead = timedelta(seconds=CITY.horizon_steps * CITY.window_seconds)
    rows = [
        {
            "cell_id": cell,
            "window_start_utc": start,
            "true_speed_mph": speed,
            "true_free_flow_mph": 20.0,
            "date": date(2026, 3, 3),
        }
        for cell, (now, then) in SPEEDS.items()
        for start, speed in ((NOON, now), (NOON + ahead, then))
    ]
    return pa.Table.from_pylist(rows, columns.TRUTH)


def scored(truth):
    cells = pa.chunked_array([["a", "b", "c", "elsewhere"]])
    times = np.full(4, int(NOON.timestamp()))
    named = {"model": np.array([2, 0, 0, 1])}
    return truth_scores(CITY, cells, times, named, np.array([2, 0, 1, 0]), truth)


def test_forecasts_are_held_against_the_true_level_at_the_target_where_the_truth_says_it(truth):
    assert scored(truth)["model"]["accuracy"] == pytest.approx(2 / 3)


def test_the_most_there_is_to_reach_is_told_beside_them(truth):
    found = scored(truth)
    assert found[TRUE_NOW]["accuracy"] == pytest.approx(2 / 3)
    assert found[SEEN] == {"accuracy": 1.0, "macro_f1": 1.0}


def test_a_real_city_has_no_truth(truth):
    assert scored(truth.slice(0, 0)) == {}
