import pytest
from pydantic import ValidationError

from smartcity.city import Bounds, City


@pytest.mark.parametrize(("window", "steps"), [(2, 8), (5, 3), (1, 15), (15, 1), (4, 4)])
def test_the_target_is_the_first_window_that_ends_at_least_fifteen_minutes_later(window, steps):
    city = City(window_minutes=window)
    assert city.horizon_steps == steps
    assert (steps - 1) * window < city.horizon_minutes <= steps * window


def test_a_box_without_an_inside_is_refused():
    with pytest.raises(ValidationError, match="south < north"):
        Bounds(south=41, west=-74, north=40, east=-73)


def test_an_unknown_time_zone_is_refused_with_an_example():
    with pytest.raises(ValidationError, match="America/New_York"):
        City(time_zone="America/Gotham")
