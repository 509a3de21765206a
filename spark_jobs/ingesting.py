"""What all ingest jobs share: marking copies, publishing what was judged, and the figures of a run."""

from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Protocol

from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.window import Window

from smartcity.lake import Dataset, Table
from smartcity.spark.tasks import raising_input_errors
from smartcity.tripfiles import Checked
from spark_jobs.job import Figures
from spark_jobs.merging import merge_quarantine, merge_rows


@dataclass
class IngestFigures:
    """What a run did: rows_read = rows_kept + rows_quarantined + rows_duplicate; rows_missing (sensors) had no value.

    ``files_known``: of the files, those that the data set had taken in before, and that were not read again.

    ``first_date`` … ``last_date`` span all valid rows of the input, also those the lake had before, so that the jobs
    after this one can make good what a killed run left; ``changed_dates`` are the days that were replaced.
    """

    files: int = 0
    files_known: int = 0
    rows_read: int = 0
    rows_kept: int = 0
    rows_quarantined: int = 0
    rows_duplicate: int = 0
    rows_missing: int = 0
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


class Judged(Protocol):
    """Rows that were judged once: each is kept, quarantined or a duplicate."""

    @property
    def judged(self) -> DataFrame:
        """All rows, with ``date``, ``source_sha256``, ``reason`` (null: valid) and ``is_duplicate``."""
        ...

    @property
    def kept(self) -> DataFrame:
        """New rows with the columns of the table."""
        ...

    @property
    def quarantined(self) -> DataFrame:
        """Bad rows with the columns of the quarantine."""
        ...


def date_of_row(local_time: Column) -> Column:
    """Local date; a bad row whose own date does not belong into its file is filed under the file's."""
    in_period = (local_time >= F.col("period_start")) & (local_time < F.col("period_end"))
    return F.when(F.col("reason").isNull() | in_period, F.to_date(local_time)).otherwise(F.col("file_date"))


def mark_copies(rows: DataFrame, key: list[str], known: DataFrame | None) -> DataFrame:
    """Add ``is_duplicate``: of valid rows with equal ``key`` all but the first by file and row, or all where known.

    Args: known: rows with the columns ``key`` that the lake already has.
    """
    # Bad rows may lack the key: they must neither meet in one partition of the shuffle nor displace a good row.
    own = F.when(F.col("reason").isNotNull(), F.concat_ws(":", "source_sha256", "row_number"))
    first = Window.partitionBy(*key, "own_key").orderBy("source_file", "source_sha256", "row_number")
    marked = rows.withColumn("own_key", own).withColumn("copy", F.row_number().over(first))
    valid = F.col("reason").isNull()
    if known is None:
        return marked.withColumn("is_duplicate", valid & (F.col("copy") > 1))
    found = known.select(*key).distinct().withColumn("is_known", F.lit(True))
    joined = marked.join(found, key, "left")
    return joined.withColumn("is_duplicate", valid & ((F.col("copy") > 1) | F.coalesce("is_known", F.lit(False))))


def row_text(shown: list[str]) -> Column:
    """The text of a bad row: as published where it could not be read, else its fields ``shown`` as JSON."""
    readable = F.to_json(F.struct(*shown), {"ignoreNullFields": "true"})
    return F.when(F.col("reason").isNotNull(), F.coalesce("row_text", readable))


def publish(
    spark: SparkSession, dataset: Dataset, table: Table, result: Judged, checked: Checked, rules_version: str
) -> IngestFigures:
    """Count and merge the judged rows into the lake, the quarantine first: a rerun makes good what a kill left out.

    The frame of ``result`` should be persisted: it is read three times.
    """
    with raising_input_errors():
        counts = result.judged.groupBy("date", "source_sha256", "reason", "is_duplicate").count().collect()
    figures = IngestFigures(len(checked.files), warnings=checked.warnings, skipped_files=checked.skipped)
    kept_files: dict[date, set[str]] = {}
    bad_files: dict[date, set[str]] = {}
    valid_days: set[date] = set()
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
    source = "probes" if table.name == "positions" else table.name
    merge_quarantine(spark, dataset.quarantine, result.quarantined, bad_files, rules_version)
    merge_rows(spark, table, result.kept, kept_files, rules_version, expected=figures.rows_kept, source=source)
    by_count = sorted(figures.quarantined_by_reason.items(), key=lambda item: (-item[1], item[0]))
    figures.quarantined_by_reason = dict(by_count)
    figures.changed_dates = sorted(kept_files)
    figures.first_date, figures.last_date = min(valid_days, default=None), max(valid_days, default=None)
    return figures


def persisted(rows: DataFrame) -> DataFrame:
    """Keep judged rows on local disk, so that files are read and parsed once."""
    return rows.persist(StorageLevel.DISK_ONLY)
