"""The truth that forecasts are scored against: the true speed of each core cell in each window of a local day."""

from datetime import date

import numpy as np
import pyarrow as pa

from smartcity.city import City
from smartcity.columns import TRUTH
from smartcity.generator import parameters as p
from smartcity.generator.demand import day_bounds
from smartcity.generator.field import free_flow_mph, speeds_mph
from smartcity.generator.layout import layout_of
from smartcity.localtime import MICROS


def truth(city: City, seed: int, day: date) -> pa.Table:
    """Rows of ``columns.TRUTH``, window after window; a window's speed is the mean over its minutes."""
    start, end = day_bounds(day, city)
    window = city.window_seconds
    starts = np.arange(-(-start // window), -(-end // window)) * window
    minutes = (starts[:, None] + np.arange(0, window, 60)) // p.FIELD_STEP_SECONDS
    first = int(minutes.min())
    speeds = speeds_mph(city, seed, first, int(minutes.max()) - first + 1)[:, :-1]
    mean = speeds[minutes - first].mean(axis=1)
    cells = layout_of(city, seed).cells
    count = len(starts)
    return pa.table(
        [
            pa.array(list(cells) * count, pa.string()),
            pa.array(np.repeat(starts * MICROS, len(cells))).cast(TRUTH.field("window_start_utc").type),
            pa.array(np.round(mean, 4).ravel()),
            pa.array(np.tile(np.round(free_flow_mph(city, seed), 4), count)),
            pa.array([day] * (count * len(cells)), pa.date32()),
        ],
        schema=TRUTH,
    )
