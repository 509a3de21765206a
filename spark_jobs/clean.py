"""Trip files to cleaned trips: read, judge by the rules, keep each trip once, put the rest into the quarantine.

``python -m spark_jobs.clean --dataset NAME [--zones taxi_zones.shp] FILE…``
"""

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path

import pyarrow as pa
from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame, Row, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.window import Window

from smartcity import columns
from smartcity.city import City
from smartcity.errors import InputError
from smartcity.lake import Dataset
from smartcity.rules import Rules, trip_rules
from smartcity.spark.local_time import trip_times_utc
from smartcity.spark.tables import read_table
from smartcity.tripfiles import RAW, Chunk, TripFile, check_files, discover, plan, read_chunk
from smartcity.zones import ZonePlaces, outline, read_zones
from spark_jobs.job import Figures, Span, parser, run
from spark_jobs.merging import merge_quarantine, merge_rows, raising_input_errors

#: A vehicle made up for a trip that names none: as long as this, two trips of one window hardly share it.
_VEHICLE_DIGITS = 12
#: What a quarantined row that could be read is shown as.
_SHOWN = [name for name in RAW.names if name.startswith(("pickup_", "dropoff_", "trip_distance", "fare"))]


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


@dataclass
class CleanFigures:
    """What a run did: rows_read = rows_kept + rows_quarantined + rows_duplicate.

    ``first_date`` … ``last_date`` span all valid trips of the input, also those the lake had before, so that the jobs
    after this one can make good what a killed run left; ``changed_dates`` are the days that were replaced.
    """

    files: int = 0
    rows_read: int = 0
    rows_kept: int = 0
    rows_quarantined: int = 0
    rows_duplicate: int = 0
    quarantined_by_reason: dict[str, int] = field(default_factory=dict)
    first_date: date | None = None
    last_date: date | None = None
    changed_dates: list[date] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    skipped_files: list[str] = field(default_factory=list)

    def figures(self) -> Figures:
        """The same as values that JSON knows."""
        values = asdict(self)
        for name in ("first_date", "last_date"):
            values[name] = values[name] and values[name].isoformat()
        values["changed_dates"] = [day.isoformat() for day in self.changed_dates]
        return values


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
    seconds = F.unix_micros("dropoff_utc") / 1e6 - F.unix_micros("pickup_utc") / 1e6
    timed = (
        raw.withColumns({"pickup_utc": pickup, "dropoff_utc": dropoff})
        .withColumn("duration_seconds", seconds)
        .withColumn("speed_mph", F.expr("try_divide(trip_distance_miles * 3600, duration_seconds)"))
        .withColumn("reason", F.expr(rules.reason_sql()))
    )
    named = timed.select(
        "*",
        F.coalesce("vehicle", F.concat(F.lit("taxi_"), F.substring("trip_id", 1, _VEHICLE_DIGITS))).alias("vehicle_id"),
        _date_of_row().alias("date"),
    )
    return CleanResult(_mark_copies(named, known).withColumn("row_text", _row_text()))


def _date_of_row() -> Column:
    """Local pickup date; a bad row whose own date does not belong into its file is filed under the file's."""
    in_period = F.expr("pickup_local >= period_start AND pickup_local < period_end")
    return F.when(F.col("reason").isNull() | in_period, F.to_date("pickup_local")).otherwise(F.col("file_date"))


def _row_text() -> Column:
    readable = F.to_json(F.struct(*_SHOWN), {"ignoreNullFields": "true"})
    return F.when(F.col("reason").isNotNull(), F.coalesce("row_text", readable))


