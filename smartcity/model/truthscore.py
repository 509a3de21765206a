"""Forecasts against the true level of a generated city, and the most that anyone could reach there."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from smartcity.city import City
from smartcity.levels import class_index
from smartcity.model.metrics import confusion, macro_f1

Ints = npt.NDArray[np.int64]
TruthScores = dict[str, float]

#: Who knew the truth at the time of the forecast, and repeats it: no forecast from noisy positions can be held to more.
TRUE_NOW = "true_level_repeated"
#: Who knows the positions at the target already: what is left is the noise of the pings.
SEEN = "estimate_at_target"
CEILINGS = (TRUE_NOW, SEEN)


def truth_scores(
    city: City, cells: pa.ChunkedArray, times: Ints, predicted: dict[str, Ints], label: Ints, truth: pa.Table
) -> dict[str, TruthScores]:
    """Accuracy and macro-F1 of each forecaster and of ``CEILINGS`` against the true level at the target.

    Args: times: window starts of the rows, seconds. predicted: levels by forecaster. truth: rows of ``columns.TRUTH``;
    empty for a real city, whose answer is empty too.
    """
    known = pa.table(
        {
            "cell_id": truth["cell_id"],
            "seconds": pc.divide(pc.cast(truth["window_start_utc"], pa.int64()), 1_000_000),
            "ratio": pc.divide(truth["true_speed_mph"], truth["true_free_flow_mph"]),
        }
    )
    now = _true_levels(known, cells, times)
    came = _true_levels(known, cells, times + city.horizon_steps * city.window_seconds)
    rows = (now >= 0) & (came >= 0)
    if not rows.any():
        return {}
    found = {}
    for name, named in {**predicted, TRUE_NOW: now, SEEN: label}.items():
        matrix = confusion(came[rows], named[rows])
        found[name] = {"accuracy": float(np.trace(matrix) / matrix.sum()), "macro_f1": macro_f1(matrix)}
    return found


def _true_levels(known: pa.Table, cells: pa.ChunkedArray, times: Ints) -> Ints:
    """True level of each place and time, -1 where the truth does not say."""
    wanted = pa.table({"cell_id": cells, "seconds": times, "row": np.arange(len(times))})
    joined = wanted.join(known, ["cell_id", "seconds"], join_type="inner")
    found = np.full(len(times), -1, dtype=np.int64)
    found[joined["row"].to_numpy()] = class_index(joined["ratio"].to_numpy())
    return found
