"""A training run on the record: parameters, figures, pictures, model card, and the registered version."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from smartcity.features import FEATURE_NAMES
from smartcity.hashing import file_sha256
from smartcity.levels import ESTIMATE_MINUTES, HIGH_BELOW_RATIO, LOW_FROM_RATIO, MIN_VEHICLES
from smartcity.model import pictures, registry
from smartcity.model.evaluation import Report, Rows
from smartcity.model.gate import Decision
from smartcity.model.links import EXPERIMENT
from smartcity.model.spec import MODEL_NAME, SPEC_FILE, ModelSpec
from smartcity.profile import Profile
from smartcity.settings import Settings


@contextmanager
def training_run(settings: Settings, dataset: str) -> Iterator[str]:
    """The run of a training, from its start on; it ends as failed where the training does. Gives: its id.

    Raises: RegistryError where MLflow does not answer, before anything was computed.
    """
    import mlflow

    mlflow.set_tracking_uri(settings.mlflow)
    with registry.answering(settings):
        mlflow.set_experiment(EXPERIMENT)
        run = mlflow.start_run(run_name=f"{dataset} {datetime.now(UTC):%Y-%m-%d %H:%M}")
    with run:
        yield run.info.run_id


def log_run(
    settings: Settings,
    run_id: str,
    folder: Path,
    spec: ModelSpec,
    profile: Profile,
    report: Report,
    test: Rows,
    parameters: dict[str, Any],
    importance: np.ndarray,
) -> registry.Registered:
    """Log what a training came to into its run, which is the active one, and register its model as challenger."""
    import mlflow

    city = profile.city
    mlflow.set_tags({"dataset": spec.dataset, "city": city.name, "profile": profile.profile_id})
    mlflow.log_params(
        {
            **parameters,
            "features": len(FEATURE_NAMES),
            "cells": len(profile.cells),
            "training_days": len(profile.days),
            "train_until_utc": profile.train_until_utc.isoformat(),
            "window_minutes": city.window_minutes,
            "horizon_minutes": city.horizon_minutes,
        }
    )
    mlflow.log_metrics(report.metrics())
    mlflow.log_figure(pictures.confusion_matrix(test.label, report.probabilities), "confusion_matrix.png")
    mlflow.log_figure(pictures.reliability_diagram(test.label, report.probabilities), "reliability.png")
    mlflow.log_figure(pictures.feature_importance(importance), "feature_importance.png")
    mlflow.log_figure(_by_hour(report, test, profile), "accuracy_by_hour.png")
    mlflow.log_figure(_by_place(report, test, profile), "errors_by_place.png")
    mlflow.log_text(model_card(spec, profile, report), "model_card.md")
    mlflow.log_artifacts(str(folder), "model")
    source = f"{mlflow.get_run(run_id).info.artifact_uri}/model"
    figures = report.by_name["model"]
    tags = {
        "dataset": spec.dataset,
        "macro_f1": f"{figures.macro_f1:.4f}",
        "accuracy": f"{figures.accuracy:.4f}",
        "persistence_macro_f1": f"{report.by_name['persistence'].macro_f1:.4f}",
    }
    return registry.register(settings, run_id, source, file_sha256(folder / SPEC_FILE), tags)


def _by_hour(report: Report, test: Rows, profile: Profile) -> Any:
    city = profile.city
    target = test.times + city.horizon_steps * city.window_seconds
    distinct, inverse = np.unique(target, return_inverse=True)
    hours = np.array([datetime.fromtimestamp(int(second), city.zone).hour for second in distinct])[inverse]
    return pictures.scores_by_hour(hours, {name: named == test.label for name, named in report.predicted.items()})


def _by_place(report: Report, test: Rows, profile: Profile) -> Any:
    """Places that training did not show have no place on the map."""
    wrong = (report.predicted["model"] != test.label).astype(np.float64)
    encoded = test.cells.combine_chunks().dictionary_encode()
    at, names = encoded.indices.to_numpy(), encoded.dictionary.to_pylist()
    rows = np.bincount(at, minlength=len(names))
    errors = np.bincount(at, wrong, len(names)) / np.maximum(rows, 1)
    column = profile.indexes(tuple(names))
    known = column >= 0
    where = column[known]
    return pictures.errors_by_place(profile.longitude[where], profile.latitude[where], errors[known], rows[known])


def _truth_table(report: Report) -> str:
    """Against the truth, where the city is generated; nothing for a real one."""
    if not report.truth_by_name:
        return ""
    rows = "\n".join(
        f"| {name} | {figures['accuracy']:.3f} | {figures['macro_f1']:.3f} |"
        for name, figures in report.truth_by_name.items()
    )
    return f"""
