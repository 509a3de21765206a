"""Congestion levels: the thresholds, and the rule in NumPy. The Spark expression is in ``smartcity.spark.levels``."""

from enum import StrEnum

import numpy as np
import numpy.typing as npt


class Level(StrEnum):
    """How congested a place is. ``UNKNOWN``: too few vehicles to say; never guessed."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    UNKNOWN = "unknown"


#: Classes of the model, in the order of its probabilities.
CLASSES = (Level.LOW, Level.MEDIUM, Level.HIGH)
#: ``low`` from this share of the free-flow speed up: a trip takes at most 1⅓ times as long.
LOW_FROM_RATIO = 0.75
#: ``high`` below this share: a trip takes more than twice as long.
HIGH_BELOW_RATIO = 0.50
#: Fewer distinct vehicles than this in the trailing window of the estimate: ``unknown``.
MIN_VEHICLES = 3
#: Minutes over which positions count for the estimate of a place's ratio.
ESTIMATE_MINUTES = 10
#: Positions' worth of trust in the history (K in r̂ = (n·r + K·H) / (n + K)).
HISTORY_WEIGHT_POSITIONS = 8.0


def class_index(ratio: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Index into ``CLASSES`` for each speed / free-flow ratio; -1 where the ratio is NaN."""
    index = np.where(ratio >= LOW_FROM_RATIO, 0, np.where(ratio >= HIGH_BELOW_RATIO, 1, 2))
    return np.where(np.isnan(ratio), -1, index)


def level_of(index: int) -> Level:
    """Level for an index into ``CLASSES``; ``UNKNOWN`` for -1."""
    return CLASSES[index] if index >= 0 else Level.UNKNOWN
