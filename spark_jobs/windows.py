"""Positions to windows: ``python -m spark_jobs.windows --dataset NAME --from DAY --to DAY``."""

import argparse

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from smartcity.city import City
from smartcity.lake import Dataset
from smartcity.spark.tables import local_date, read_table, write_table
from smartcity.spark.windows import aggregate_windows
from spark_jobs import job as jobs


def windows(positions: DataFrame, city: City) -> DataFrame:
    """Rows of ``columns.WINDOWS`` from rows of ``columns.POSITIONS``."""
    return aggregate_windows(positions, city).withColumn("date", local_date(F.col("window_start_utc"), city))


def job(spark: SparkSession, dataset: Dataset, span: jobs.Span, options: argparse.Namespace) -> jobs.Figures:
    """Replace the windows of the span's days."""
    positions = read_table(
        spark, dataset.positions, span.start, span.end, f"python -m spark_jobs.positions --dataset {dataset.name}"
    )
    dates = [day for day in dataset.positions.dates() if span.covers(day)]
    rows = write_table(windows(positions, dataset.city), dataset.windows, dates, dataset.positions.versions(dates))
    return {"days": len(dates), "windows": rows}


def main(argv: list[str] | None = None) -> None:
    """Run from the command line or ``spark-submit``."""
    jobs.run("windows", job, jobs.parser(__doc__), argv)


if __name__ == "__main__":
    main()
