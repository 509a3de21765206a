"""Training against Spark ML's plain fit, and how long an exported forest takes to score a city.

    ./traffic bench training --rows 165000 --rounds 3

Both sides fit 50 trees × depth 12 on the same rows and inputs in one Spark session, in turns. *Ours* is what a training
runs for the level: the fit, and the export to ONNX. *Plain* is a ``VectorAssembler`` and a ``RandomForestClassifier``
with the same parameters, read from memory, and nothing else. The figure is the ratio of their medians. ``scoring_ms``:
median time of 1,000 rows from features to probabilities by the exported forest.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyspark.ml import Pipeline
from pyspark.ml.classification import RandomForestClassifier
from pyspark.ml.feature import VectorAssembler
from pyspark.sql import DataFrame, SparkSession

from smartcity.features import FEATURE_NAMES
from smartcity.levels import CLASSES
from smartcity.model.forest import read_saved_forest, to_onnx
from smartcity.model.inputs import INPUT_NAMES, inputs
from smartcity.model.serving import onnx_session
from smartcity.settings import Settings
from smartcity.spark.session import create_session
from smartcity.spark.training import MAX_BINS, ForestParameters, fit_level, training_frame

SCORED_ROWS = 1000


def made_rows(spark: SparkSession, count: int, seed: int = 7) -> DataFrame:
    """Rows of the features table whose label follows some of the features, with noise."""
    random = np.random.default_rng(seed)
    table = {name: random.normal(0.7, 0.2, count) for name in FEATURE_NAMES}
    ratio = 0.6 * table["ratio_now"] + 0.3 * table["history_target"] + random.normal(0, 0.1, count)
    table |= {"label_ratio": ratio, "label": np.where(ratio >= 0.72, 0, np.where(ratio >= 0.55, 1, 2))}
    return spark.createDataFrame(pa.table(table)).repartition(2).persist()


def plain_fit(rows: DataFrame, parameters: ForestParameters) -> object:
    """What anyone would write first."""
    forest = RandomForestClassifier(
        labelCol="label",
        numTrees=parameters.trees,
        maxDepth=parameters.depth,
        maxBins=MAX_BINS,
        minInstancesPerNode=parameters.min_leaf,
        subsamplingRate=0.7,
        seed=parameters.seed,
    )
    return Pipeline(stages=[VectorAssembler(inputCols=list(INPUT_NAMES), outputCol="features"), forest]).fit(rows)


def our_fit(rows: DataFrame, parameters: ForestParameters, folder: Path) -> Path:
    """The level's forest as a training makes it, exported. Returns: the export."""
    fitted = fit_level(rows, parameters)
    fitted.write().overwrite().save((folder / "level").as_uri())
    stage = next((folder / "level" / "stages").glob("*RandomForest*"))
    path = folder / "level.onnx"
    path.write_bytes(to_onnx(read_saved_forest(stage / "data", len(CLASSES)), len(INPUT_NAMES)))
    return path


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def scoring_ms(path: Path, rounds: int = 200) -> float:
    """Median time of 1,000 rows, features to values, as the stream and the API score them."""
    features = np.random.default_rng(1).normal(0.7, 0.2, (SCORED_ROWS, len(FEATURE_NAMES)))
    session = onnx_session(path)
    taken = [_seconds(lambda: session.run(None, {"features": inputs(features)})) for _ in range(rounds)]
    return statistics.median(taken) * 1000


def measure(rows: int, rounds: int, parameters: ForestParameters) -> dict[str, float]:
    """Fit both in turns, the first to start changing each round."""
    settings = Settings()
    spark = create_session(settings, "traffic bench training", {"spark.ui.enabled": "false"})
    made = made_rows(spark, rows)
    frame = training_frame(made).persist()
    frame.count()
    ours: list[float] = []
    plain: list[float] = []
    with tempfile.TemporaryDirectory(prefix="traffic-bench-") as name:
        folder = Path(name)
        # Once for nothing: the first fit of a session pays for compiling it.
        plain_fit(frame, ForestParameters(2, 3))
        for number in range(rounds):
            sides = [
                (ours, lambda: our_fit(frame, parameters, folder)),
                (plain, lambda: plain_fit(frame, parameters)),
            ]
            for taken, work in sides if number % 2 else reversed(sides):
                taken.append(_seconds(work))
        milliseconds = scoring_ms(folder / "level.onnx")
    spark.stop()
    return {
        "rows": rows,
        "inputs": len(INPUT_NAMES),
        "ours_seconds": round(statistics.median(ours), 2),
        "plain_seconds": round(statistics.median(plain), 2),
        "ours_to_plain": round(statistics.median(ours) / statistics.median(plain), 3),
        "scoring_ms": round(milliseconds, 2),
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=165_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--trees", type=int, default=50)
    parser.add_argument("--depth", type=int, default=12)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = measure(options.rows, options.rounds, ForestParameters(options.trees, options.depth))
    print(json.dumps(found) if options.json else "\n".join(f"{name:16} {value}" for name, value in found.items()))


if __name__ == "__main__":
    main()
