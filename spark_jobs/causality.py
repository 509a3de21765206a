"""The check that runs before training: features are functions of the past.

At a few moments the features are made anew from the windows up to then and nothing after; what the table holds must be
the same. A feature that has seen the future, or one made from other windows than those of today, differs.
"""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from smartcity.columns import UTC_TIMESTAMP
from smartcity.errors import ModelError
from smartcity.features import FEATURE_NAMES, LOOKBACK_MINUTES, estimate, feature_table
from smartcity.lake import Dataset
from smartcity.profile import Profile
from smartcity.windows import COUNTS, WindowBlock

#: Features are compared at so many moments: of the first, a middle and the last training day, and of the test.
MOMENTS = 4
TOLERANCE = 1e-9


def check_causal(dataset: Dataset, profile: Profile) -> int:
    """Compare features with those made from the past alone. Returns: how many rows were compared.

    Raises: ModelError naming the feature, the place and the moment where they differ.
    """
    return sum(_check(dataset, profile, day, moment) for day, moment in _moments(dataset))


def _moments(dataset: Dataset) -> list[tuple[date, datetime]]:
    """Days, and the start of a window to look at: the middle of a day's, where there is most to compare."""
    days = dataset.features.dates()
    chosen = sorted({days[round(at * (len(days) - 1))] for at in np.linspace(0, 1, MOMENTS)}) if days else []
    found = []
    for day in chosen:
        starts = pc.unique(dataset.features.read(day, day, ["window_start_utc"])["window_start_utc"]).sort()
        if len(starts):
            found.append((day, starts[len(starts) // 2].as_py().astimezone(UTC)))
    return found


def _check(dataset: Dataset, profile: Profile, day: date, moment: datetime) -> int:
    city = profile.city
    stored = _rows(dataset.features.read(day, day), moment, moment).sort_by("cell_id")
    index = int(moment.timestamp()) // city.window_seconds
    first = index - city.steps(LOOKBACK_MINUTES) - 1
    since = datetime.fromtimestamp(first * city.window_seconds, UTC)
    names = ["cell_id", "window_start_utc", *COUNTS]
    past = _rows(dataset.windows.read(day - timedelta(days=1), day, names), since, moment)
    if not stored.num_rows or not past.num_rows:
        return 0
    # Neighbours and the city's mean count, so the cells are all those of the stretch.
    cells = tuple(sorted(pc.unique(past["cell_id"]).to_pylist()))
    block = WindowBlock.empty(first, index - first + 1, cells)
    block.put(past, city)
    made = feature_table(estimate(block, profile), index - first, index - first + 1)
    made = made.set_column(0, "cell_id", made["cell_id"].cast(pa.string())).sort_by("cell_id")
    where = f"{dataset.features.uri()} at {moment:%Y-%m-%d %H:%M} UTC"
    again = f"Make them again: python -m spark_jobs.features --dataset {dataset.name} --redo"
    if made["cell_id"].to_pylist() != stored["cell_id"].to_pylist():
        raise ModelError(f"{where} has rows of other places than the windows up to then. {again}")
    for name in FEATURE_NAMES:
        gap = np.abs(made[name].to_numpy() - stored[name].to_numpy())
        worst = int(np.nanargmax(gap)) if np.isfinite(gap).any() else 0
        if not gap[worst] <= TOLERANCE:
            raise ModelError(
                f"{where}: feature {name} of {stored['cell_id'][worst]} is {stored[name][worst].as_py()}, but "
                f"{made[name][worst].as_py()} from the windows up to then: it has seen the future, or is older than "
                f"the windows. {again}"
            )
    return int(stored.num_rows)


def _rows(table: pa.Table, first: datetime, last: datetime) -> pa.Table:
    start = table["window_start_utc"]
    low, high = (pa.scalar(moment, UTC_TIMESTAMP) for moment in (first, last))
    return table.filter(pc.and_(pc.greater_equal(start, low), pc.less_equal(start, high)))
