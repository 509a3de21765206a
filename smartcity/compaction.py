"""Compaction: the small files of a day become few, with the same rows in the same order.

A day of New York comes as some twenty files, a feed that is taken in by the hour as more; a reader opens each of them.
Merged files take the old ones' place in one swap of the manifest. The day keeps the run that made it and what it was
made from, so that nothing which rests on it is made again. Who reads by the manifest before finds the old files for
the grace of ``smartcity.housekeeping``; what a killed compaction wrote was never published, and is swept as of any run.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq

from smartcity.errors import TrafficError
from smartcity.lake import Dataset, Part, Run, Table

#: A file of this size is left as it is; smaller neighbours are merged until they are together as large.
LARGE = 32 << 20
#: Rows of a merged row group: enough to be read fast, few enough that a reader of some hours skips the others.
GROUP_ROWS = 100_000


@dataclass(frozen=True)
class Compacted:
    """How many files became how many, and of how many days of tables."""

    days: int = 0
    files_before: int = 0
    files_after: int = 0

    def __add__(self, other: "Compacted") -> "Compacted":
        return Compacted(
            self.days + other.days,
            self.files_before + other.files_before,
            self.files_after + other.files_after,
        )


def compact(dataset: Dataset) -> Compacted:
    """Merge the small files of all its tables."""
    return sum((compact_table(table) for table in dataset.tables), Compacted())


def compact_table(table: Table) -> Compacted:
    """Merge the small files of each day, a day at a time; a day that a job changes meanwhile is left as it is then.

    The newest day waits for the next one, which often makes only its end anew: a file of it, as long as they are apart.
    """
    done = Compacted()
    run: Run | None = None
    for day, names in [*table.files_by_day().items()][:-1]:
        neighbours = _small_neighbours(table, names)
        if not neighbours:
            continue
        run = run or table.begin()
        merged = [(part, taken) for taken in neighbours if (part := _merged(run, day, taken))]
        if merged and _publish(table, day, names, merged):
            done += Compacted(1, sum(len(taken) for _, taken in merged), len(merged))
    return done


def _small_neighbours(table: Table, names: Sequence[str]) -> list[list[str]]:
    """Runs of two or more small files that follow each other, each together of about ``LARGE`` bytes."""
    if len(names) < 2:
        return []
    found: list[list[str]] = [[]]
    size = 0
    for name, info in zip(names, table.filesystem.get_file_info([f"{table.path}/{n}" for n in names]), strict=True):
        small = info.size is not None and info.size < LARGE
        if small:
            found[-1].append(name)
            size += info.size
        if not small or size >= LARGE:
            found.append([])
            size = 0
    return [together for together in found if len(together) > 1]


def _merged(run: Run, day: date, names: Sequence[str]) -> Part | None:
    """One file with the rows of several; None where one of them has other columns than the table, or is gone."""
    table = run.table
    stored = [f"{table.path}/{name}" for name in names]
    try:
        heads = [pq.read_metadata(path, filesystem=table.filesystem) for path in stored]
        # What an older version wrote is for its gate to judge, not to be made to fit here.
        if any(not head.schema.to_arrow_schema().equals(table.stored_schema) for head in heads):
            return None
        with run.part(day) as writer:
            for rows in _groups(table, stored):
                writer.write(rows)
    except FileNotFoundError:
        return None
    expected = sum(head.num_rows for head in heads)
    if writer.part.rows != expected:
        raise TrafficError(
            f"{table.name}: {writer.part.rows:,} of {expected:,} rows of {day} were merged, and nothing was changed: a "
            "file is damaged, make the day again with --redo"
        )
    return writer.part


def _groups(table: Table, paths: Sequence[str]) -> Iterator[pa.Table]:
    """The rows of files in their order, in tables of ``GROUP_ROWS`` or some more."""
    held: list[pa.Table] = []
    for path in paths:
        with table.filesystem.open_input_file(path) as stream:
            file = pq.ParquetFile(stream)
            for group in range(file.num_row_groups):
                held.append(file.read_row_group(group))
                if sum(rows.num_rows for rows in held) >= GROUP_ROWS:
                    yield pa.concat_tables(held)
                    held = []
    if held:
        yield pa.concat_tables(held)


def _publish(table: Table, day: date, names: Sequence[str], merged: Sequence[tuple[Part, Sequence[str]]]) -> bool:
    """Put merged files where the old ones stood. False where the day's files are no longer ``names``."""
    with table.changed() as manifest:
        partition = manifest.partitions.get(day.isoformat())
        if partition is None or partition.files != list(names):
            return False
        first = {taken[0]: part.path for part, taken in merged}
        gone = {name for _, taken in merged for name in taken}
        partition.files = [first.get(name, name) for name in names if name in first or name not in gone]
        return True
