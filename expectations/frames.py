"""The frames that rules look at: columns as stored, and the rows in pieces of whole days.

Great Expectations scans its frame again for each expectation, so it gets pandas frames of bounded size instead of a
Spark plan: memory stays flat over any span, and a key that holds a date cannot repeat across pieces.
"""

from collections.abc import Iterator
from datetime import date

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from expectations.rule import Frame
from expectations.span import Span
from smartcity.city import City
from smartcity.lake import Table

#: Values (rows × columns) of one piece, about 200 MB; a single day may be larger and is then a piece of its own.
PIECE_VALUES = 24_000_000


def schema_frame(table: Table, span: Span) -> Frame:
    """One row per column of the contract and per column found: ``column, expected_type, found_type``.

    ``date`` may live in the partition's path. A file that differs from the others shows as a row of its own.
    """
    expected = {field.name: str(field.type) for field in table.schema}
    rows: dict[tuple[str, str | None], str] = {}
    for relative, path in _paths(table, span):
        found = {field.name: str(field.type) for field in pq.read_schema(path, filesystem=table.filesystem)}
        found.setdefault("date", expected.get("date", ""))
        for name in expected:
            rows.setdefault((name, _plain(found.get(name))), relative)
    return pd.DataFrame(
        [(name, _plain(expected[name]), found, file) for (name, found), file in rows.items()],
        columns=["column", "expected_type", "found_type", "file"],
    )


def _plain(kind: str | None) -> str | None:
    """A type without what the contract leaves open: text in 32 or 64-bit offsets, dictionary-coded or not."""
    return {"large_string": "string", "dictionary<values=string, indices=int32, ordered=0>": "string"}.get(
        kind or "", kind
    )


def _paths(table: Table, span: Span) -> Iterator[tuple[str, str]]:
    partitions = table.manifest().partitions
    for day in span.days:
        for name in partitions[day.isoformat()].files:
            yield name, f"{table.path}/{name}"


def pieces(table: Table, span: Span) -> Iterator[tuple[date, date]]:
    """First and last day of each piece of at most ``PIECE_VALUES`` values."""
    partitions = table.manifest().partitions
    most = PIECE_VALUES // len(table.schema)
    first, last, rows = span.days[0], span.days[0], 0
    for day in span.days:
        count = partitions[day.isoformat()].rows
        if rows and rows + count > most:
            yield first, last
            first, rows = day, 0
        last, rows = day, rows + count
    yield first, last


def local_dates(timestamps: pa.ChunkedArray, city: City) -> pa.ChunkedArray:
    """The city's local date of each instant."""
    return local_times(timestamps, city).cast(pa.date32())


def local_times(timestamps: pa.ChunkedArray, city: City) -> pa.ChunkedArray:
    """The city's wall clock at each instant, without a zone."""
    return pc.local_timestamp(timestamps.cast(pa.timestamp("us", tz=city.time_zone)))


def hours_with_rows(timestamps: pa.ChunkedArray, city: City) -> int:
    """How many of the day's 24 local hours have at least one row."""
    return len(pc.unique(pc.hour(local_times(timestamps, city))))
