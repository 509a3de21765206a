"""New rows into days that the lake may already have: whole days are replaced by what they held and what is new."""

from collections.abc import Callable, Iterable, Mapping, Set
from datetime import date
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from smartcity.errors import TrafficError
from smartcity.lake import Table
from smartcity.spark.tables import read_table, write_table
from smartcity.tripfiles import TripFile

#: Day -> content hashes of the files that its new rows come from.
FilesByDay = Mapping[date, Set[str]]


def merge_rows(
    spark: SparkSession,
    table: Table,
    rows: DataFrame,
    files: FilesByDay,
    rules_version: str,
    *,
    expected: int,
    source: str = "trips",
) -> None:
    """Add ``rows`` to the days of ``files``; ``expected`` of them, else a TrafficError.

    Of the days' stored rows those stay that come from the same ``source``: a GPS feed takes the place of positions
    that were simulated from trips.
    """
    if not files:
        return
    manifest = table.manifest().partitions
    same = {day: files[day] for day in files if _source(manifest, day) == source}
    before = sum(manifest[day.isoformat()].rows for day in same)
    stored = _stored(spark, table, same)
    merged = rows if stored is None else rows.unionByName(stored)
    written = write_table(merged, table, sorted(files), _origin(table, files, rules_version, source))
    if written != before + expected:
        raise TrafficError(
            f"{table.name}: {written:,} rows were published where {before:,} + {expected:,} were due; "
            f"two ingests at once? Run it again: rows are never added twice"
        )


def merge_quarantine(spark: SparkSession, table: Table, rows: DataFrame, files: FilesByDay, rules_version: str) -> None:
    """Put the bad rows of files in the place of what earlier runs said about the same files."""
    every_file = set[str]().union(*files.values())
    manifest = table.manifest().partitions
    said_before = {
        date.fromisoformat(day): set(partition.made_from.get("files", {})) & every_file
        for day, partition in manifest.items()
    }
    touched = {
        day: files.get(day, set())
        for day in {*files, *(day for day, known in said_before.items() if known)}
        if not _is_done(manifest, day, files.get(day, set()), said_before.get(day, set()), rules_version)
    }
    if not touched:
        return
    new = rows.where(F.col("date").isin(*touched))
    stored = _stored(spark, table, touched)
    if stored is not None:
        new = new.unionByName(stored.where(~F.col("source_sha256").isin(*every_file)))
    write_table(new, table, sorted(touched), _origin(table, touched, rules_version, "input"))


def _is_done(manifest: Mapping[str, Any], day: date, files: Set[str], said: Set[str], rules_version: str) -> bool:
    """Whether the day already holds exactly what these files say under these rules."""
    if files != said:
        return False
    made_from = manifest[day.isoformat()].made_from["files"]
    return all(made_from[sha256] == rules_version for sha256 in files)


def _origin(table: Table, files: FilesByDay, rules_version: str, source: str) -> Callable[[date], Mapping[str, Any]]:
    manifest = table.manifest().partitions

    def origin(day: date) -> Mapping[str, Any]:
        same = _source(manifest, day) == source
        before = manifest[day.isoformat()].made_from.get("files", {}) if same else {}
        now = dict.fromkeys(files.get(day, set()), rules_version)
        return {"source": source, "files": dict(sorted({**before, **now}.items()))}

    return origin


def _source(manifest: Mapping[str, Any], day: date) -> str | None:
    partition = manifest.get(day.isoformat())
    return partition.made_from.get("source") if partition else None


def _stored(spark: SparkSession, table: Table, days: FilesByDay) -> DataFrame | None:
    stored = [day for day in table.dates() if day in days]
    if not stored:
        return None
    rows = read_table(spark, table, stored[0], stored[-1], "traffic ingest")
    return rows.where(F.col("date").isin(*stored))


def reached(days: Iterable[date], files: list[TripFile]) -> list[date]:
    """Those of ``days`` that rows of the files may lie in."""
    periods = [file.period for file in files]
    return [day for day in days if any(period.start.date() <= day <= period.end.date() for period in periods)]


def stored_rows(spark: SparkSession, table: Table, files: list[TripFile], names: list[str]) -> DataFrame | None:
    """The lake's rows of the days that the files can hold; None where it has none of those days."""
    days = reached(table.dates(), files)
    if not days:
        return None
    return read_table(spark, table, days[0], days[-1], "traffic ingest").select(*names)
