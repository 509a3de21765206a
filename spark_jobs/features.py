"""Windows to features: ``python -m spark_jobs.features --dataset NAME --from DAY --to DAY [--refit-profile]``.

Features rest on a profile (free-flow speeds and history), which is fitted on the training days: all but the last fifth.
A profile is kept until it is refitted, because features of two profiles don't mix; a refit computes every day anew.
"""

import argparse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
from pyspark.core.broadcast import Broadcast
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from smartcity.errors import MissingDataError
from smartcity.features import FEATURES, LOOKBACK_MINUTES, estimate, feature_table
from smartcity.lake import Dataset, Part, Run, Table
from smartcity.profile import Profile
from smartcity.spark.profile import fit_profile
from smartcity.spark.tables import read_table
from smartcity.spark.tasks import Report, run_tasks
from smartcity.windows import COUNTS, WindowBlock, window_index
from spark_jobs import job as jobs
from spark_jobs.progress import Count, counting
from spark_jobs.units import Stretch, outdated, packed, stretches

#: Share of the time span, at its end, that no training sees.
TEST_SHARE = 0.2
_WINDOWS_PER_TASK = 100_000
#: A day is dense arrays of windows × cells, some eighty of them: cut into parts they are small.
_STRETCHES = 4


def train_until(first: datetime, last: datetime) -> datetime:
    """The instant that parts training from test, on a whole hour."""
    cut = first + (last - first) * (1 - TEST_SHARE)
    return cut.replace(minute=0, second=0, microsecond=0)


def fit(spark: SparkSession, dataset: Dataset) -> Profile:
    """Fit a profile on all windows of the data set but the last fifth, and keep it."""
    maker = f"python -m spark_jobs.windows --dataset {dataset.name}"
    rows = read_table(spark, dataset.windows, None, None, maker)
    bounds = rows.agg(F.min("window_start_utc").alias("first"), F.max("window_start_utc").alias("last")).toArrow()
    first, last = (bounds[name][0].as_py().astimezone(UTC) for name in ("first", "last"))
    places = {
        place["cell_id"]: (place["latitude"], place["longitude"]) for place in dataset.get_json("places.json") or []
    }
    profile = fit_profile(rows, dataset.city, train_until(first, last), places)
    profile.save(dataset)
    return profile


def current_profile(spark: SparkSession, dataset: Dataset, refit: bool) -> tuple[Profile, bool]:
    """The data set's profile and whether it is new."""
    if not refit:
        try:
            return Profile.load(dataset), False
        except MissingDataError:
            pass
    return fit(spark, dataset), True


def features_origin(dataset: Dataset, profile: Profile) -> Callable[[date], Mapping[str, Any]]:
    """What the features of a day are made from: its windows, and at its edges those of the days around it."""
    versions = dataset.windows.versions(dataset.windows.dates())

    def origin(day: date) -> Mapping[str, Any]:
        names = [f"windows/{(day + timedelta(days=offset)).isoformat()}" for offset in (-1, 0, 1)]
        return {"profile": profile.profile_id, **{name: versions[name] for name in names if name in versions}}

    return origin


@dataclass(frozen=True)
class Deriving:
    """Days in, files of features out. Nothing of it is visible until it is published."""

    features: Run
    windows: Table
    files: Mapping[date, list[str]]
    profile: Broadcast[Profile]
    count: Count

    def __call__(self, days: list[date]) -> Iterator[Report]:
        """The kernel for ``run_tasks``."""
        for day in days:
            windows = self._around(day)
            with self.features.part(day) as writer:
                for stretch in stretches(day, _STRETCHES, self.profile.value.city):
                    writer.write(stretch_features(windows, stretch, self.profile.value))
            self.count(windows.num_rows / 3)
            yield {"features": writer.part.model_dump(mode="json")}

    def _around(self, day: date) -> pa.Table:
        """Windows of the day and of those before and after it."""
        names = [name for offset in (-1, 0, 1) for name in self.files.get(day + timedelta(days=offset), ())]
        paths = [f"{self.windows.path}/{name}" for name in names]
        schema = self.windows.stored_schema
        stored = pads.dataset(paths, schema=schema, filesystem=self.windows.filesystem, format="parquet")
        return stored.to_table(columns=["cell_id", "window_start_utc", *COUNTS], use_threads=False)


def stretch_features(windows: pa.Table, stretch: Stretch, profile: Profile) -> pa.Table:
    """Rows of ``FEATURES`` (but ``date``) of a stretch; ``windows`` reach far enough to both sides of it."""
    city = profile.city
    first = stretch.first - city.steps(LOOKBACK_MINUTES) - 1
    end = stretch.end + city.horizon_steps + 1
    index = window_index(windows.column("window_start_utc"), city)
    near = windows.filter(pa.array((index >= first) & (index < end)))
    if not near.num_rows:
        return FEATURES.empty_table()
    block = WindowBlock.empty(first, end - first, tuple(sorted(pc.unique(near.column("cell_id")).to_pylist())))
    block.put(near, city)
    return feature_table(estimate(block, profile), stretch.first - first, stretch.end - first)


def job(spark: SparkSession, dataset: Dataset, span: jobs.Span, options: argparse.Namespace) -> jobs.Figures:
    """Make the features of the span's days, or of all days where the profile is new."""
    maker = f"python -m spark_jobs.windows --dataset {dataset.name}"
    dataset.windows.require_files(span.start, span.end, maker)
    profile, new = current_profile(spark, dataset, options.refit_profile)
    if new:
        span = jobs.Span()
    wanted = [day for day in dataset.windows.dates() if span.covers(day)]
    origin = features_origin(dataset, profile)
    days = wanted if getattr(options, "redo", False) else outdated(dataset.features, wanted, origin)
    written = 0
    if days:
        partitions = dataset.windows.manifest().partitions
        rows = {day: partitions[day.isoformat()].rows for day in days}
        tasks = packed([(day, rows[day]) for day in days], _WINDOWS_PER_TASK)
        run = dataset.features.begin()
        shared = spark.sparkContext.broadcast(profile)
        with counting(spark, "features", sum(rows.values()), "windows") as count:
            work = Deriving(run, dataset.windows, dataset.windows.files_by_day(), shared, count)
            reports = run_tasks(spark, f"features: {len(days)} days in {len(tasks)} tasks", tasks, work)
        parts = [Part.model_validate(report["features"]) for report in reports]
        written = dataset.features.publish(run, days, origin, parts)
    return {
        "days": len(days),
        "days_current": len(wanted) - len(days),
        "features": written,
        "cells": len(profile.cells),
        "profile": profile.profile_id,
        "train_until_utc": profile.train_until_utc.isoformat(),
    }


def arguments() -> argparse.ArgumentParser:
    """The job's command line."""
    parser = jobs.parser(__doc__)
    parser.add_argument("--refit-profile", action="store_true", help="fit the profile anew; recomputes all days")
    return parser


def main(argv: list[str] | None = None) -> None:
    """Run from the command line or ``spark-submit``."""
    jobs.run("features", job, arguments(), argv)


if __name__ == "__main__":
    main()
