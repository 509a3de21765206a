"""Features to a registered model: ``python -m spark_jobs.train --dataset NAME``.

Trains Spark ML forests on the training days, exports them to ONNX, scores them on the held-out last fifth beside the
baselines, logs all of it to MLflow, registers the version and lets the gate decide on promotion.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.functions import col

from smartcity.errors import ModelError, NoChampionError, RegistryError
from smartcity.hashing import file_sha256
from smartcity.held import held_days
from smartcity.lake import Dataset
from smartcity.model import forest, publish, registry, steps
from smartcity.model.ahead import look_ahead
from smartcity.model.calibration import calibrated
from smartcity.model.drift import Reference
from smartcity.model.evaluation import MIN_TEST_ROWS, Report, Rows, check_enough, evaluate
from smartcity.model.gate import Decision, Evaluation, decide
from smartcity.model.inputs import INPUT_NAMES
from smartcity.model.leaves import Trees
from smartcity.model.metrics import BOOTSTRAP_BLOCK_MINUTES, margin_interval, scores
from smartcity.model.serving import ServingModel
from smartcity.model.spec import (
    CHANGE_FILE,
    LEVEL_FILE,
    PROFILE_FILE,
    SERVED_FILES,
    SPARK_FOLDER,
    SPEC_FILE,
    ModelSpec,
)
from smartcity.model.trials import TrialRuns, unrecorded
from smartcity.profile import Profile
from smartcity.settings import Settings
from smartcity.spark.engine import Engine
from smartcity.spark.search import search
from smartcity.spark.tables import read_table
from smartcity.spark.training import ForestParameters, Forests, fit_forests, score_in_spark, split_rows, thin
from smartcity.store.engine import open_engine
from smartcity.store.ledger import GATE, record_decision
from spark_jobs import job as jobs
from spark_jobs.causality import check_causal

#: Rows on which ONNX and Spark must agree before a version is registered, and how closely.
PARITY_ROWS = 2000
PARITY_TOLERANCE = 1e-6
#: Folder of the regressor of the ratio's change.
CHANGE = "ratio_change"


def export(
    forests: Forests,
    profile: Profile,
    dataset: Dataset,
    folder: Path,
    reference: Reference | None = None,
    temperature: float = 1.0,
) -> ModelSpec:
    """Write all that a version carries into ``folder``: Spark pipelines, ONNX, profile, spec."""
    for name, model, classes, onnx_file in (
        ("level", forests.level, 3, LEVEL_FILE),
        (CHANGE, forests.change, None, CHANGE_FILE),
    ):
        model.write().overwrite().save((folder / SPARK_FOLDER / name).as_uri())
        nodes = _saved_nodes(folder, name, classes)
        (folder / onnx_file).write_bytes(forest.to_onnx(nodes, len(INPUT_NAMES)))
    (folder / PROFILE_FILE).write_bytes(profile.to_bytes())
    spec = ModelSpec(
        city=profile.city,
        dataset=dataset.name,
        profile_id=profile.profile_id,
        reference=reference,
        temperature=temperature,
        sha256={name: file_sha256(folder / name) for name in SERVED_FILES},
    )
    (folder / SPEC_FILE).write_text(spec.model_dump_json(indent=1))
    return spec


def _saved_nodes(folder: Path, name: str, classes: int | None) -> list[forest.TreeNode]:
    stage = next((folder / SPARK_FOLDER / name / "stages").glob("*RandomForest*"))
    return forest.read_saved_forest(stage / "data", classes)


def measure_steps(dataset: Dataset, folder: Path, train_rows: Rows, test_rows: Rows, report: Report) -> None:
    """Add the speed errors of the steps before the horizon to ``report``."""
    print("expected speeds at each step before the horizon", file=sys.stderr, flush=True)
    parts = [steps.at_most(rows) for rows in (train_rows, test_rows)]
    known = [(rows, look_ahead(dataset, rows)) for rows in parts]
    trees = Trees.of(_saved_nodes(folder, CHANGE, None))
    for step, errors in steps.step_errors(trees, *known):
        report.speed_by_step[step * dataset.city.window_minutes] = errors
    report.speed_methods.append(steps.METHOD)


def parity_gap(forests: Forests, model: ServingModel, rows: DataFrame) -> float:
    """Largest difference between Spark's and the export's scores. Raises: ModelError above the tolerance."""
    features, shares, changes = score_in_spark(forests, rows)
    gap = max(
        float(np.abs(model.probabilities(features) - calibrated(shares, model.spec.temperature)).max()),
        float(np.abs(model.ratio_change(features) - changes).max()),
    )
    if gap > PARITY_TOLERANCE:
        raise ModelError(f"the ONNX export differs from Spark by {gap:.2e}, more than {PARITY_TOLERANCE:.0e}")
    return gap


def gate(settings: Settings, report: Report, model: ServingModel, test: Rows) -> Decision:
    """Ask the gate, with the champion scored on the same rows, none of which either has learnt from."""
    figures = report.gate_figures()
    try:
        champion = registry.load_champion(settings)
    except NoChampionError:
        return decide(figures, None, None)
    except RegistryError:
        # Not known is not none: nothing is promoted over a champion that nobody could ask for.
        raise
    except ModelError as error:
        return Decision(figures.margin_over_persistence_low > 0, f"the champion cannot be loaded ({error})")
    if champion.spec.dataset != model.spec.dataset:
        return Decision(False, f"the champion serves data set {champion.spec.dataset!r}; promote by hand to change it")
    # Older days that come late put the hold-out among those that the champion has learnt from.
    fair = np.flatnonzero(test.times >= champion.profile.train_until_utc.timestamp())
    if len(fair) < MIN_TEST_ROWS:
        return Decision(False, "the champion has learnt from the hold-out days; promote by hand to change it")
    same, mine = test.at(fair), report.probabilities[fair]
    # Features rest on the candidate's profile; the champion's own may differ, which is part of what it has to stand.
    theirs = champion.probabilities(same.features)
    blocks = same.times // (BOOTSTRAP_BLOCK_MINUTES * 60)
    low = margin_interval(same.label, mine.argmax(axis=1), theirs.argmax(axis=1), blocks)[1]
    ours, others = scores(same.label, mine), scores(same.label, theirs)
    candidate = replace(figures, macro_f1=ours.macro_f1, ece=ours.ece)
    return decide(candidate, Evaluation(others.macro_f1, others.ece, 0.0), low)


def note_decision(
    settings: Settings, version: str, decision: Decision, champion_before: str | None, figures: dict[str, float]
) -> None:
    """Write the verdict into the ledger table."""
    engine = open_engine(settings)
    record_decision(engine, version, GATE, decision.promote, champion_before, decision.reason, figures)


def without(rows: DataFrame, days: Sequence[date]) -> DataFrame:
    """The rows of other days."""
    return rows.where(~col("date").isin(list(days))) if days else rows


def train(
    spark: SparkSession, dataset: Dataset, options: argparse.Namespace, folder: Path
) -> tuple[Report, dict[str, object]]:
    """Train and evaluate; register unless ``options.no_register``. Returns: the report and the job's figures."""
    if options.no_register:
        return _train(spark, dataset, options, folder, None)
    with publish.training_run(Settings(), dataset.name) as run_id:
        return _train(spark, dataset, options, folder, run_id)


