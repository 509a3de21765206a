"""Forests by Spark ML: rows of the features table in, fitted pipelines out."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.classification import RandomForestClassifier
from pyspark.ml.feature import VectorAssembler
from pyspark.ml.functions import vector_to_array
from pyspark.ml.regression import RandomForestRegressor
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from smartcity.features import FEATURE_NAMES
from smartcity.levels import CLASSES
from smartcity.profile import Profile

#: Candidate thresholds per feature; more bought nothing.
MAX_BINS = 64
MIN_ROWS_PER_LEAF = 10


@dataclass(frozen=True)
class ForestParameters:
    """Hyper-parameters of both forests; ``seed`` makes a fit repeatable on the same partitions."""

    trees: int
    depth: int
    seed: int = 7


@dataclass(frozen=True)
class Forests:
    """The level classifier and the regressor of the ratio's change, each a pipeline from named columns."""

    level: PipelineModel
    change: PipelineModel

    @property
    def importance(self) -> npt.NDArray[np.float64]:
        """Share of the classifier's impurity reduction by feature, in ``FEATURE_NAMES`` order."""
        forest: Any = self.level.stages[-1]
        return np.asarray(forest.featureImportances.toArray())


def split_rows(features: DataFrame, profile: Profile) -> tuple[DataFrame, DataFrame]:
    """Training and test rows: those whose target is over before the split, and those that start after it.

    Rows between the two see both sides and are in neither. Rows without a label are in neither.
    """
    city = profile.city
    reach = F.make_dt_interval(mins=F.lit((city.horizon_steps + 1) * city.window_minutes))
    cut = F.lit(profile.train_until_utc)
    labelled = features.where(F.col("label").isNotNull())
    return labelled.where(F.col("window_start_utc") + reach <= cut), labelled.where(F.col("window_start_utc") >= cut)


def thin(rows: DataFrame, most: int) -> DataFrame:
    """At most about ``most`` rows, chosen by their key, so that the same data give the same choice."""
    count = rows.count()
    if count <= most:
        return rows
    share = F.abs(F.xxhash64("cell_id", "window_start_utc") % 1_000_000)
    return rows.where(share < int(1_000_000 * most / count))


def _label() -> Column:
    # The attribute names all classes: a forest trained where one is absent still has three.
    attribute = {"ml_attr": {"type": "nominal", "name": "label", "vals": [level.value for level in CLASSES]}}
    return F.col("label").cast("double").alias("label", metadata=attribute)


def fit_forests(training: DataFrame, parameters: ForestParameters) -> Forests:
    """Fit both forests on training rows of the features table."""
    assembler = VectorAssembler(inputCols=list(FEATURE_NAMES), outputCol="features")
    rows = training.select(
        *FEATURE_NAMES, _label(), (F.col("label_ratio") - F.col("ratio_now")).alias("ratio_change")
    ).persist()
    shared: dict[str, Any] = {
        "numTrees": parameters.trees,
        "maxDepth": parameters.depth,
        "maxBins": MAX_BINS,
        "minInstancesPerNode": MIN_ROWS_PER_LEAF,
        "seed": parameters.seed,
        "featuresCol": "features",
        "subsamplingRate": 0.7,
        "maxMemoryInMB": 256,
        "cacheNodeIds": False,
    }
    try:
        level = Pipeline(
            stages=[assembler, RandomForestClassifier(labelCol="label", featureSubsetStrategy="sqrt", **shared)]
        ).fit(rows)
        change = Pipeline(
            stages=[
                assembler,
                RandomForestRegressor(labelCol="ratio_change", featureSubsetStrategy="onethird", **shared),
            ]
        ).fit(rows)
    finally:
        rows.unpersist()
    return Forests(level, change)


def score_in_spark(
    forests: Forests, rows: DataFrame
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Features, class probabilities and ratio changes of ``rows`` by Spark itself, to hold the export against."""
    scored = forests.change.transform(
        forests.level.transform(rows.select(*FEATURE_NAMES)).select(
            *FEATURE_NAMES, vector_to_array(F.col("probability")).alias("shares")
        )
    )
    table = scored.select(*FEATURE_NAMES, "shares", F.col("prediction").alias("ratio_change")).toArrow()
    features = np.column_stack([table[name].to_numpy() for name in FEATURE_NAMES])
    return features, np.array(table["shares"].to_pylist()), table["ratio_change"].to_numpy()
