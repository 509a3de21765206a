"""Expected speeds at every step up to the horizon, for the evaluation.

A forest for each step would take longer than all the rest of a training. The trees of the horizon's forest part the
rows by what matters for any of them, so they are kept, and their leaves filled with the change until that step. Near
steps follow the last windows almost in a straight line, which a tree draws as a staircase: a ridge regression is the
other forecast, with the leaves filled with what it leaves over. The two are mixed as the last fifth of the training
time asks for.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from smartcity.features import FEATURE_NAMES
from smartcity.model.ahead import Ahead
from smartcity.model.baselines import speed_ratios
from smartcity.model.evaluation import Rows, SpeedErrors, speed_errors
from smartcity.model.inputs import inputs
from smartcity.model.leaves import Trees

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: What an evaluation says of the forecasts before the horizon.
METHOD = (
    "before the horizon: the trees of the horizon's forest, leaves filled anew for each step, mixed with a ridge "
    "regression; at the horizon: the model itself"
)
#: More rows tell the same.
MOST_ROWS = 100_000
#: Share of the training time, at its end, on which the mixture is chosen.
MIXING_SHARE = 0.2
#: Ridge penalty, as a share of the rows.
PENALTY = 1e-4

_NOW = FEATURE_NAMES.index("ratio_now")
_FREE_FLOW = FEATURE_NAMES.index("cell_free_flow_mph")


@dataclass(frozen=True)
class _Known:
    """What both forecasts need of some rows: inputs, the leaf of each tree, standardised inputs with a constant."""

    leaf: Ints
    standard: Floats

    def at(self, chosen: npt.NDArray[np.bool_]) -> "_Known":
        return _Known(self.leaf[:, chosen], self.standard[chosen])


def at_most(rows: Rows, most: int = MOST_ROWS) -> Rows:
    """Every n-th row, such that there are ``most`` at most."""
    return rows.at(np.arange(0, len(rows.label), max(1, -(-len(rows.label) // most))))


def step_errors(
    trees: Trees, train: tuple[Rows, Ahead], test: tuple[Rows, Ahead]
) -> Iterator[tuple[int, dict[str, SpeedErrors]]]:
    """Steps ahead, and speed errors by forecaster on the rows that are known then; the horizon is left out."""
    (before, before_ahead), (after, after_ahead) = train, test
    given = inputs(before.features)
    mean, deviation = np.nanmean(given, axis=0), np.nanstd(given, axis=0) + 1e-9
    known, asked = (_known(trees, inputs(rows.features), mean, deviation) for rows in (before, after))
    free_flow, now = after.features[:, _FREE_FLOW], after.features[:, _NOW]
    for step in range(len(before_ahead.ratio) - 1):
        came_before, came = before_ahead.ratio[step], after_ahead.ratio[step]
        learnt, judged = np.isfinite(came_before), np.isfinite(came)
        if not learnt.any() or not judged.any():
            continue
        change = came_before[learnt] - before.features[learnt, _NOW]
        expected = now[judged] + _forecast(
            trees, known.at(learnt), change, asked.at(judged), _share(trees, known.at(learnt), change, before, learnt)
        )
        baselines = speed_ratios(now[judged], after_ahead.history[step, judged], float(came_before[learnt].mean()))
        found = {"model": expected, **baselines}
        yield (
            step + 1,
            {name: speed_errors((ratio - came[judged]) * free_flow[judged]) for name, ratio in found.items()},
        )


def _known(trees: Trees, given: Floats, mean: Floats, deviation: Floats) -> _Known:
    # A missing value is as good as a typical one to a straight line.
    standard = np.nan_to_num((given - mean) / deviation)
    return _Known(trees.leaf(given), np.hstack([np.ones((len(given), 1)), standard]))


def _share(trees: Trees, known: _Known, change: Floats, rows: Rows, learnt: npt.NDArray[np.bool_]) -> float:
    """Weight of the regression in the mixture: the one with the least squared error on the last fifth of the time."""
    times = rows.times[learnt]
    late = times >= np.quantile(times, 1 - MIXING_SHARE)
    if late.all() or not late.any():
        return 0.5
    leaves, line = _both(trees, known.at(~late), change[~late], known.at(late))
    gap = line - leaves
    return float(np.clip(gap @ (change[late] - leaves) / (float(gap @ gap) + 1e-12), 0, 1))


def _forecast(trees: Trees, known: _Known, change: Floats, asked: _Known, share: float) -> Floats:
    leaves, line = _both(trees, known, change, asked)
    return (1 - share) * leaves + share * line


def _both(trees: Trees, known: _Known, change: Floats, asked: _Known) -> tuple[Floats, Floats]:
    """Change by the leaves alone, and by the regression with the leaves for what it leaves over."""
    square = known.standard.T @ known.standard + PENALTY * len(change) * np.eye(known.standard.shape[1])
    weights = np.linalg.solve(square, known.standard.T @ change)
    rest = trees.refilled(known.leaf, change - known.standard @ weights)
    return (
        trees.refilled(known.leaf, change)[asked.leaf].mean(axis=0),
        asked.standard @ weights + rest[asked.leaf].mean(axis=0),
    )
