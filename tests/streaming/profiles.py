"""What the stream's tests know of a city before it starts."""

from datetime import datetime, timedelta

import h3
import numpy as np

from smartcity.city import City
from smartcity.profile import SLOTS, Profile


def even_profile(city: City, cells: tuple[str, ...], train_until_utc: datetime) -> Profile:
    """A profile of H3 cells that are all alike: free flow at 20 mph, and 0.8 of it at any time of the week."""
    one, centers = np.ones(len(cells)), np.array([h3.cell_to_latlng(cell) for cell in cells])
    week_before = train_until_utc - timedelta(days=7)
    return Profile(
        city=city,
        train_until_utc=train_until_utc,
        cells=cells,
        free_flow_mph=20 * one,
        ratio_mean=0.8 * one,
        ratio_std=0.1 * one,
        ratio_p10=0.5 * one,
        latitude=centers[:, 0],
        longitude=centers[:, 1],
        days=np.array([week_before.toordinal()]),
        weights=np.ones((1, SLOTS, len(cells))),
        weighted_ratios=0.8 * np.ones((1, SLOTS, len(cells))),
    )
