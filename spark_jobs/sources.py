"""What became of each input file: its rows taken out where it is read anew, and its record in the ledger."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from smartcity.lake import Run, Table
from smartcity.ledger import FileRecord
from smartcity.spark.tasks import Report, Scheduler, run_tasks

#: Day -> sources (SHA-256 of files) whose rows of that day are to go.
Doomed = Mapping[date, frozenset[str]]
_SOURCE = "trips"


def ever_judged(table: Table, fresh: Mapping[str, FileRecord]) -> Doomed:
    """Where the lake has rows of these files: judged otherwise, or by a run that was killed before its ledger."""
    return {
        date.fromisoformat(day): known
        for day, partition in table.manifest().partitions.items()
        if (known := frozenset(partition.made_from.get("files", {})) & fresh.keys())
    }


def rewrite_without(spark: Scheduler, run: Run, doomed: Doomed) -> list[Report]:
    """Write the files anew that hold rows of doomed sources, without these rows.

    Returns: for each such file ``{"dropped": its name, "part": what takes its place}``.
    """
    table = run.table
    files = table.files_by_day()
    items = [(day, name, sources) for day, sources in doomed.items() for name in files[day]]

    def rewrite(item: tuple[date, str, frozenset[str]]) -> Iterator[Report]:
        day, name, sources = item
        with table.filesystem.open_input_file(f"{table.path}/{name}") as stream:
            rows = pq.ParquetFile(stream).read()
        staying = rows.filter(pc.invert(pc.is_in(rows["source_sha256"], value_set=pa.array(sorted(sources)))))
        if staying.num_rows == rows.num_rows:
            return
        with run.part(day) as writer:
            writer.write(staying)
        yield {"dropped": name, "part": writer.part}

    return run_tasks(spark, f"clean: take the old rows of {len(doomed)} days out of {table.name}", items, rewrite)


def publish(
    run: Run, reports: Sequence[Report], doomed: Doomed, added: Mapping[date, set[str]], fresh: Mapping[str, FileRecord]
) -> set[date]:
    """Publish what the tasks reported, in one step. Returns: the days that changed."""
    changed = {report["part"].day for report in reports if report["part"].rows or "dropped" in report}
    if changed:
        parts = [report["part"] for report in reports]
        dropped = [report["dropped"] for report in reports if "dropped" in report]
        run.table.extend(run, parts, _made_from(run.table.manifest().partitions, doomed, added, fresh), dropped)
    return changed


def _made_from(
    before: Mapping[str, Any], doomed: Doomed, added: Mapping[date, set[str]], fresh: Mapping[str, FileRecord]
) -> Callable[[date], Mapping[str, Any]]:
    def made_from(day: date) -> Mapping[str, Any]:
        partition = before.get(day.isoformat())
        files = dict(partition.made_from.get("files", {})) if partition else {}
        staying = {sha256: by for sha256, by in files.items() if sha256 not in doomed.get(day, ())}
        now = {sha256: fresh[sha256].judged_by for sha256 in added.get(day, ())}
        return {"source": _SOURCE, "files": dict(sorted({**staying, **now}.items()))}

    return made_from


def record(
    reports: Sequence[Report], fresh: Mapping[str, FileRecord]
) -> tuple[dict[date, set[str]], dict[date, set[str]]]:
    """Add the reports' counts to the files' records. Returns: by day, the files with new trips and with bad rows."""
    kept: dict[date, set[str]] = {}
    bad: dict[date, set[str]] = {}
    for report in reports:
        day = report["part"].day
        for sha256, rows in report.get("kept", {}).items():
            fresh[sha256].kept += rows
            kept.setdefault(day, set()).add(sha256)
        for sha256, rows in report.get("duplicates", {}).items():
            fresh[sha256].duplicates += rows
        for sha256 in {*report.get("kept", {}), *report.get("duplicates", {})}:
            fresh[sha256].note_day(day)
        for sha256, reasons in report.get("reasons", {}).items():
            bad.setdefault(day, set()).add(sha256)
            for reason, rows in reasons.items():
                fresh[sha256].quarantined[reason] = fresh[sha256].quarantined.get(reason, 0) + rows
    return kept, bad