Against the true level of the generated city, which no part of the training saw:

| forecaster | accuracy | macro-F1 |
|---|---|---|
{rows}
"""


def _absent(report: Report) -> str:
    """What training did not show, in words; nothing where it showed every level."""
    if not report.absent_levels:
        return ""
    return f"No training row is `{'` or `'.join(report.absent_levels)}`: the model gives that no chance.\n\n"


def _temperature(spec: ModelSpec) -> str:
    """How shares became probabilities, in words; nothing where they are as the forest gave them."""
    if spec.temperature == 1:
        return ""
    return (
        f"The forest's shares become probabilities at temperature {spec.temperature:.2f}; below 1 is surer than the "
        "mean of\nits trees. Fitted on the last fifth of the training time, with a forest that had not seen it.\n\n"
    )


def model_card(spec: ModelSpec, profile: Profile, report: Report) -> str:
    """What the model is, what it was trained on, how good it is and where it fails, in Markdown."""
    city = profile.city
    first, last = (datetime.fromordinal(int(day)).date() for day in (profile.days[0], profile.days[-1]))
    model = report.by_name["model"]
    rows = "\n".join(
        f"| {name} | {s.accuracy:.3f} | {s.macro_f1:.3f} | {s.log_loss:.3f} | {s.ece:.3f} |"
        for name, s in report.by_name.items()
    )
    table = report.table()

    def speed(name: str) -> float:
        return table[name]["rmse_mph"]

    worst = min(model.recall, key=lambda level: model.recall[level])
    margin, low, high = report.margin
    return f"""# {MODEL_NAME}: congestion level {city.horizon_minutes} minutes ahead, {city.name}

Two Spark ML random forests on {len(FEATURE_NAMES)} features: one for the level, one for the change of the speed ratio.
Level `low` from {LOW_FROM_RATIO} of the free-flow speed up, `high` below {HIGH_BELOW_RATIO}; estimated over
{ESTIMATE_MINUTES} minutes, and `unknown` below {MIN_VEHICLES} vehicles.

Trained on data set `{spec.dataset}`, {first} to {last} (until {profile.train_until_utc:%Y-%m-%d %H:%M} UTC),
{report.training_rows:,} rows; tested on {report.test_rows:,} rows after that, which no part of the training saw.

| forecaster | accuracy | macro-F1 | log-loss | ECE |
|---|---|---|---|---|
{rows}

Macro-F1 above persistence: {margin:+.4f} (95 % interval {low:+.4f} to {high:+.4f}).
Root mean square error of the expected speed: {speed("model"):.2f} mph (persistence {speed("persistence"):.2f}).
{_truth_table(report)}
{_absent(report)}{_temperature(spec)}Weakest on level `{worst}`: it finds {model.recall[worst]:.0%} of them. Speeds
derived from trip records are trip averages spread over the route: local slow-downs are blurred. Incidents that begin
after the forecast was made cannot be foreseen.
"""


def parameters_of(parameters: Any, max_rows: int) -> dict[str, Any]:
    """Hyper-parameters as MLflow shows them."""
    return {**asdict(parameters), "max_rows": max_rows, "algorithm": "Spark ML random forest"}


def summary(decision: Decision, registered: registry.Registered) -> str:
    """One line for a log."""
    return f"version {registered.version} {'promoted' if decision.promote else 'not promoted'}: {decision.reason}"
