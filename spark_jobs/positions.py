"""Job: trips → positions, day by day. Days whose positions came from a GPS feed are left alone."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from datetime import date, timedelta

import pyarrow as pa
from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema

from smartcity.city import City
from smartcity.columns import POSITIONS
from smartcity.lake import Dataset, Table
from smartcity.positions import positions_from_trips
from smartcity.spark.tables import read_table, write_table
from spark_jobs.job import Figures, Span, parser, run

#: Columns of the trips that the simulation reads.
NEEDED = (
    "trip_id",
    "vehicle_id",
    "pickup_utc",
    "dropoff_utc",
    "pickup_latitude",
    "pickup_longitude",
    "dropoff_latitude",
    "dropoff_longitude",
    "trip_distance_miles",
)


def positions(trips: DataFrame, city: City, *, keep_outside: bool = False) -> DataFrame:
    """Positions of ``trips`` (columns ``columns.TRIPS``) by ``smartcity.positions``.

    Returns: columns ``columns.POSITIONS``; with ``keep_outside`` also those outside the bounds, ``cell_id`` null.
    """

    def simulate(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield from positions_from_trips(batch, city, keep_outside=keep_outside).to_batches()

    return trips.select(*NEEDED).mapInArrow(simulate, from_arrow_schema(POSITIONS, prefer_timestamp_ntz=False))


def days_to_make(trips: Table, made: Table, span: Span) -> list[date]:
    """Days of the span that trips reach, those under way at midnight included, and whose positions are no GPS feed's.

    With an open end, the day after the last trip is left out: a stub of a day would stand for a whole one.
    """
    known = trips.dates()
    reached = set(known) | {day + timedelta(days=1) for day in known}
    last = span.end or max(known, default=None)
    probes = {day for day, part in made.manifest().partitions.items() if part.made_from.get("source") == "probes"}
    return sorted(day for day in reached if span.covers(day) and last and day <= last and day.isoformat() not in probes)


def job(spark: SparkSession, dataset: Dataset, span: Span, options: argparse.Namespace) -> Figures:
    """Make the positions of each day of the span from its trips and from those under way at midnight before it.

    Raises: MissingDataError where the span has no trips.
    """
    maker = f"traffic ingest trips --name {dataset.name} FILE…"
    dataset.trips.require_files(span.start, span.end, maker)
    days = days_to_make(dataset.trips, dataset.positions, span)
    if not days:
        return {"positions": 0, "days": 0, "outside_bounds": 0}
    trips = read_table(spark, dataset.trips, days[0] - timedelta(days=1), days[-1], maker)
    counted = Observation("positions")
    made = (
        positions(trips, dataset.city, keep_outside=True)
        .filter(F.col("date").isin(days))
        .observe(counted, F.count_if(F.col("cell_id").isNull()).alias("outside"))
        .filter(F.col("cell_id").isNotNull())
    )
    rows = write_table(made, dataset.positions, days, {"source": "trips"})
    return {"positions": rows, "days": len(days), "outside_bounds": int(counted.get["outside"])}


def main(argv: list[str] | None = None) -> None:
    """Entry point of ``python -m spark_jobs.positions``."""
    run("positions", job, parser(__doc__ or ""), argv)


if __name__ == "__main__":
    main()
