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
from smartcity.model.inputs import DIFFERENCES, INPUT_NAMES
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
    min_leaf: int = MIN_ROWS_PER_LEAF


@dataclass(frozen=True)
class Forests:
    """The level classifier and the regressor of the ratio's change, each a pipeline from named columns."""

    level: PipelineModel
    change: PipelineModel

    @property
    def importance(self) -> npt.NDArray[np.float64]:
        """Share of the classifier's impurity reduction by input, in ``INPUT_NAMES`` order."""
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


def with_inputs(rows: DataFrame, *others: Column) -> DataFrame:
    """The columns ``INPUT_NAMES``, made from the features as in ``smartcity.model.inputs``, and ``others``."""
    differences = [(F.col(minuend) - F.col(subtrahend)).alias(name) for name, minuend, subtrahend in DIFFERENCES]
    return rows.select(*FEATURE_NAMES, *differences, *others)


def _shared(parameters: ForestParameters) -> dict[str, Any]:
    return {
        "numTrees": parameters.trees,
        "maxDepth": parameters.depth,
        "maxBins": MAX_BINS,
        "minInstancesPerNode": parameters.min_leaf,
        "seed": parameters.seed,
        "featuresCol": "features",
        "subsamplingRate": 0.7,
        "maxMemoryInMB": 256,
        # A quarter faster: no row walks down all trees anew at each level. The trees are the same.
        "cacheNodeIds": True,
    }


def _assembler() -> VectorAssembler:
    # A null becomes NaN, which goes right at every split, in Spark as in the export.
    return VectorAssembler(inputCols=list(INPUT_NAMES), outputCol="features", handleInvalid="keep")


def fit_change(rows: DataFrame, parameters: ForestParameters, label: str = "ratio_change") -> PipelineModel:
    """A regressor of the ratio's change; ``rows`` has the inputs and the column ``label``."""
    forest = RandomForestRegressor(labelCol=label, featureSubsetStrategy="onethird", **_shared(parameters))
    return Pipeline(stages=[_assembler(), forest]).fit(rows)


def fit_level(rows: DataFrame, parameters: ForestParameters) -> PipelineModel:
    """A classifier of the level; ``rows`` has the inputs and ``label``."""
    forest = RandomForestClassifier(labelCol="label", featureSubsetStrategy="sqrt", **_shared(parameters))
    return Pipeline(stages=[_assembler(), forest]).fit(rows)


def training_frame(training: DataFrame) -> DataFrame:
    """Inputs and both labels of training rows of the features table."""
    return with_inputs(training, _label(), (F.col("label_ratio") - F.col("ratio_now")).alias("ratio_change"))


def fit_forests(training: DataFrame, parameters: ForestParameters) -> Forests:
    """Fit both forests on training rows of the features table."""
    rows = training_frame(training).persist()
    try:
        return Forests(fit_level(rows, parameters), fit_change(rows, parameters))
    finally:
        rows.unpersist()


def score_in_spark(
    forests: Forests, rows: DataFrame
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Features, class probabilities and ratio changes of ``rows`` by Spark itself, to hold the export against."""
    scored = forests.change.transform(
        forests.level.transform(with_inputs(rows)).select(
            *INPUT_NAMES, vector_to_array(F.col("probability")).alias("shares")
        )
    )
    table = scored.select(*FEATURE_NAMES, "shares", F.col("prediction").alias("ratio_change")).toArrow()
    features = np.column_stack([table[name].to_numpy() for name in FEATURE_NAMES])
    return features, np.array(table["shares"].to_pylist()), table["ratio_change"].to_numpy()