def _mark_copies(rows: DataFrame, known: DataFrame | None) -> DataFrame:
    # Rows without an id must not meet in one partition of the shuffle, and a bad row must not displace a good one.
    row_key = F.concat_ws(":", "source_sha256", "row_number")
    key = F.when(F.col("reason").isNull(), F.col("trip_id")).otherwise(row_key)
    first = Window.partitionBy("copy_key").orderBy("source_file", "source_sha256", "row_number")
    marked = rows.withColumn("copy_key", key).withColumn("copy", F.row_number().over(first))
    if known is None:
        return marked.withColumn("is_duplicate", F.col("copy") > 1)
    ids = known.select(F.col("trip_id").alias("copy_key"), F.lit(True).alias("is_known"))
    joined = marked.join(ids, "copy_key", "left")
    return joined.withColumn("is_duplicate", (F.col("copy") > 1) | F.coalesce("is_known", F.lit(False)))


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
    known = _known_trips(spark, dataset, checked.files)
    raw = read_rows(spark, plan(checked.files), places)
    judged = clean_trips(raw, rules, dataset.city, known).judged.persist(StorageLevel.DISK_ONLY)
    try:
        with raising_input_errors():
            counts = judged.groupBy("date", "source_sha256", "reason", "is_duplicate").count().collect()
        figures = _publish(spark, dataset, CleanResult(judged), counts, rules.version)
    finally:
        judged.unpersist()
    figures.files = len(checked.files)
    figures.warnings, figures.skipped_files = checked.warnings, checked.skipped
    return figures


def _known_trips(spark: SparkSession, dataset: Dataset, files: list[TripFile]) -> DataFrame | None:
    """Ids of the lake's trips of the days that the files can hold; None where it has none of those days."""
    periods = [file.period for file in files]
    days = [day for day in dataset.trips.dates() if any(p.start.date() <= day <= p.end.date() for p in periods)]
    if not days:
        return None
    return read_table(spark, dataset.trips, days[0], days[-1], "traffic ingest trips").select("trip_id")


def _publish(
    spark: SparkSession, dataset: Dataset, result: CleanResult, counts: list[Row], rules_version: str
) -> CleanFigures:
    """Merge the judged rows into the lake, the quarantine first: a run killed in between is made good by a rerun."""
    figures, kept_files, bad_files = CleanFigures(), dict[date, set[str]](), dict[date, set[str]]()
    valid_days = set()
    for day, sha256, reason, is_duplicate, rows in counts:
        figures.rows_read += rows
        if reason is not None:
            figures.rows_quarantined += rows
            figures.quarantined_by_reason[reason] = figures.quarantined_by_reason.get(reason, 0) + rows
            bad_files.setdefault(day, set()).add(sha256)
            continue
        valid_days.add(day)
        if is_duplicate:
            figures.rows_duplicate += rows
        else:
            figures.rows_kept += rows
            kept_files.setdefault(day, set()).add(sha256)
    merge_quarantine(spark, dataset.quarantine, result.quarantined, bad_files, rules_version)
    merge_rows(spark, dataset.trips, result.kept, kept_files, rules_version, expected=figures.rows_kept)
    by_count = sorted(figures.quarantined_by_reason.items(), key=lambda item: (-item[1], item[0]))
    figures.quarantined_by_reason = dict(by_count)
    figures.changed_dates = sorted(kept_files)
    figures.first_date, figures.last_date = min(valid_days, default=None), max(valid_days, default=None)
    return figures


def job(spark: SparkSession, dataset: Dataset, span: Span, options: argparse.Namespace) -> Figures:
    """The whole job, for ``spark_jobs.job.run``; the files decide the days, so ``span`` is not used."""
    figures = run_clean(spark, dataset, options.files, options.zones, skip_bad_files=options.skip_bad_files)
    return figures.figures()


def main(argv: list[str] | None = None) -> None:
    """Command line of the job."""
    arguments = parser(__doc__.partition("\n")[0])
    arguments.add_argument("files", nargs="+", metavar="FILE", help="trip files, directories or globs")
    arguments.add_argument("--zones", help="zone polygons (.shp or .geojson) for files with location ids")
    arguments.add_argument("--skip-bad-files", action="store_true", help="leave out files that cannot be read")
    run("clean", job, arguments, argv)


if __name__ == "__main__":
    main()
