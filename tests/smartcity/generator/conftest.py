"""A small generated city that the tests of the folder share."""

from datetime import date

import pytest

from smartcity.city import City
from smartcity.generator.request import Request


@pytest.fixture(scope="session")
def request_of():
    """Requests for two days of 2,000 trips, unless told otherwise."""

    def make(**changes):
        fields = {"city": City(), "seed": 5, "start": date(2016, 1, 5), "days": 2, "trips_per_day": 2000}
        return Request(**{**fields, **changes})

    return make
