"""Whether the world has moved away from a model: how its features are spread now, and how its forecasts come true."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from smartcity.features import FEATURE_NAMES

Floats = npt.NDArray[np.float64]

BINS = 10
#: A bin nobody is in counts as this share, so that one empty bin does not make an infinite index.
SMALLEST_SHARE = 1e-4
#: The hours and weekdays of a stretch are those it covers: they tell of the calendar, not of drift.
IGNORED = tuple(name for name in FEATURE_NAMES if name.startswith("target_"))
#: Fewer live outcomes than these decide nothing.
MIN_OUTCOMES = 500


class Reference(BaseModel):
    """How each feature was spread in training: edges between its bins, and the share of rows in each."""

    model_config = ConfigDict(frozen=True)

    edges: dict[str, tuple[float, ...]]
    shares: dict[str, tuple[float, ...]]

    @classmethod
    def of(cls, features: Floats) -> Self:
        """Deciles of the training rows, shape (rows, ``FEATURE_NAMES``); equal ones are one edge."""
        edges, shares = {}, {}
        for index, name in enumerate(FEATURE_NAMES):
            if name not in IGNORED:
                cuts = np.unique(np.nanquantile(features[:, index], np.linspace(0, 1, BINS + 1)[1:-1]))
                edges[name] = tuple(cuts.tolist())
                shares[name] = tuple(_shares(features[:, index], cuts).tolist())
        return cls(edges=edges, shares=shares)


def _shares(values: Floats, edges: Floats) -> Floats:
    known = values[~np.isnan(values)]
    counts = np.bincount(np.searchsorted(edges, known, side="left"), minlength=len(edges) + 1)
    return np.asarray(counts / max(len(known), 1))


def stability(reference: Reference, features: Floats) -> dict[str, float]:
    """Population stability index of each feature: Σ (now - then) · ln(now / then) over its bins. 0: the same spread."""
    found = {}
    for index, name in enumerate(FEATURE_NAMES):
        if name in reference.edges:
            then = np.maximum(reference.shares[name], SMALLEST_SHARE)
            now = np.maximum(_shares(features[:, index], np.array(reference.edges[name])), SMALLEST_SHARE)
            found[name] = float(((now - then) * np.log(now / then)).sum())
    return found


@dataclass(frozen=True)
class LiveFigures:
    """The live score of the serving version over the last day, and what it scored on its hold-out days."""

    scored: int
    macro_f1: float
    persistence_macro_f1: float
    holdout_macro_f1: float | None


@dataclass(frozen=True)
class Thresholds:
    """From where on it is drift; both are settings."""

    stability: float
    macro_f1_drop: float


@dataclass(frozen=True)
class Verdict:
    """Whether to train anew, and every reason for it in words."""

    drifted: bool
    reasons: tuple[str, ...]


def judge(index: dict[str, float], live: LiveFigures | None, thresholds: Thresholds) -> Verdict:
    """Pure. Args: index: of ``stability``. live: None where no forecast of the version is due yet."""
    reasons = [
        f"feature {name} is spread differently than in training: stability index {value:.2f}, "
        f"above {thresholds.stability:.2f}"
        for name, value in sorted(index.items(), key=lambda item: -item[1])
        if value > thresholds.stability
    ]
    if live is not None and live.scored >= MIN_OUTCOMES:
        drop = (live.holdout_macro_f1 or 0.0) - live.macro_f1
        if drop > thresholds.macro_f1_drop:
            reasons.append(
                f"live macro-F1 {live.macro_f1:.3f} is {drop:.3f} under that of the hold-out days, "
                f"more than {thresholds.macro_f1_drop:.3f}"
            )
        if live.macro_f1 < live.persistence_macro_f1:
            reasons.append(f"live macro-F1 {live.macro_f1:.3f} is under persistence's {live.persistence_macro_f1:.3f}")
    return Verdict(bool(reasons), tuple(reasons))
