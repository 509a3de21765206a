"""Expected speeds at every step up to the horizon, for the evaluation: what came, and a forest for each step."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from smartcity.city import City
from smartcity.model.baselines import speed_ratios
from smartcity.model.evaluation import SpeedErrors, speed_errors
from smartcity.spark.training import ForestParameters, fit_change, thin, with_inputs

Floats = npt.NDArray[np.float64]

#: A forest for each step up to the horizon is for judging only: fewer trees and rows tell the same.
STEP_TREES = 20
STEP_ROWS = 60_000
_RATIOS = ("ratio_ahead", "ratio_now", "history_ahead", "cell_free_flow_mph", "expected")


def with_step(rows: DataFrame, all_rows: DataFrame, city: City, step: int) -> DataFrame:
    """``rows`` whose place was known ``step`` windows on, with the ratio and the history of then.

    Args: all_rows: the features table, from which the later windows are taken.
    """
    ahead = all_rows.where("known_now").select(
        "cell_id",
        (F.col("window_start_utc") - F.make_dt_interval(mins=F.lit(step * city.window_minutes))).alias(
            "window_start_utc"
        ),
        F.col("ratio_now").alias("ratio_ahead"),
        F.col("history_now").alias("history_ahead"),
    )
    return rows.join(ahead, ["cell_id", "window_start_utc"], "inner")


def step_errors(
    training: DataFrame, testing: DataFrame, all_rows: DataFrame, city: City, parameters: ForestParameters, step: int
) -> dict[str, SpeedErrors]:
    """Speed errors ``step`` windows ahead, by forecaster, on the test rows that are known then."""
    change = (F.col("ratio_ahead") - F.col("ratio_now")).alias("ratio_change")
    rows = with_inputs(with_step(thin(training, STEP_ROWS), all_rows, city, step), change).persist()
    try:
        fitted = fit_change(rows, replace(parameters, trees=min(parameters.trees, STEP_TREES)))
        mean = rows.agg(F.avg(F.col("ratio_change") + F.col("ratio_now"))).first()[0]  # type: ignore[index]
    finally:
        rows.unpersist()
    test = with_step(thin(testing, STEP_ROWS), all_rows, city, step)
    scored = fitted.transform(with_inputs(test, F.col("ratio_ahead"), F.col("history_ahead")))
    table = scored.withColumn("expected", F.col("ratio_now") + F.col("prediction")).select(*_RATIOS).toArrow()
    came, now, history, free_flow, expected = (table[name].to_numpy() for name in _RATIOS)
    found = {"model": expected, **speed_ratios(now, history, float(mean))}
    return {name: speed_errors((ratio - came) * free_flow) for name, ratio in found.items()}
