"""GPS feeds to positions: read, judge, derive missing speeds, keep each (vehicle, time) once.

``python -m spark_jobs.probes --dataset NAME [--speed-unit mph|kmh|mps] FILE…``
"""

import argparse
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.window import Window, WindowSpec

from smartcity import columns
from smartcity.city import City
from smartcity.events import MAX_SPEED_MPH
from smartcity.lake import Dataset
from smartcity.rules import probe_rules
from smartcity.spark.cells import cell_id
from smartcity.spark.engine import Engine
from smartcity.spark.tasks import raising_input_errors
from smartcity.tripfiles import Chunk, check_files, discover, plan
from smartcity.tripfiles.probes import PROBE_FILES, PROBE_RAW, read_probe_chunk
from spark_jobs.ingesting import IngestFigures, date_of_row, mark_copies, persisted, publish, row_text
from spark_jobs.job import Figures, Span, parser, run
from spark_jobs.merging import stored_rows

#: Miles per hour in one of each unit.
MPH_PER_UNIT = {"mph": 1.0, "kmh": 0.621371192, "mps": 2.236936292}
#: Between two positions farther apart in time a vehicle's way is unknown, and so is its speed.
MAX_GAP_SECONDS = 300
NO_SPEED = f"no speed and no other position of the vehicle within {MAX_GAP_SECONDS} s"
DERIVED_TOO_FAST = f"jumps: faster than {MAX_SPEED_MPH:.0f} mph between two positions"
#: Up to so many vehicles are told apart by a list of their ids.
FEW_VEHICLES = 1000
_EARTH_MILES = 3958.7613
_SHOWN = ["vehicle_id", "timestamp_utc", "latitude", "longitude", "speed"]


@dataclass(frozen=True)
class ProbeResult:
    """Every position read, judged once."""

    judged: DataFrame

    @property
    def kept(self) -> DataFrame:
        """New positions, columns of ``columns.POSITIONS``."""
        return self.judged.where("reason IS NULL AND NOT is_duplicate").select(*columns.POSITIONS.names)

    @property
    def quarantined(self) -> DataFrame:
        """Bad rows, columns of ``columns.QUARANTINE``."""
        return self.judged.where("reason IS NOT NULL").select(*columns.QUARANTINE.names)


