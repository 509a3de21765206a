"""The street plane and the way with two corners."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smartcity.city import City
from smartcity.streets import Routes, StreetGrid

miles = st.floats(-20, 20)


def test_plane_and_degrees_are_inverse():
    streets = StreetGrid.of(City())
    latitude, longitude = np.array([40.6, 40.8]), np.array([-74.1, -73.8])
    back = streets.to_degrees(*streets.to_plane(latitude, longitude))
    assert np.allclose(back, [latitude, longitude], atol=1e-12)


def test_a_degree_north_is_69_miles_and_an_avenue_runs_29_degrees_east_of_north():
    streets = StreetGrid.of(City())
    along, across = streets.to_plane(np.array([streets.latitude + 1]), np.array([streets.longitude]))
    assert np.hypot(along, across)[0] == pytest.approx(69.09, abs=0.01)
    assert np.degrees(np.arctan2(-across, along))[0] == pytest.approx(29)


@settings(deadline=None)
@given(miles, miles, st.booleans(), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_a_route_goes_from_end_to_end_and_never_further_than_it_says(along, across, first, turn, one, other):
    routes = Routes(
        np.zeros(1), np.zeros(1), np.array([along]), np.array([across]), np.array([first]), np.array([turn])
    )
    assert np.allclose(routes.at(np.zeros(1)), 0)
    assert np.allclose(np.ravel(routes.at(np.ones(1))), [along, across])
    a, b = (np.ravel(routes.at(np.array([share]))) for share in (one, other))
    assert np.abs(a - b).sum() == pytest.approx(abs(one - other) * routes.length[0], abs=1e-9)
