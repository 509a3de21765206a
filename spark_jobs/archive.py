"""What the stream archived to positions, for days that are over: ``python -m spark_jobs.archive --dataset NAME``.

Each event once, however often the stream wrote it. Days that trips or probes gave are left alone, and so are days that
were made from these very files before.
"""

import argparse
from collections.abc import Mapping
from datetime import date
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema

from smartcity import columns
from smartcity.archive import ARCHIVED, EVENT_KEY, SOURCE, Archive, digest, yesterday
from smartcity.city import City
from smartcity.lake import Dataset
from smartcity.spark.cells import cell_id
from smartcity.spark.engine import Engine
from smartcity.spark.tables import write_table
from spark_jobs.ingesting import IngestFigures
from spark_jobs.job import Figures, Span, parser, run


def positions_of(events: DataFrame, city: City) -> DataFrame:
    """Archived events as positions, each once.

    Args: events: the columns of ``archive.ARCHIVED``, and ``date``.
    Returns: the columns of ``columns.POSITIONS``.
    """
    once = events.dropDuplicates(list(EVENT_KEY))
    placed = once.withColumn("cell_id", cell_id(F.col("latitude"), F.col("longitude"), city))
    return placed.where(F.col("cell_id").isNotNull()).select(*columns.POSITIONS.names)


def run_archive(spark: SparkSession, dataset: Dataset, span: Span) -> IngestFigures:
    """Make the positions of the span's days that are waiting; without an end, of those that are over."""
    archive = Archive.of(dataset)
    waiting = archive.waiting(dataset, span.end or yesterday(dataset.city))
    files = {day: found for day, found in sorted(waiting.items()) if span.covers(day)}
    figures = IngestFigures(files=sum(map(len, files.values())))
    if not files:
        figures.warnings.append("the archive holds no day that is over and whose positions are still to be made")
        return figures
    dataset.create(dataset.city)

    def origin(day: date) -> Mapping[str, Any]:
        return {"source": SOURCE, "archive": digest([file.rsplit("/", 1)[-1] for file in files[day]])}

    schema = from_arrow_schema(ARCHIVED.append(columns.POSITIONS.field("date")), prefer_timestamp_ntz=False)
    reader = spark.read.schema(schema).option("basePath", archive.uri)
    events = reader.parquet(*(file for found in files.values() for file in found))
    figures.rows_read = events.count()
    figures.rows_kept = write_table(positions_of(events, dataset.city), dataset.positions, files, origin)
    figures.rows_duplicate = figures.rows_read - figures.rows_kept
    figures.first_date, figures.last_date = min(files), max(files)
    figures.changed_dates = sorted(files)
    return figures


def job(engine: Engine, dataset: Dataset, span: Span, options: argparse.Namespace) -> Figures:
    """The whole job, for ``spark_jobs.job.run``."""
    with dataset.taking_in():
        return run_archive(engine.session, dataset, span).figures()


def arguments() -> argparse.ArgumentParser:
    """The job's command line."""
    return parser((__doc__ or "").partition("\n")[0])


def main(argv: list[str] | None = None) -> None:
    """Entry point of ``python -m spark_jobs.archive``."""
    run("archive", job, arguments(), argv)


if __name__ == "__main__":
    main()
