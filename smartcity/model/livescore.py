"""How forecasts came true, from their outcomes: of each version, over all, by hour and by place."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from smartcity.levels import CLASSES
from smartcity.model.metrics import calibration_error, confusion, macro_f1

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_NAMES = pa.array([level.value for level in CLASSES])
_PROBABILITIES = tuple(f"probability_{level.value}" for level in CLASSES)
HOUR_SECONDS = 3600


def live_scores(outcomes: pa.Table, until: datetime) -> list[dict[str, Any]]:
    """Rows of ``store.tables.LiveScore`` from ``store.outcomes.OUTCOMES``."""
    found: list[dict[str, Any]] = []
    for version in sorted(pc.unique(outcomes["model_version"]).to_pylist()):
        rows = _Rows(outcomes.filter(pc.equal(outcomes["model_version"], version)))
        key = {"model_version": version, "until_utc": until}
        found.append({**key, "scope": "all", "name": "", **rows.scores(np.arange(len(rows.came)))})
        for scope, names in (("hour", rows.hours), ("place", rows.places)):
            for name in np.unique(names):
                chosen = np.flatnonzero(names == name)
                found.append({**key, "scope": scope, "name": str(name), **rows.scores(chosen)})
    return found


class _Rows:
    """Outcomes of one version as arrays."""

    def __init__(self, table: pa.Table) -> None:
        self.now, self.told, self.came = (
            _indexes(table[name]) for name in ("level_now", "level_foretold", "level_came")
        )
        shares = np.column_stack([table[name].to_numpy().astype(np.float64) for name in _PROBABILITIES])
        # A forecaster without probabilities is taken at its word.
        self.shares = np.where(np.isnan(shares), np.eye(len(CLASSES))[self.told], shares)
        self.places = np.array(table["cell_id"].to_pylist())
        seconds = pc.cast(table["target_utc"], pa.int64()).to_numpy() // 1_000_000
        # A target that ends at the full hour belongs to the hour before.
        hours = (seconds - 1) // HOUR_SECONDS * HOUR_SECONDS
        distinct, at = np.unique(hours, return_inverse=True)
        texts = [datetime.fromtimestamp(int(second), UTC).isoformat(timespec="minutes") for second in distinct]
        self.hours = np.array(texts)[at] if texts else np.array([], dtype=str)
        expected, now, came = (table[f"{name}_mph"].to_numpy() for name in ("expected", "now", "came"))
        self.error, self.persistence_error = expected - came, now - came

    def scores(self, chosen: npt.NDArray[np.intp]) -> dict[str, Any]:
        came = self.came[chosen]
        certain = np.eye(len(CLASSES))[self.now[chosen]]
        return {
            "scored": len(chosen),
            **_scores("", came, self.told[chosen], self.shares[chosen], self.error[chosen]),
            **_scores("persistence_", came, self.now[chosen], certain, self.persistence_error[chosen]),
        }


def _scores(prefix: str, came: Ints, told: Ints, shares: Floats, error: Floats) -> dict[str, float | None]:
    matrix = confusion(came, told)
    known = error[np.isfinite(error)]
    return {
        f"{prefix}accuracy": float(np.trace(matrix) / matrix.sum()),
        f"{prefix}macro_f1": macro_f1(matrix),
        f"{prefix}ece": calibration_error(came, shares),
        f"{prefix}rmse_mph": float(np.sqrt((known**2).mean())) if len(known) else None,
    }


def _indexes(levels: pa.ChunkedArray) -> Ints:
    return np.asarray(pc.index_in(levels, _NAMES).to_numpy(), dtype=np.int64)