def _train(
    spark: SparkSession, dataset: Dataset, options: argparse.Namespace, folder: Path, run_id: str | None
) -> tuple[Report, dict[str, object]]:
    settings = Settings()
    profile = Profile.load(dataset)
    maker = f"python -m spark_jobs.features --dataset {dataset.name}"
    check_causal(dataset, profile)
    rows = without(read_table(spark, dataset.features, None, None, maker), refused := held_days(dataset))
    if refused:
        print(f"left out, as the gate refused their features: {', '.join(map(str, refused))}", file=sys.stderr)
    training, testing = (thin(part, options.max_rows) for part in split_rows(rows, profile))
    train_rows, test_rows = (Rows.of(part.toArrow()) for part in (training, testing))
    check_enough(len(train_rows.label), len(test_rows.label), dataset.uri)
    parameters = ForestParameters(options.trees, options.depth, options.seed)
    record = TrialRuns(settings, run_id, options.trials) if run_id else unrecorded
    parameters, temperature = search(spark, training, dataset.city, parameters, options.trials, record)
    print(f"fitting 2 × {parameters.trees} trees on {len(train_rows.label):,} rows", file=sys.stderr, flush=True)
    forests = fit_forests(training, parameters)
    spec = export(forests, profile, dataset, folder, Reference.of(train_rows.features), temperature)
    model = ServingModel.load(folder, "candidate")
    gap = parity_gap(forests, model, testing.limit(PARITY_ROWS))
    day = profile.train_until_utc.astimezone(dataset.city.zone).date()
    report = evaluate(model, train_rows, test_rows, dataset.truth.read(day - timedelta(days=1)))
    report.extra["onnx_parity_gap"] = gap
    if options.all_steps:
        measure_steps(dataset, folder, train_rows, test_rows, report)
    figures: dict[str, object] = {**report.metrics()}
    if run_id:
        importance = forests.importance
        logged = {**publish.parameters_of(parameters, options.max_rows), "temperature": round(temperature, 4)}
        registered = publish.log_run(settings, run_id, folder, spec, profile, report, test_rows, logged, importance)
        decision = gate(settings, report, model, test_rows)
        before = registry.champion_version(settings)
        waits = decision.promote and options.hold
        registry.record_decision(settings, registered.version, decision.promote, decision.reason, hold=options.hold)
        promoted = Decision(decision.promote and not waits, decision.reason)
        note_decision(settings, registered.version, promoted, before, report.metrics())
        print(publish.summary(promoted, registered), file=sys.stderr, flush=True)
        figures |= {"version": registered.version, "promoted": int(promoted.promote), "reason": decision.reason}
        figures |= {"waits": int(waits), "before": before, "run": registry.run_address(settings, registered.run_id)}
    return report, figures