def read_rows(spark: SparkSession, chunks: list[Chunk]) -> DataFrame:
    """The rows of all chunks, one Spark partition per chunk, schema ``PROBE_RAW``."""

    def read(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for number in batch.column(0).to_pylist():
                yield from read_probe_chunk(chunks[number])

    numbers = spark.range(0, len(chunks), 1, numPartitions=len(chunks))
    return numbers.mapInArrow(read, from_arrow_schema(PROBE_RAW, prefer_timestamp_ntz=True))


def _usable() -> Column:
    """Valid, and the first of its copies."""
    return F.col("reason").isNull() & ~F.col("is_duplicate")


def judge_probes(raw: DataFrame, city: City, speed_unit: str = "mph", known: DataFrame | None = None) -> DataFrame:
    """Judge every position by what it says itself, and find copies.

    Args: raw: rows of ``PROBE_RAW``; known: (vehicle_id, timestamp_utc) that the lake already has.
    """
    local_as_utc = F.to_utc_timestamp(F.col("instant_local").cast("timestamp"), city.time_zone)
    timed = raw.withColumn("timestamp_utc", F.coalesce("instant_utc", local_as_utc))
    local = F.from_utc_timestamp("timestamp_utc", city.time_zone)
    prepared = (
        timed.withColumn("timestamp_local", local)
        .withColumn("speed_mph", F.col("speed") * MPH_PER_UNIT[speed_unit])
        .withColumn("reason", F.expr(probe_rules(city).reason_sql()))
    )
    marked = mark_copies(prepared, ["vehicle_id", "timestamp_utc"], known)
    return marked.withColumn("cell_id", cell_id(F.col("latitude"), F.col("longitude"), city))


def vehicles_without_speed(judged: DataFrame) -> list[str]:
    """Vehicles with a position that only lacks a speed; of many, only so many that one sees it."""
    missing = judged.where(F.col("reason") == NO_SPEED).select("vehicle_id").distinct()
    with raising_input_errors():
        return [row.vehicle_id for row in missing.limit(FEW_VEHICLES + 1).collect()]


def derive_speeds(judged: DataFrame) -> DataFrame:
    """Fill the speeds that the feed does not give from where the vehicle was before and after: a shuffle and a sort."""
    open_again = F.when(F.col("reason") != NO_SPEED, F.col("reason"))
    return judged.withColumn("reason", open_again).withColumn("speed_mph", F.coalesce("speed_mph", _derived_speed()))


def judge_speeds(rows: DataFrame) -> DataFrame:
    """Refuse what has no speed even now, or one that no vehicle has; give each row its day and text."""
    reason = (
        F.when(_usable() & F.col("speed_mph").isNull(), F.lit(NO_SPEED))
        .when(_usable() & (F.col("speed_mph") > MAX_SPEED_MPH), F.lit(DERIVED_TOO_FAST))
        .otherwise(F.col("reason"))
    )
    return rows.withColumn("reason", reason).withColumns(
        {
            "speed_mph": F.round("speed_mph", 2),
            "date": date_of_row(F.col("timestamp_local")),
            "row_text": row_text(_SHOWN),
        }
    )


def _derived_speed() -> Column:
    """Speed from the vehicle's position before, else to the one after; only first copies of valid rows count."""
    track = Window.partitionBy("vehicle_id", _usable()).orderBy("timestamp_utc")
    before, after = _leg(F.lag, track), _leg(F.lead, track)
    return F.when(_usable(), F.coalesce(before, after))


def _leg(neighbour: Callable[[str], Column], track: WindowSpec) -> Column:
    other = {name: neighbour(name).over(track) for name in ("timestamp_utc", "latitude", "longitude")}
    micros = F.unix_micros("timestamp_utc") - F.unix_micros(other["timestamp_utc"])
    seconds = F.abs(micros) / 1e6
    miles = _miles(F.col("latitude"), F.col("longitude"), other["latitude"], other["longitude"])
    return F.when((seconds > 0) & (seconds <= MAX_GAP_SECONDS), miles * 3600.0 / seconds)


def _miles(lat_a: Column, lng_a: Column, lat_b: Column, lng_b: Column) -> Column:
    """Great-circle distance (haversine)."""
    half_lat, half_lng = F.radians(lat_b - lat_a) / 2, F.radians(lng_b - lng_a) / 2
    chord = F.pow(F.sin(half_lat), 2) + F.cos(F.radians(lat_a)) * F.cos(F.radians(lat_b)) * F.pow(F.sin(half_lng), 2)
    return 2 * _EARTH_MILES * F.asin(F.sqrt(F.least(chord, F.lit(1.0))))


@contextmanager
def _judged(raw: DataFrame, city: City, speed_unit: str, known: DataFrame | None, told: bool) -> Iterator[DataFrame]:
    """Every row with its verdict and its speed, kept on local disk for as long as the context lasts.

    ``told``: the feed has speeds, though some may be missing. Then only the vehicles that miss one are brought
    together; where those are many, all are, which is cheaper than to tell them apart.
    """
    read = judge_probes(raw, city, speed_unit, known)
    rows = persisted(judge_speeds(read if told else derive_speeds(read)))
    kept = [rows]
    try:
        needy = vehicles_without_speed(rows) if told else []
        if needy:
            are_needy = F.coalesce(F.col("vehicle_id").isin(needy), F.lit(False))
            few = len(needy) <= FEW_VEHICLES
            derived = persisted(judge_speeds(derive_speeds(rows.where(are_needy) if few else rows)))
            kept.append(derived)
            rows = rows.where(~are_needy).unionByName(derived) if few else derived
        yield rows
    finally:
        for frame in kept:
            frame.unpersist()


def run_probes(
    spark: SparkSession,
    dataset: Dataset,
    files: Iterable[str | Path],
    *,
    speed_unit: str = "mph",
    skip_bad_files: bool = False,
) -> IngestFigures:
    """Ingest GPS feeds into ``dataset.positions``. A day that was simulated from trips becomes the feed's.

    Raises: InputError, before anything is written, for a file that cannot be read (unless ``skip_bad_files``).
    """
    checked = check_files(discover(files), PROBE_FILES, skip_bad=skip_bad_files)
    dataset.create(dataset.city)
    city = dataset.city
    from_probes = {
        d for d, p in dataset.positions.manifest().partitions.items() if p.made_from.get("source") == "probes"
    }
    known = stored_rows(spark, dataset.positions, checked.files, ["vehicle_id", "timestamp_utc", "date"])
    if known is not None:
        known = known.where(F.col("date").cast("string").isin(*from_probes)).drop("date")
    told = all("speed" in file.layout.columns for file in checked.files)
    with _judged(read_rows(spark, plan(checked.files)), city, speed_unit, known, told) as judged:
        return publish(spark, dataset, dataset.positions, ProbeResult(judged), checked, probe_rules(city).version)


def job(engine: Engine, dataset: Dataset, span: Span, options: argparse.Namespace) -> Figures:
    """The whole job, for ``spark_jobs.job.run``; the files decide the days, so ``span`` is not used."""
    how = {"speed_unit": options.speed_unit, "skip_bad_files": options.skip_bad_files}
    with dataset.taking_in():
        figures = run_probes(engine.session, dataset, options.files, **how)
    return figures.figures()


def arguments() -> argparse.ArgumentParser:
    """The job's command line."""
    found = parser((__doc__ or "").partition("\n")[0])
    found.add_argument("files", nargs="+", metavar="FILE", help="GPS feeds, directories or globs")
    found.add_argument("--speed-unit", choices=sorted(MPH_PER_UNIT), default="mph", help="unit of the speed column")
    found.add_argument("--skip-bad-files", action="store_true", help="leave out files that cannot be read")
    return found


def main(argv: list[str] | None = None) -> None:
    """Entry point of ``python -m spark_jobs.probes``."""
    run("probes", job, arguments(), argv)


if __name__ == "__main__":
    main()
