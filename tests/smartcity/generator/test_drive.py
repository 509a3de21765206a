"""Vehicles keep to the field, and trips look like those of 2016-01."""

from datetime import date

import numpy as np
import pytest

from smartcity.city import City
from smartcity.generator import parameters as p
from smartcity.generator.demand import day_bounds, demand
from smartcity.generator.drive import drive
from smartcity.generator.field import speeds_mph
from smartcity.generator.layout import layout_of
from smartcity.generator.probes import vehicles
from smartcity.localtime import local_seconds
from smartcity.streets import KM_PER_MILE

CITY = City()
DAY = date(2016, 1, 6)


@pytest.fixture(scope="module")
def driven():
    trips = demand(CITY, 2, DAY, 20_000)
    return trips, drive(CITY, 2, trips, with_pings=True)


def test_length_time_and_speed_are_distributed_as_in_the_records(driven):
    _trips, taken = driven
    km, hours = taken.miles * KM_PER_MILE, taken.seconds / 3600
    for values, mean, sd in ((km, 1.09, 0.89), (hours * 60, 2.33, 0.72), (km / hours, 2.86, 0.47)):
        logs = np.log(values)
        assert logs.mean() == pytest.approx(mean, abs=0.12)
        assert logs.std() == pytest.approx(sd, abs=0.07)


def test_pickups_follow_the_demand_of_the_hour(driven):
    hour = local_seconds(driven[0].pickup_utc, CITY.zone) // 3600 % 24
    share = np.bincount(hour, minlength=24) / len(hour)
    assert np.corrcoef(share, p.WEEKDAY_PICKUPS)[0, 1] > 0.98


def test_nine_in_ten_pickups_are_in_the_core(driven):
    layout, routes = layout_of(CITY, 2), driven[0].routes
    assert (layout.cell_index(routes.along, routes.across) < 60).mean() == pytest.approx(0.93, abs=0.03)


def test_pings_vary_around_their_place_like_gps_does(driven):
    _trips, taken = driven
    pings, layout = taken.pings, layout_of(CITY, 2)
    first = day_bounds(DAY, CITY)[0] // p.FIELD_STEP_SECONDS
    field = speeds_mph(CITY, 2, first, 900)
    here = field[pings.time_utc // p.FIELD_STEP_SECONDS - first, layout.cell_index(pings.along, pings.across)]
    ratio = pings.speed_mph / here
    same = pings.trip[1:] == pings.trip[:-1]
    assert ratio.mean() == pytest.approx(1.0, abs=0.04)
    assert 0.5 <= ratio.std() <= 0.6
    assert np.corrcoef(ratio[1:][same], ratio[:-1][same])[0, 1] == pytest.approx(0.38, abs=0.05)


def test_pings_lie_within_their_trip_and_a_minute_apart(driven):
    trips, taken = driven
    pings = taken.pings
    after = pings.time_utc - trips.pickup_utc[pings.trip]
    assert (after >= 0).all() and (after < taken.seconds[pings.trip]).all()
    same = pings.trip[1:] == pings.trip[:-1]
    assert (np.diff(pings.time_utc)[same] == CITY.position_step_seconds).all()


def test_distance_is_at_least_the_way_through_the_blocks(driven):
    trips, _taken = driven
    assert (trips.distance_miles >= trips.routes.length - 1e-12).all()
    assert np.median(trips.distance_miles / trips.routes.length) == pytest.approx(1.03, abs=0.005)


def test_some_trips_alone_are_driven_as_among_all(driven):
    trips, taken = driven
    some = np.arange(100, 200)
    alone = drive(CITY, 2, trips.take(some), with_pings=False)
    assert np.array_equal(alone.seconds, taken.seconds[some])


def test_no_vehicle_drives_two_trips_at_once(driven):
    trips, taken = driven
    vehicle = vehicles(trips, taken)
    order = np.lexsort((trips.pickup_utc, vehicle))
    same = np.diff(vehicle[order]) == 0
    gap = trips.pickup_utc[order][1:] - (trips.pickup_utc + taken.seconds)[order][:-1]
    assert same.any() and (gap[same] >= 120).all()


@pytest.mark.parametrize("step", [10, 60, 150])
def test_pings_keep_the_city_s_step(step):
    city = City(position_step_seconds=step)
    trips = demand(city, 2, DAY, 300)
    taken = drive(city, 2, trips, with_pings=True)
    same = np.diff(taken.pings.trip) == 0
    assert (np.diff(taken.pings.time_utc)[same] == step).all()
    assert len(taken.pings.trip) == pytest.approx(taken.seconds.sum() / step, rel=0.1)


@pytest.mark.parametrize(("day", "hours"), [(date(2016, 3, 13), 23), (date(2016, 11, 6), 25)])
def test_a_day_of_the_clock_change_keeps_to_its_hours(day, hours):
    start, end = day_bounds(day, CITY)
    trips = demand(CITY, 2, day, 3000)
    assert end - start == hours * 3600
    assert trips.pickup_utc.min() >= start and trips.pickup_utc.max() < end
    assert (np.diff(trips.pickup_utc) >= 0).all()
