"""Files that appear whole or not at all: written beside their place, compared, then renamed together."""

import filecmp
import secrets
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from smartcity.errors import InputError


class TableWriter(Protocol):
    """Takes tables of one schema, one after the other."""

    def write_table(self, table: pa.Table) -> None:
        """Append ``table``."""

    def close(self) -> None:
        """Finish the file."""


class CsvWriter:
    """CSV as the publisher writes it: times to the second, nothing quoted (no text here holds a comma)."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._schema = pa.schema(
            [field.with_type(pa.timestamp("s")) if pa.types.is_timestamp(field.type) else field for field in schema]
        )
        self._stream = path.open("wb")
        self._stream.write((",".join(schema.names) + "\n").encode())
        options = pacsv.WriteOptions(include_header=False, quoting_style="none")
        self._writer = pacsv.CSVWriter(self._stream, self._schema, write_options=options)

    def write_table(self, table: pa.Table) -> None:
        """Append ``table``."""
        self._writer.write_table(table.cast(self._schema))

    def close(self) -> None:
        """Finish the file."""
        self._writer.close()
        self._stream.close()


class Staging:
    """New files of one folder. Nothing is seen in their place before ``publish``; leaving without it removes them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._token = secrets.token_hex(4)
        self._staged: dict[str, Path] = {}
        self._writers: dict[str, TableWriter] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for writer in self._writers.values():
            writer.close()
        for path in self._staged.values():
            path.unlink(missing_ok=True)

    def _stage(self, name: str) -> Path:
        place = self._folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        self._staged[name] = place.with_name(f".{place.name}.{self._token}")
        return self._staged[name]

    def append(self, name: str, table: pa.Table) -> None:
        """Add ``table`` to the file ``name``, whose ending says the format: .parquet or .csv."""
        if name not in self._writers:
            path = self._stage(name)
            self._writers[name] = (
                CsvWriter(path, table.schema)
                if name.endswith(".csv")
                else pq.ParquetWriter(path, table.schema, compression="zstd")
            )
        self._writers[name].write_table(table)

    def write_bytes(self, name: str, content: bytes) -> None:
        """Put a whole small file."""
        self._stage(name).write_bytes(content)

    def finish(self) -> dict[str, Path]:
        """Close the writers. Returns: the staged file of each name."""
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()
        return dict(self._staged)

    def publish(self, *, force: bool) -> None:
        """Move all files to their places.

        Raises: InputError where a place holds other content, unless ``force``; then nothing is moved.
        """
        staged = self.finish()
        taken = [
            name
            for name, path in staged.items()
            if (self._folder / name).exists() and not filecmp.cmp(path, self._folder / name, shallow=False)
        ]
        if taken and not force:
            raise InputError(
                f"{self._folder} holds other content in {', '.join(taken[:3])}"
                f"{f' and {len(taken) - 3} more' if len(taken) > 3 else ''}: choose another --out, or pass --force"
            )
        for name, path in staged.items():
            path.replace(self._folder / name)
        self._staged.clear()
