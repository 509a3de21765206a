"""Windows to features: ``python -m spark_jobs.features --dataset NAME --from DAY --to DAY [--refit-profile]``.

Features rest on a profile (free-flow speeds and history), which is fitted on the training days: all but the last fifth.
A profile is kept until it is refitted, because features of two profiles don't mix; a refit computes every day anew.
"""

import argparse
from datetime import UTC, datetime, timedelta

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from smartcity.errors import MissingDataError
from smartcity.lake import Dataset
from smartcity.profile import Profile
from smartcity.spark.features import features
from smartcity.spark.profile import fit_profile
from smartcity.spark.tables import read_table, write_table
from spark_jobs import job as jobs

#: Share of the time span, at its end, that no training sees.
TEST_SHARE = 0.2


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


def job(spark: SparkSession, dataset: Dataset, span: jobs.Span, options: argparse.Namespace) -> jobs.Figures:
    """Replace the features of the span's days, or of all days where the profile is new."""
    profile, new = current_profile(spark, dataset, options.refit_profile)
    if new:
        span = jobs.Span()
    dates = [day for day in dataset.windows.dates() if span.covers(day)]
    maker = f"python -m spark_jobs.windows --dataset {dataset.name}"
    edge = timedelta(days=1)
    context = read_table(
        spark,
        dataset.windows,
        span.start and span.start - edge,
        span.end and span.end + edge,
        maker,
    )
    rows = features(context, profile).where(F.col("date").isin(dates))
    made_from = {"profile": profile.profile_id, **dataset.windows.versions(dates)}
    written = write_table(rows, dataset.features, dates, made_from)
    return {
        "days": len(dates),
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
