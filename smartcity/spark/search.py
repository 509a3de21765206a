"""A search for hyper-parameters within a stated budget: so many trials, each on a thinned part of the training days.

Trials are judged on the last fifth of the training time; the test days are not looked at.
"""

import itertools
import random
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
from pyspark.ml.functions import vector_to_array
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from smartcity.city import City
from smartcity.model.metrics import Scores, scores
from smartcity.spark.training import ForestParameters, fit_level, thin, training_frame

#: What is tried, besides what was asked for.
DEPTHS = (8, 10, 12, 14)
LEAVES = (5, 10, 30, 100)
#: A trial's forest is smaller: it ranks the same, in a fifth of the time.
TRIAL_TREES = 20
TRIAL_ROWS = 40_000
#: Trials at once; each uses what cores the other leaves.
PARALLEL = 2
VALIDATION_SHARE = 0.2


@dataclass(frozen=True)
class Trial:
    """Parameters, and what they scored on the validation rows."""

    parameters: ForestParameters
    scores: Scores
    seconds: float


def candidates(asked: ForestParameters, trials: int) -> list[ForestParameters]:
    """``trials`` different parameters: the ones asked for first, then a draw from the grid, repeatable by the seed."""
    grid = [replace(asked, depth=depth, min_leaf=leaf) for depth, leaf in itertools.product(DEPTHS, LEAVES)]
    others = [parameters for parameters in grid if parameters != asked]
    random.Random(asked.seed).shuffle(others)
    return [asked, *others][:trials]


def search(training: DataFrame, city: City, asked: ForestParameters, trials: int) -> list[Trial]:
    """Run the trials, best first by log-loss: it rewards sharp and calibrated probabilities, and is not noisy."""
    before, after = _split(training, city)
    rows, held_out = (
        training_frame(thin(before, TRIAL_ROWS)).persist(),
        training_frame(thin(after, TRIAL_ROWS)).persist(),
    )
    try:
        with ThreadPoolExecutor(PARALLEL, "trial") as pool:
            done = pool.map(lambda parameters: _run(rows, held_out, parameters), candidates(asked, trials))
            found = list(_told(done, trials))
    finally:
        rows.unpersist()
        held_out.unpersist()
    return sorted(found, key=lambda trial: trial.scores.log_loss)


def _split(training: DataFrame, city: City) -> tuple[DataFrame, DataFrame]:
    start, end = training.agg(F.min("window_start_utc"), F.max("window_start_utc")).first()  # type: ignore[misc]
    cut = _utc(end) - (_utc(end) - _utc(start)) * VALIDATION_SHARE
    reach = timedelta(minutes=(city.horizon_steps + 1) * city.window_minutes)
    moment = F.col("window_start_utc")
    return training.where(moment <= F.lit(cut - reach)), training.where(moment >= F.lit(cut))


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


def _told(done: Iterator[Trial], trials: int) -> Iterator[Trial]:
    for number, trial in enumerate(done, 1):
        p, s = trial.parameters, trial.scores
        print(
            f"trial {number} of {trials}: depth {p.depth}, {p.min_leaf} rows a leaf: log-loss {s.log_loss:.4f}, "
            f"macro-F1 {s.macro_f1:.4f}, {trial.seconds:.0f} s",
            file=sys.stderr,
            flush=True,
        )
        yield trial


def _run(rows: DataFrame, held_out: DataFrame, parameters: ForestParameters) -> Trial:
    started = time.monotonic()
    model = fit_level(rows, replace(parameters, trees=min(parameters.trees, TRIAL_TREES)))
    table = model.transform(held_out).select("label", vector_to_array(F.col("probability")).alias("shares")).toArrow()
    shares = np.array(table["shares"].to_pylist())
    result = scores(table["label"].to_numpy().astype(np.int64), shares)
    return Trial(parameters, result, time.monotonic() - started)
