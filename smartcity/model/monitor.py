"""A look at the serving version: live scores to the database and MLflow, and whether it has drifted.

``look(settings)`` is what a schedule calls about hourly; ``traffic model watch`` is the same by hand.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from smartcity.features import FEATURE_NAMES, LOOKBACK_MINUTES, estimate, features, matrix
from smartcity.model import registry
from smartcity.model.drift import LiveFigures, Thresholds, Verdict, judge, stability
from smartcity.model.livescore import live_scores
from smartcity.model.serving import ServingModel
from smartcity.settings import Settings
from smartcity.store.engine import Engine, create_all, create_engine
from smartcity.store.ledger import replace_live_scores
from smartcity.store.outcomes import outcomes
from smartcity.store.reader import newest_window_start, recent_windows
from smartcity.windows import WindowBlock

SPAN = timedelta(hours=24)
#: Windows of the span that features are taken from; their neighbours in time say the same.
MOMENTS = 12
_NONE = np.empty((0, len(FEATURE_NAMES)))
#: Of a version's scores, what MLflow is told, each as ``live_…``.
METRICS = (
    "scored",
    "accuracy",
    "macro_f1",
    "ece",
    "rmse_mph",
    "persistence_accuracy",
    "persistence_macro_f1",
    "persistence_ece",
    "persistence_rmse_mph",
)


@dataclass(frozen=True)
class Look:
    """What was seen. ``live`` is the row of ``store.tables.LiveScore`` of the serving version over the whole span."""

    version: str | None
    live: dict[str, Any] | None
    stability: dict[str, float]
    verdict: Verdict


def look(settings: Settings, engine: Engine | None = None) -> Look:
    """Score what is due, record it, and judge. Raises: ModelError where the registry does not answer."""
    engine = engine or create_engine(settings)
    create_all(engine)
    version = registry.champion_version(settings)
    newest = newest_window_start(engine)
    if newest is None:
        return Look(version, None, {}, Verdict(False, ("no window was ever scored",)))
    rows = live_scores(outcomes(engine, newest - SPAN, newest), newest)
    replace_live_scores(engine, rows)
    if version is None:
        return Look(None, None, {}, Verdict(False, ("no version is champion: forecasts are persistence",)))
    live = next((row for row in rows if row["model_version"] == version and row["scope"] == "all"), None)
    entry = next(entry for entry in registry.entries(settings) if entry.version == version)
    model = registry.load_version(settings, version)
    index = _stability(engine, model, newest)
    figures = _figures(live, entry.tags)
    verdict = judge(index, figures, Thresholds(settings.drift_stability, settings.drift_macro_f1_drop))
    _tell_mlflow(settings, version, live, index, verdict)
    return Look(version, live, index, verdict)


def _figures(live: dict[str, Any] | None, tags: dict[str, str]) -> LiveFigures | None:
    if live is None:
        return None
    holdout = float(tags["macro_f1"]) if "macro_f1" in tags else None
    return LiveFigures(live["scored"], live["macro_f1"], live["persistence_macro_f1"], holdout)


def _stability(engine: Engine, model: ServingModel, newest: datetime) -> dict[str, float]:
    """Of the features of some windows of the span, made from the windows of the database as the stream made them."""
    if model.spec.reference is None:
        return {}
    step = SPAN / MOMENTS
    found = [_features(engine, model, newest - step * number) for number in range(MOMENTS)]
    seen = np.concatenate(found)
    return stability(model.spec.reference, seen) if len(seen) else {}


def _features(engine: Engine, model: ServingModel, moment: datetime) -> npt.NDArray[np.float64]:
    city = model.city
    before = timedelta(minutes=LOOKBACK_MINUTES + city.window_minutes)
    windows = recent_windows(engine, moment - before, moment)
    if not windows.num_rows:
        return _NONE
    state = estimate(WindowBlock.of(windows, city), model.profile)
    last = state.block.length - 1
    # As the rows that training knows: places whose level is known.
    at = np.nonzero(state.known[last:] & state.active[last:])
    return matrix(features(state, last), at) if len(at[0]) else _NONE


def _tell_mlflow(
    settings: Settings, version: str, live: dict[str, Any] | None, index: dict[str, float], verdict: Verdict
) -> None:
    metrics = {f"live_{name}": float(live[name]) for name in METRICS if live and live[name] is not None}
    if index:
        metrics["live_stability_worst"] = max(index.values())
    if metrics:
        registry.log_live(settings, version, {**metrics, "live_drifted": float(verdict.drifted)}, datetime.now(UTC))
