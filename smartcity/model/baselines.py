"""What a forecast must beat: majority, historical average, persistence.

A baseline names a level. Its probabilities are what followed that level in training, so that log-loss and calibration
compare like with like.
"""

import numpy as np
import numpy.typing as npt

from smartcity.features import FEATURE_NAMES
from smartcity.levels import CLASSES, class_index

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_COLUMN = {name: index for index, name in enumerate(FEATURE_NAMES)}
NAMES = ("majority", "historical_average", "persistence")


def speed_ratios(now: Floats, history: Floats, mean: float) -> dict[str, Floats]:
    """The ratio each baseline expects at a target, shape (rows,). Args: mean: the training rows' mean, for majority."""
    return {"majority": np.full(len(now), mean), "historical_average": history, "persistence": now}


def ratios(features: Floats, mean: float) -> dict[str, Floats]:
    """As ``speed_ratios``, for the horizon."""
    return speed_ratios(features[:, _COLUMN["ratio_now"]], features[:, _COLUMN["history_target"]], mean)


def named_levels(features: Floats, majority: int) -> dict[str, Ints]:
    """Class index that each baseline names."""
    found = {name: class_index(ratio) for name, ratio in ratios(features, np.nan).items()}
    return found | {"majority": np.full(len(features), majority, dtype=np.int64)}


def probabilities(train: Floats, train_label: Ints, test: Floats) -> dict[str, Floats]:
    """Probabilities of each baseline on ``test``, shape (rows, classes), learnt on ``train``."""
    size = len(CLASSES)
    majority = int(np.bincount(train_label, minlength=size).argmax())
    before, now = named_levels(train, majority), named_levels(test, majority)
    found = {}
    for name in NAMES:
        counts = np.ones((size, size)) + np.bincount(before[name] * size + train_label, minlength=size * size).reshape(
            size, size
        )
        # The level it names stays its forecast, whatever more often followed.
        share = counts / counts.sum(axis=1, keepdims=True)
        for level in range(size):
            share[level, level] = max(share[level, level], np.nextafter(share[level].max(), 2))
        found[name] = (share / share.sum(axis=1, keepdims=True))[now[name]]
    return found
