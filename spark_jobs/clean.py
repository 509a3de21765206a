"""Trip files to cleaned trips: read, judge by the rules, keep each trip once, put the rest into the quarantine.

``python -m spark_jobs.clean --dataset NAME [--zones taxi_zones.shp] FILE…``

Rows are parsed and judged chunk by chunk, left as Arrow blocks for the task of their stretch of pick-up time, and
written there, so that the copies of a trip meet, and files come out in order of time.
"""

import argparse
from collections import Counter
from collections.abc import Iterable
from datetime import date
from pathlib import Path

from smartcity.buckets import plan_buckets
from smartcity.lake import Dataset
from smartcity.ledger import FileRecord, Ledger
from smartcity.rules import trip_rules
from smartcity.spark.tasks import Scheduler, run_tasks
from smartcity.tripfiles import Checked, TripFile, check_files, discover, needs_zones, plan
from smartcity.zones import Zone, ZonePlaces, outline, read_zones
from spark_jobs.exchange import Exchange, by_task
from spark_jobs.ingesting import IngestFigures
from spark_jobs.job import Figures, Span, parser, run
from spark_jobs.merging import reached
from spark_jobs.progress import counting
from spark_jobs.sorting import Reading, Storing
from spark_jobs.sources import ever_judged, publish, record, rewrite_without

#: Raised when the same file, rules and zones would give other trips.
READER_VERSION = 1
#: Rows that a task stores: some 20 MB on their way, and 20 files on New York's best day.
_ROWS_PER_TASK = 125_000

CleanFigures = IngestFigures


def run_clean(
    spark: Scheduler,
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
    _require_zones(checked.files, shapes)
    dataset.create(dataset.city)
    if shapes is not None:
        dataset.put_json("outline.json", outline(shapes))
    places = ZonePlaces.of(shapes) if shapes is not None else None
    ledger, fresh = Ledger.load(dataset), dict[str, FileRecord]()
    version = trip_rules(dataset.city).version
    for file in checked.files:
        zoned = places.version if places and not file.layout.has_coordinates else "-"
        judged_by = f"{READER_VERSION}/{version}/{zoned}"
        if ledger.done(file.sha256, judged_by) is None:
            fresh[file.sha256] = FileRecord(name=file.name, judged_by=judged_by)
    known = [ledger.files[file.sha256] for file in checked.files if file.sha256 not in fresh]
    changed: set[date] = set()
    if fresh:
        changed = _take_in(spark, dataset, [file for file in checked.files if file.sha256 in fresh], places, fresh)
        ledger.files |= fresh
        ledger.save(dataset)
    return _figures(checked, [*fresh.values()], known, changed)


def _take_in(
    spark: Scheduler,
    dataset: Dataset,
    files: list[TripFile],
    places: ZonePlaces | None,
    fresh: dict[str, FileRecord],
) -> set[date]:
    """Read files into the lake, in the place of what it has of them. Returns: the days whose trips changed."""
    zone, rows = dataset.city.zone, sum(file.rows for file in files)
    buckets = plan_buckets(
        (file.period.start.replace(tzinfo=zone), file.period.end.replace(tzinfo=zone), file.rows) for file in files
    )
    stale, said_before = ever_judged(dataset.trips, fresh), ever_judged(dataset.quarantine, fresh)
    trips, quarantine = dataset.trips.begin(), dataset.quarantine.begin()
    by_day = dataset.trips.files_by_day()
    stored = {day: by_day[day] for day in reached(by_day, files)}
    chunks = plan(files)
    with counting(spark, "trips", rows, "rows") as count:
        exchange = Exchange.of(trips)
        reading = Reading(places, trip_rules(dataset.city), dataset.city, buckets, exchange, count)
        read = run_tasks(spark, f"clean: read {len(files)} files in {len(chunks)} chunks", chunks, reading)
        waiting = by_task(read, _ROWS_PER_TASK)
        storing = Storing(trips, quarantine, stored, stale, exchange, count)
        reports = run_tasks(spark, f"clean: store rows in {len(waiting)} stretches of time", waiting, storing)
        exchange.remove()
    kept, bad = record(reports, fresh)
    of_trips, of_bad = (
        [report for report in reports if report["table"] == run.table.name] for run in (trips, quarantine)
    )
    # The quarantine first: a rerun makes good what a kill left out.
    publish(quarantine, [*of_bad, *rewrite_without(spark, quarantine, said_before)], said_before, bad, fresh)
    return publish(trips, [*of_trips, *rewrite_without(spark, trips, stale)], stale, kept, fresh)


def _figures(
    checked: Checked, fresh: list[FileRecord], known: list[FileRecord], changed: Iterable[date]
) -> CleanFigures:
    """Sum up. Of a file that the data set had, every good row is a duplicate now."""
    found = IngestFigures(len(checked.files), warnings=checked.warnings, skipped_files=checked.skipped)
    reasons: Counter[str] = Counter()
    for file in (*fresh, *known):
        reasons.update(file.quarantined)
    found.rows_kept = sum(file.kept for file in fresh)
    found.rows_duplicate = sum(file.duplicates for file in (*fresh, *known)) + sum(file.kept for file in known)
    found.rows_quarantined = reasons.total()
    found.rows_read = found.rows_kept + found.rows_duplicate + found.rows_quarantined
    found.files_known = len(known)
    found.quarantined_by_reason = dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0])))
    dates = [day for file in (*fresh, *known) for day in (file.first_date, file.last_date) if day]
    found.first_date, found.last_date = min(dates, default=None), max(dates, default=None)
    found.changed_dates = sorted(changed)
    return found


def _require_zones(files: list[TripFile], shapes: list[Zone] | None) -> None:
    for file in files:
        if shapes is None and not file.layout.has_coordinates:
            raise needs_zones(file.path)


def job(spark: Scheduler, dataset: Dataset, span: Span, options: argparse.Namespace) -> Figures:
    """The whole job, for ``spark_jobs.job.run``; the files decide the days, so ``span`` is not used."""
    with dataset.taking_in():
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
