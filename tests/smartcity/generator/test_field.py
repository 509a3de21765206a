"""The latent field keeps the figures it was fitted to."""

from datetime import date

import numpy as np
import pytest

from smartcity.city import Bounds, City
from smartcity.errors import SettingsError
from smartcity.generator import parameters as p
from smartcity.generator.demand import day_bounds
from smartcity.generator.field import STEPS_PER_DAY, free_flow_mph, speeds_mph
from smartcity.generator.layout import layout_of
from smartcity.generator.truth import truth
from smartcity.levels import class_index
from smartcity.localtime import local_seconds

CITY = City()
FIRST_DAY, DAYS = 16806, 14


@pytest.fixture(scope="module")
def speeds():
    return speeds_mph(CITY, 1, FIRST_DAY * STEPS_PER_DAY, DAYS * STEPS_PER_DAY)


@pytest.fixture(scope="module")
def local(speeds):
    return local_seconds((FIRST_DAY * STEPS_PER_DAY + np.arange(len(speeds))) * p.FIELD_STEP_SECONDS, CITY.zone)


@pytest.fixture(scope="module")
def residual(speeds, local):
    """Log speed minus its mean at that time of a weekday or weekend day."""
    logs = np.log(speeds[:, :-1])
    weekend = (local // 86_400 + 3) % 7 >= 5
    slot = local % 86_400 // 120 + 720 * weekend
    count = np.bincount(slot, minlength=1440)
    mean = np.stack([np.bincount(slot, logs[:, c], 1440) / np.maximum(count, 1) for c in range(logs.shape[1])], axis=1)
    return logs - mean[slot]


def correlation(residual, steps):
    return np.mean([np.corrcoef(c[steps:], c[:-steps])[0, 1] for c in residual.T])


def test_autocorrelation_at_15_and_60_minutes_is_that_of_the_sensors(residual):
    assert correlation(residual, 7) == pytest.approx(0.79, abs=0.04)
    assert 0.34 <= correlation(residual, 30) <= 0.50


def test_neighbours_correlate_like_sensors_a_cell_apart(residual):
    layout = layout_of(CITY, 1)
    pairs = [(a, b) for a, ring in enumerate(layout.neighbours) for b in ring if a != b]
    found = np.mean([np.corrcoef(residual[:, a], residual[:, b])[0, 1] for a, b in pairs])
    assert found == pytest.approx(0.6, abs=0.1)


def test_spread_of_log_speed_is_the_fitted_one(residual):
    # Incidents and the day effect come on top of it; the slot means take a little away.
    assert residual.std() == pytest.approx(p.FIELD_SD, rel=0.12)


@pytest.mark.parametrize(("table", "is_weekend"), [(p.WEEKDAY_KMH, False), (p.WEEKEND_KMH, True)])
def test_city_speed_follows_the_table_by_hour(speeds, local, table, is_weekend):
    weekend = (local // 86_400 + 3) % 7 >= 5
    hour = local // 3600 % 24
    mean = [speeds[(weekend == is_weekend) & (hour == h), :-1].mean() / p.MPH_PER_KMH for h in range(24)]
    assert np.corrcoef(mean, table)[0, 1] > 0.96
    assert np.mean(np.array(mean) / table) == pytest.approx(1.0, abs=0.1)


def test_every_level_occurs_often(speeds):
    share = np.bincount(class_index(speeds[:, :-1] / free_flow_mph(CITY, 1)).ravel(), minlength=3) / speeds[:, 1:].size
    assert share.min() > 0.15


def test_a_day_is_the_same_whether_or_not_other_days_are_made(speeds):
    alone = speeds_mph(CITY, 1, (FIRST_DAY + 9) * STEPS_PER_DAY, STEPS_PER_DAY)
    assert np.array_equal(alone, speeds[9 * STEPS_PER_DAY : 10 * STEPS_PER_DAY])


def test_no_jump_where_two_days_meet(speeds):
    step = np.abs(np.diff(np.log(speeds[:, :-1]), axis=0)).mean(axis=1)
    seams = step[STEPS_PER_DAY - 1 :: STEPS_PER_DAY]
    assert seams.mean() < 1.5 * step.mean()


def test_the_core_is_manhattan_for_new_york():
    layout = layout_of(CITY, 1)
    latitude, longitude = layout.streets.to_degrees(layout.along, layout.across)
    assert len(layout.cells) == 60
    assert (latitude > 40.69).all() and (latitude < 40.83).all()
    assert (longitude > -74.04).all() and (longitude < -73.91).all()


def test_another_city_has_its_core_in_the_middle_of_its_bounds():
    munich = City(name="Munich", time_zone="Europe/Berlin", bounds=Bounds(south=48.0, west=11.3, north=48.3, east=11.8))
    layout = layout_of(munich, 1)
    latitude, longitude = layout.streets.to_degrees(layout.along, layout.across)
    assert np.abs(latitude.mean() - 48.15) < 0.01 and np.abs(longitude.mean() - 11.55) < 0.01


def test_raster_and_grid_find_the_same_cell():
    layout = layout_of(CITY, 1)
    assert layout.cell_index(layout.along, layout.across).tolist() == list(range(60))
    assert (layout.cell_index(np.array([-50.0, 50.0]), np.array([0.0, 0.0])) == 60).all()


def test_bounds_without_a_cell_are_refused():
    tiny = City(bounds=Bounds(south=40.75, west=-73.9801, north=40.7501, east=-73.98))
    with pytest.raises(SettingsError, match="hold no whole cell"):
        layout_of(tiny, 1)


def test_a_city_of_sensors_is_refused():
    with pytest.raises(SettingsError, match="H3"):
        layout_of(City(place_kind="sensor"), 1)


@pytest.mark.parametrize("minutes", [1, 5, 15])
def test_truth_of_other_windows_is_the_mean_of_its_minutes(minutes):
    city = City(window_minutes=minutes)
    rows = truth(city, 1, date(2016, 1, 5))
    assert rows.num_rows == 24 * 60 // minutes * 60
    first = day_bounds(date(2016, 1, 5), city)[0]
    steps = (first + 60 * np.arange(minutes)) // p.FIELD_STEP_SECONDS
    expected = speeds_mph(city, 1, int(steps[0]), 10)[steps - steps[0], :-1].mean(axis=0)
    assert rows.column("true_speed_mph").to_numpy()[:60] == pytest.approx(expected, abs=1e-4)


def test_truth_of_a_day_that_loses_an_hour_has_23_hours():
    rows = truth(CITY, 1, date(2016, 3, 13))
    assert rows.num_rows == 23 * 30 * 60
    assert set(rows.column("date").to_pylist()) == {date(2016, 3, 13)}
