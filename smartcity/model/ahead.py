"""What came at each step after a row's window: looked up in the features table, a day at a time."""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from smartcity.lake import Dataset
from smartcity.model.evaluation import Rows

Floats = npt.NDArray[np.float64]

_COLUMNS = ["cell_id", "window_start_utc", "ratio_now", "history_now", "known_now"]
#: Room for the windows of thousands of years below a place's number in a sorted key.
_PLACE_BITS = 40


@dataclass(frozen=True)
class Ahead:
    """Ratio and history, shape (steps, rows); NaN where nothing was known of the place then."""

    ratio: Floats
    history: Floats


def look_ahead(dataset: Dataset, rows: Rows) -> Ahead:
    """What came 1, 2, … windows after each row's, as far as the horizon. One day is in memory at a time."""
    steps, seconds = dataset.city.horizon_steps, dataset.city.window_seconds
    names = pc.unique(rows.cells)
    wanted = _keys(rows.cells, rows.times // seconds, names)
    found = Ahead(*(np.full((steps, len(wanted)), np.nan) for _ in range(2)))
    if not len(wanted):
        return found
    first, last = (datetime.fromtimestamp(int(at), UTC) for at in (rows.times.min(), rows.times.max()))
    for day in dataset.features.dates():
        # Dates are local: a day too many on either side costs a read, one too few would lose rows.
        if not (first.date().toordinal() - 2 <= day.toordinal() <= last.date().toordinal() + 2):
            continue
        table = dataset.features.read(day, day, _COLUMNS)
        table = table.filter(pc.and_(table["known_now"], pc.is_in(table["cell_id"], value_set=names)))
        if not table.num_rows:
            continue
        window = pc.cast(table["window_start_utc"], pa.int64()).to_numpy() // 1_000_000 // seconds
        keys = _keys(table["cell_id"], window, names)
        order = np.argsort(keys)
        keys = keys[order]
        ratio, history = (table[name].to_numpy()[order] for name in ("ratio_now", "history_now"))
        near = np.flatnonzero(
            (rows.times // seconds >= window.min() - steps) & (rows.times // seconds <= window.max() - 1)
        )
        for step in range(1, steps + 1):
            key = wanted[near] + step
            at = np.minimum(np.searchsorted(keys, key), len(keys) - 1)
            hit = keys[at] == key
            found.ratio[step - 1, near[hit]] = ratio[at[hit]]
            found.history[step - 1, near[hit]] = history[at[hit]]
    return found


def _keys(cells: pa.ChunkedArray, window: npt.NDArray[np.int64], names: pa.Array) -> npt.NDArray[np.int64]:
    place: npt.NDArray[np.int64] = pc.index_in(cells, value_set=names).to_numpy().astype(np.int64)
    return np.asarray(place << _PLACE_BITS | window)