def job(engine: Engine, dataset: Dataset, span: jobs.Span, options: argparse.Namespace) -> jobs.Figures:
    """Train on the data set's features; the span does not matter, the profile's split does."""
    with tempfile.TemporaryDirectory(prefix="traffic-train-") as folder:
        report, figures = train(engine.session, dataset, options, Path(folder))
        if options.report:
            Path(options.report).write_text(json.dumps(report.as_json(), indent=1))
    return figures  # type: ignore[return-value]


def arguments() -> argparse.ArgumentParser:
    """The job's command line."""
    settings = Settings()
    parser = jobs.parser(__doc__)
    parser.add_argument("--trees", type=int, default=settings.forest_trees)
    parser.add_argument("--depth", type=int, default=settings.forest_depth)
    parser.add_argument("--seed", type=int, default=ForestParameters.seed)
    parser.add_argument(
        "--max-rows", type=int, default=settings.training_rows, help="rows to train on, and to test on, at most"
    )
    parser.add_argument(
        "--trials", type=int, default=settings.training_trials, help="hyper-parameters to try first; 1: none but these"
    )
    parser.add_argument("--no-register", action="store_true", help="evaluate only; touch no registry")
    parser.add_argument("--hold", action="store_true", help="promote nothing: what passes the gate waits")
    parser.add_argument(
        "--all-steps", action="store_true", help="also measure expected speeds at every step up to the horizon"
    )
    parser.add_argument("--report", help="also write the whole evaluation to this JSON file")
    return parser


def main(argv: list[str] | None = None) -> None:
    """Run from the command line or ``spark-submit``."""
    jobs.run("train", job, arguments(), argv)


if __name__ == "__main__":
    main()
