"""Files to features in one Spark session: ``python -m spark_jobs.pipeline trips|probes|sensors --dataset NAME FILE…``.

The same jobs that Airflow runs one by one; here they share one start of Spark. Each stage prints its figures as a JSON
line when it is done.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta

from pyspark.sql import SparkSession

from smartcity.errors import TrafficError
from smartcity.lake import Dataset
from smartcity.settings import Settings
from smartcity.spark.session import create_session
from spark_jobs import clean, features, positions, probes, sensors, windows
from spark_jobs.job import Figures, Job, Span


@dataclass(frozen=True)
class Source:
    """A kind of input: the job that reads it, its arguments, and the stages that follow."""

    job: Job
    arguments: Callable[[], argparse.ArgumentParser]
    stages: tuple[tuple[str, Job], ...]


#: A feed of positions needs no simulation; a table of sensors is windows already.
SOURCES = {
    "trips": Source(
        clean.job,
        clean.arguments,
        (("positions", positions.job), ("windows", windows.job), ("features", features.job)),
    ),
    "probes": Source(probes.job, probes.arguments, (("windows", windows.job), ("features", features.job))),
    "sensors": Source(sensors.job, sensors.arguments, (("features", features.job),)),
}


def touched(figures: Figures) -> Span | None:
    """Days that the input reaches; None where it held no valid row. A trip may run past midnight."""
    first, last = figures.get("first_date"), figures.get("last_date")
    if first is None or last is None:
        return None
    return Span(date.fromisoformat(str(first)), date.fromisoformat(str(last)) + timedelta(days=1))


@contextmanager
def _stage(name: str) -> Iterator[dict[str, object]]:
    started = time.monotonic()
    print(json.dumps({"stage": name, "state": "started"}), flush=True)
    figures: dict[str, object] = {}
    yield figures
    done = {"stage": name, "state": "done", **figures, "seconds": round(time.monotonic() - started, 2)}
    print(json.dumps(done), flush=True)


def run(spark: SparkSession, dataset: Dataset, source: Source, name: str, options: argparse.Namespace) -> None:
    """Ingest, then each stage over the days that the input reaches."""
    with _stage(name) as figures:
        figures.update(source.job(spark, dataset, Span(), options))
    span = touched(figures)  # type: ignore[arg-type]
    if span is None:
        return
    options.refit_profile = getattr(options, "refit_profile", False)
    for stage, job in source.stages:
        with _stage(stage) as figures:
            figures.update(job(spark, dataset, span, options))


def main(argv: list[str] | None = None) -> None:
    """Run from the command line."""
    argv = sys.argv[1:] if argv is None else argv
    name = argv[0] if argv else "--help"
    if name not in SOURCES:
        print(f"usage: python -m spark_jobs.pipeline {{{','.join(SOURCES)}}} --dataset NAME FILE…\n\n{__doc__}")
        sys.exit(0 if name in ("-h", "--help") else 2)
    source = SOURCES[name]
    parser = source.arguments()
    parser.add_argument("--refit-profile", action="store_true", help="fit the profile anew; recomputes all features")
    options = parser.parse_args(argv[1:])
    settings = Settings()
    dataset = Dataset.of(settings, options.dataset)
    spark = create_session(settings, f"traffic {name} {dataset.name}")
    try:
        run(spark, dataset, source, name, options)
    except TrafficError as error:
        sys.exit(f"{name}: {error}")
    finally:
        spark.stop()


if __name__ == "__main__":
    main()
