"""A micro-batch of Spark's own aggregation beside one of ``transformWithState``: the same topic, trigger and events.

    ./traffic bench stateful --rate 1000 --seconds 60

In turns, each query on a checkpoint of its own and from the topic's end: the windows as the stream makes them, and
their sums kept by a processor of ours, in pandas. The latter does without the set of vehicles of a window and never
forgets one, both in its favour. Figures: medians of Spark's own times of a batch, after the first ten.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.streaming.stateful_processor import StatefulProcessor, StatefulProcessorHandle

from benchmarks._world import World
from smartcity.errors import TrafficError
from smartcity.services import jars
from smartcity.settings import ROOT, Settings
from smartcity.spark.cells import cell_id
from smartcity.spark.events import parse_events
from smartcity.spark.windows import speed_steps, vehicle_bit
from streaming.query import changed_windows, read_topic, stream_session

#: The first batches compile their program.
WARM_UP_BATCHES = 10
SUMS = "position_count bigint, speed_sum bigint, speed_square_sum bigint, vehicle_bits bigint, newest bigint"
KEY = ("cell_id", "window_start")


class Sums(StatefulProcessor):
    """Counts and speed sums of one cell and window."""

    def init(self, handle: StatefulProcessorHandle) -> None:
        """Declare the state."""
        self._sums = handle.getValueState("sums", SUMS)

    def handleInputRows(
        self,
        key: Any,
        rows: Iterator[pd.DataFrame],
        timerValues: Any,
    ) -> Iterator[pd.DataFrame]:
        """Add the rows of a batch."""
        count, total, squares, bits, newest = self._sums.get() or (0, 0, 0, 0, 0)
        for part in rows:
            count += len(part)
            total += int(part["steps"].sum())
            squares += int((part["steps"] * part["steps"]).sum())
            for bit in part["bit"]:
                bits |= int(bit)
            newest = max(newest, int(part["at"].max()))
        self._sums.update((count, total, squares, bits, newest))
        names = ("position_count", "speed_sum", "speed_square_sum", "vehicle_bits", "newest")
        figures = dict(zip(names, (count, total, squares, bits, newest), strict=True))
        yield pd.DataFrame(
            {**dict(zip(KEY, ([part] for part in key), strict=True)), **{k: [v] for k, v in figures.items()}}
        )

    def close(self) -> None:
        """Nothing is held."""


def own_windows(kafka: DataFrame, settings: Settings, city: Any) -> DataFrame:
    """The sums of ``changed_windows``, by ``Sums``."""
    good = parse_events(kafka, settings, city).where(F.col("reject_reason").isNull())
    rows = good.coalesce(2).select(
        cell_id(F.col("latitude"), F.col("longitude"), city).alias("cell_id"),
        F.window("timestamp_utc", f"{city.window_minutes} minutes").start.cast("long").alias("window_start"),
        speed_steps(F.col("speed_mph")).alias("steps"),
        vehicle_bit(F.col("vehicle_id")).alias("bit"),
        F.unix_micros("timestamp_utc").alias("at"),
    )
    returned = f"cell_id string, window_start bigint, {SUMS}"
    return rows.groupBy(*KEY).transformWithStateInPandas(Sums(), returned, "Update", "None")


def batches(spark: SparkSession, windows: DataFrame, folder: Path, seconds: float) -> dict[str, Any]:
    """Run a query for so long. Returns: medians of its batches."""
    seen: list[int] = []

    def take(rows: DataFrame, _: int) -> None:
        seen.append(rows.toArrow().num_rows)

    writer = windows.writeStream.outputMode("update").foreachBatch(take).option("checkpointLocation", str(folder))
    query = writer.trigger(processingTime="1 seconds").start()
    told: dict[int, dict[str, Any]] = {}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(1)
        if error := query.exception():
            raise error
        told.update({one["batchId"]: one for one in query.recentProgress})
    query.stop()
    late = [told[number] for number in sorted(told) if number >= WARM_UP_BATCHES and told[number]["numInputRows"]]
    return {
        "batches": len(late),
        "batch_ms": [one["durationMs"]["triggerExecution"] for one in late],
        "events": statistics.median(one["numInputRows"] for one in late),
        "windows": statistics.median(seen[WARM_UP_BATCHES:]),
    }


def measure(rate: int, cells: int, seconds: float, rounds: int) -> dict[str, object]:
    """Both queries in turns."""
    for pool in (jars.BROKER, jars.CONNECTOR):
        jars.fetch(Settings(), pool)
    with (
        tempfile.TemporaryDirectory(prefix="stateful-") as name,
        World(Path(name) / "home", Settings().jar_folder) as world,
    ):
        settings, city = world.settings, world.dataset.city
        command = [sys.executable, "-m", "benchmarks._firehose", "--rate", str(rate), "--cells", str(cells)]
        command += ["--kafka", settings.kafka, "--resolution", str(city.h3_resolution)]
        with subprocess.Popen(command, cwd=ROOT) as firehose:
            try:
                spark = stream_session(settings)
                spark.conf.set("spark.sql.streaming.numRecentProgressUpdates", "200")
                found: dict[str, list[dict[str, Any]]] = {"aggregation": [], "transform_with_state": []}
                for turn in range(rounds):
                    for kind, make in (("aggregation", changed_windows), ("transform_with_state", own_windows)):
                        topic = read_topic(spark, settings).option("startingOffsets", "latest").load()
                        folder = Path(name) / f"{kind}-{turn}"
                        found[kind].append(batches(spark, make(topic, settings, city), folder, seconds))
                spark.stop()
            finally:
                firehose.terminate()
    medians = {
        kind: {
            "batch_ms_median": round(statistics.median(ms for run in runs for ms in run["batch_ms"])),
            "events_a_batch": round(statistics.median(run["events"] for run in runs)),
            "windows_a_batch": round(statistics.median(run["windows"] for run in runs)),
            "batches": sum(run["batches"] for run in runs),
        }
        for kind, runs in found.items()
    }
    return {
        "benchmark": "stateful",
        "rate_events_per_second": rate,
        "cells": cells,
        **medians,
        "load_average": round(os.getloadavg()[0], 1),
    }


def main() -> None:
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--rate", type=int, default=1_000, help="events a second")
    arguments.add_argument("--cells", type=int, default=300)
    arguments.add_argument("--seconds", type=float, default=60, help="of each query in each round")
    arguments.add_argument("--rounds", type=int, default=2)
    options = arguments.parse_args()
    try:
        print(json.dumps(measure(options.rate, options.cells, options.seconds, options.rounds)))
    except TrafficError as error:
        sys.exit(f"stateful: {error}")


if __name__ == "__main__":
    main()
