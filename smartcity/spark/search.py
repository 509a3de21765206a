"""A search for hyper-parameters within a stated budget: so many trials, each on a thinned part of the training days.

Trials are judged on the last fifth of the training time, which also tells how sure a forest may be; the test days are
not looked at.
"""

import itertools
import random
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
from pyspark import inheritable_thread_target
from pyspark.ml.functions import vector_to_array
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from smartcity.city import City
from smartcity.errors import MissingDataError
from smartcity.model.calibration import calibrated, fitted_temperature
from smartcity.model.metrics import Scores, scores
from smartcity.model.trials import Record, Trial
from smartcity.spark.training import ForestParameters, fit_level, thin, training_frame

#: What is tried, besides what was asked for.
DEPTHS = (8, 10, 12, 14)
LEAVES = (5, 10, 30, 100)
#: A trial's forest is smaller: it ranks the same, in a fifth of the time.
TRIAL_TREES = 20
TRIAL_ROWS = 60_000
#: Trials at once; each uses what cores the other leaves.
PARALLEL = 2
VALIDATION_SHARE = 0.2
#: Log-loss that others must be lower by, as a share, to take the place of what was asked for: less is noise.
WORTH = 0.002


@dataclass(frozen=True)
class Search:
    """The rows of a search, split in time."""

    rows: DataFrame
    held_out: DataFrame

    def score(self, parameters: ForestParameters) -> tuple[Scores, float]:
        """Fit a small forest with ``parameters`` and judge it on the rows that were held out, at their temperature."""
        model = fit_level(self.rows, replace(parameters, trees=min(parameters.trees, TRIAL_TREES)))
        shares = vector_to_array(F.col("probability")).alias("shares")
        table = model.transform(self.held_out).select("label", shares).toArrow()
        found, label = np.array(table["shares"].to_pylist()), table["label"].to_numpy().astype(np.int64)
        temperature = fitted_temperature(label, found)
        return scores(label, calibrated(found, temperature)), temperature


def candidates(asked: ForestParameters, trials: int) -> list[ForestParameters]:
    """``trials`` different parameters: the ones asked for first, then a draw from the grid, repeatable by the seed."""
    grid = [replace(asked, depth=depth, min_leaf=leaf) for depth, leaf in itertools.product(DEPTHS, LEAVES)]
    others = [parameters for parameters in grid if parameters != asked]
    random.Random(asked.seed).shuffle(others)
    return [asked, *others][:trials]


def search(
    spark: SparkSession, training: DataFrame, city: City, asked: ForestParameters, trials: int, record: Record
) -> tuple[ForestParameters, float]:
    """Run the trials, each told to ``record`` when it starts and ends.

    Returns: the best parameters by log-loss, and their forest's temperature. Log-loss rewards probabilities that are
    sharp and calibrated, and is less noisy than a count of hits. One trial is of what was asked for: for its
    temperature alone, and where the training days are too few for that, without.
    """
    before, after = _split(training, city)
    work = Search(training_frame(thin(before, TRIAL_ROWS)).persist(), training_frame(thin(after, TRIAL_ROWS)).persist())
    chosen = candidates(asked, trials)
    try:
        if work.rows.isEmpty() or work.held_out.isEmpty():
            if trials > 1:
                raise MissingDataError("too few training days for a search: ask for --trials 1")
            return asked, 1.0
        with ThreadPoolExecutor(PARALLEL, "trial") as pool:
            done = list(pool.map(inheritable_thread_target(spark)(_runner(work, record, len(chosen))), chosen))
    finally:
        work.rows.unpersist()
        work.held_out.unpersist()
    best = min(done, key=lambda trial: trial.scores.log_loss)
    if best.scores.log_loss > done[0].scores.log_loss * (1 - WORTH):
        best = done[0]
    return replace(asked, depth=best.parameters["depth"], min_leaf=best.parameters["min_leaf"]), best.temperature


def _runner(work: Search, record: Record, trials: int) -> Callable[[ForestParameters], Trial]:
    def run(parameters: ForestParameters) -> Trial:
        said = {"depth": parameters.depth, "min_leaf": parameters.min_leaf, "seed": parameters.seed}
        with record(said) as finish:
            started = time.monotonic()
            trial = Trial(said, *work.score(parameters), time.monotonic() - started)
            finish(trial)
        print(
            f"trial of {trials}: depth {parameters.depth}, {parameters.min_leaf} rows a leaf: "
            f"log-loss {trial.scores.log_loss:.4f}, macro-F1 {trial.scores.macro_f1:.4f}, temperature "
            f"{trial.temperature:.3f}, {trial.seconds:.0f} s",
            file=sys.stderr,
            flush=True,
        )
        return trial

    return run


def _split(training: DataFrame, city: City) -> tuple[DataFrame, DataFrame]:
    moment = F.col("window_start_utc")
    first = training.agg(F.min(moment), F.max(moment)).first()
    if first is None or first[0] is None:
        return training, training
    start, end = (_utc(bound) for bound in first)
    cut = end - (end - start) * VALIDATION_SHARE
    reach = timedelta(minutes=(city.horizon_steps + 1) * city.window_minutes)
    return training.where(moment <= F.lit(cut - reach)), training.where(moment >= F.lit(cut))


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)
