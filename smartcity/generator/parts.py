"""A day's rows as a part of its month's file: written by whoever made the day, put together in order.

A CSV part is the very bytes that the file gets. A Parquet file's parts travel as Arrow's own format, which costs next
to nothing to write and read, and become one row group each.
"""

import shutil
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

_COPY_BYTES = 1 << 22


class Joined(Protocol):
    """A file that is put together from parts."""

    def add(self, part: Path) -> None:
        """Put a part behind those there are."""

    def close(self) -> None:
        """Finish the file."""


def write_part(path: Path, table: pa.Table, *, csv: bool) -> None:
    """Write rows as a part of a CSV or Parquet file."""
    if csv:
        # As published: times to the second, nothing quoted (no text here holds a comma).
        schema = pa.schema(
            [f.with_type(pa.timestamp("s")) if pa.types.is_timestamp(f.type) else f for f in table.schema]
        )
        options = pacsv.WriteOptions(include_header=False, quoting_style="none")
        pacsv.write_csv(table.cast(schema), path, options)
        return
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table)


def join_into(path: Path, schema: pa.Schema, *, csv: bool) -> Joined:
    """Open ``path`` to put parts into."""
    return _CsvFile(path, schema) if csv else _ParquetFile(path, schema)


class _CsvFile:
    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._stream = path.open("wb")
        self._stream.write((",".join(schema.names) + "\n").encode())

    def add(self, part: Path) -> None:
        with part.open("rb") as source:
            shutil.copyfileobj(source, self._stream, _COPY_BYTES)

    def close(self) -> None:
        self._stream.close()


class _ParquetFile:
    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._writer = pq.ParquetWriter(path, schema, compression="zstd")

    def add(self, part: Path) -> None:
        with pa.memory_map(str(part)) as source:
            self._writer.write_table(pa.ipc.open_file(source).read_all())

    def close(self) -> None:
        self._writer.close()
