"""Rows of a stretch of time, out of a table's files, by the statistics that the files keep of times.

Not by ``pyarrow.dataset``: it brings pandas, and a third of a second more to the start of every process of a job.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from smartcity.columns import UTC_TIMESTAMP
from smartcity.lake import Table
from smartcity.localtime import MICROS


def rows_between(
    table: Table, names: Iterable[str], columns: list[str], times: tuple[str, str], start_us: int, end_us: int
) -> pa.Table:
    """Rows of the files ``names`` that begin before ``end_us`` and end at ``start_us`` or later, µs since 1970.

    Args: columns: what is read. times: the columns that say when a row begins and when it ends; they may be the same.
    """
    begins, ends = times
    wanted = [*dict.fromkeys([*columns, begins, ends])]
    schema = pa.schema([table.schema.field(name) for name in wanted])
    found = [schema.empty_table()]
    start, end = (pa.scalar(us, pa.int64()).cast(UTC_TIMESTAMP) for us in (start_us, end_us))
    for name in names:
        with pq.ParquetFile(f"{table.path}/{name}", filesystem=table.filesystem) as stored:
            spans = zip(spans_of(stored.metadata, begins), spans_of(stored.metadata, ends), strict=True)
            groups = [number for number, (first, last) in enumerate(spans) if first[0] < end_us and last[1] >= start_us]
            rows = stored.read_row_groups(groups, columns=wanted, use_threads=False).select(wanted).cast(schema)
        found.append(rows.filter(pc.and_(pc.less(rows[begins], end), pc.greater_equal(rows[ends], start))))
    return pa.concat_tables(found).select(columns)


def spans_of(footer: pq.FileMetaData, column: str) -> Iterator[tuple[int, int]]:
    """Smallest and largest time of each row group, µs since 1970; of one without statistics, what any time lies in."""
    number = footer.schema.names.index(column)
    for group in range(footer.num_row_groups):
        statistics = footer.row_group(group).column(number).statistics
        if statistics is None or not statistics.has_min_max:
            yield -(1 << 62), 1 << 62
        else:
            yield _micros(statistics.min), _micros(statistics.max)


def _micros(moment: datetime) -> int:
    return round(moment.replace(microsecond=0).timestamp()) * MICROS + moment.microsecond
