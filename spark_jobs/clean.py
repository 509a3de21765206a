"""Trip files to cleaned trips: read, judge by the rules, keep each trip once, put the rest into the quarantine.

``python -m spark_jobs.clean --dataset NAME [--zones taxi_zones.shp] FILE…``
"""

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema

from smartcity import columns
from smartcity.city import City
from smartcity.errors import InputError
from smartcity.lake import Dataset, Table
from smartcity.rules import Rules, trip_rules
from smartcity.spark.local_time import trip_times_utc
from smartcity.spark.tables import read_table
from smartcity.tripfiles import RAW, Chunk, TripFile, check_files, discover, plan, read_chunk
from smartcity.zones import ZonePlaces, outline, read_zones
from spark_jobs.ingesting import IngestFigures, date_of_row, mark_copies, persisted, publish, row_text
from spark_jobs.job import Figures, Span, parser, run

#: A vehicle made up for a trip that names none: as long as this, two trips of one window hardly share it.
_VEHICLE_DIGITS = 12
#: What a quarantined row that could be read is shown as.
_SHOWN = [name for name in RAW.names if name.startswith(("pickup_", "dropoff_", "trip_distance", "fare"))]

CleanFigures = IngestFigures


@dataclass(frozen=True)
class CleanResult:
    """Every row read, judged once: ``reason`` is null for a valid trip, ``is_duplicate`` marks its second copies."""

    judged: DataFrame

    @property
    def kept(self) -> DataFrame:
        """New trips, columns of ``columns.TRIPS``."""
        return self.judged.where("reason IS NULL AND NOT is_duplicate").select(*columns.TRIPS.names)

    @property
    def duplicates(self) -> DataFrame:
        """Valid trips that the input or the lake already has."""
        return self.judged.where("reason IS NULL AND is_duplicate").select(*columns.TRIPS.names)

    @property
    def quarantined(self) -> DataFrame:
        """Rows that broke a rule, columns of ``columns.QUARANTINE``."""
        return self.judged.where("reason IS NOT NULL").select(*columns.QUARANTINE.names)


def read_rows(spark: SparkSession, chunks: list[Chunk], places: ZonePlaces | None) -> DataFrame:
    """The rows of all chunks, one Spark partition per chunk, schema ``RAW``."""

    def read(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for number in batch.column(0).to_pylist():
                yield from read_chunk(chunks[number], places)

    numbers = spark.range(0, len(chunks), 1, numPartitions=len(chunks))
    return numbers.mapInArrow(read, from_arrow_schema(RAW, prefer_timestamp_ntz=True))


def clean_trips(raw: DataFrame, rules: Rules, city: City, known: DataFrame | None = None) -> CleanResult:
    """Judge every raw row and find the copies. Local wall times become UTC by the city's zone.

    Args: raw: rows of ``tripfiles.RAW``; known: ``trip_id`` of the trips that the lake already has.
    Returns: the judged rows; of equal trips the first by file and row is kept.
    """
    pickup, dropoff = trip_times_utc(F.col("pickup_local"), F.col("dropoff_local"), city.time_zone)
    seconds = (F.unix_micros("dropoff_utc") - F.unix_micros("pickup_utc")) / 1e6
    timed = (
        raw.withColumns({"pickup_utc": pickup, "dropoff_utc": dropoff})
        .withColumn("duration_seconds", seconds)
        .withColumn("speed_mph", F.expr("try_divide(trip_distance_miles * 3600, duration_seconds)"))
        .withColumn("reason", F.expr(rules.reason_sql()))
    )
    derived = F.concat(F.lit("taxi_"), F.substring("trip_id", 1, _VEHICLE_DIGITS))
    named = timed.withColumns(
        {
            "vehicle_id": F.coalesce("vehicle", derived),
            "date": date_of_row(F.col("pickup_local")),
            "row_text": row_text(_SHOWN),
        }
    )
    return CleanResult(mark_copies(named, ["trip_id"], known))


def run_clean(
    spark: SparkSession,
    dataset: Dataset,
    files: Iterable[str | Path],
    zones: str | Path | None = None,
    *,
    skip_bad_files: bool = False,
) -> CleanFigures:
    """Ingest trip files into ``dataset.trips`` and ``dataset.quarantine``. A file ingested again adds nothing.

    Raises: InputError, before anything is written, for a file that cannot be read (unless ``skip_bad_files``).
    """
    checked = check_files(discover(files), skip_bad=skip_bad_files)
    shapes = read_zones(zones) if zones is not None else None
    for file in checked.files:
        if shapes is None and not file.layout.has_coordinates:
            raise InputError(f"{file.path} has location ids instead of coordinates: pass --zones taxi_zones.shp")
    dataset.create(dataset.city)
    if shapes is not None:
        dataset.put_json("outline.json", outline(shapes))
    places = ZonePlaces.of(shapes) if shapes is not None else None
    rules = trip_rules(dataset.city)
    known = stored_rows(spark, dataset.trips, checked.files, ["trip_id"])
    raw = read_rows(spark, plan(checked.files), places)
    judged = persisted(clean_trips(raw, rules, dataset.city, known).judged)
    try:
        return publish(spark, dataset, dataset.trips, CleanResult(judged), checked, rules.version)
    finally:
        judged.unpersist()


def stored_rows(spark: SparkSession, table: Table, files: list[TripFile], names: list[str]) -> DataFrame | None:
    """The lake's rows of the days that the files can hold; None where it has none of those days."""
    periods = [file.period for file in files]
    days = [day for day in table.dates() if any(p.start.date() <= day <= p.end.date() for p in periods)]
    if not days:
        return None
    return read_table(spark, table, days[0], days[-1], "traffic ingest").select(*names)


def job(spark: SparkSession, dataset: Dataset, span: Span, options: argparse.Namespace) -> Figures:
    """The whole job, for ``spark_jobs.job.run``; the files decide the days, so ``span`` is not used."""
    figures = run_clean(spark, dataset, options.files, options.zones, skip_bad_files=options.skip_bad_files)
    return figures.figures()


def arguments() -> argparse.ArgumentParser:
    """The job's command line."""
    found = parser((__doc__ or "").partition("\n")[0])
    found.add_argument("files", nargs="+", metavar="FILE", help="trip files, directories or globs")
    found.add_argument("--zones", help="zone polygons (.shp or .geojson) for files with location ids")
    found.add_argument("--skip-bad-files", action="store_true", help="leave out files that cannot be read")
    return found


def main(argv: list[str] | None = None) -> None:
    """Entry point of ``python -m spark_jobs.clean``."""
    run("clean", job, arguments(), argv)


if __name__ == "__main__":
    main()
