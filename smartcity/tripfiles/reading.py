"""The rows of a chunk as Arrow batches of ``RAW``; runs on any worker, with pyarrow and NumPy only."""

import json
from collections.abc import Iterator, Mapping
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from smartcity.errors import InputError
from smartcity.tripfiles.identity import Words, trip_hashes, trip_ids
from smartcity.tripfiles.layout import BY_NAME, LOCATION_IDS, RAW, needs_zones
from smartcity.tripfiles.location import located, parquet_file
from smartcity.tripfiles.parsing import Broken, Parsed, bad_rows, parse_lines, typed
from smartcity.tripfiles.scan import gzip_blocks
from smartcity.tripfiles.source import Chunk, Format, TripFile

BATCH_ROWS = 1 << 16


class Places(Protocol):
    """Where the trips of files with location ids begin and end; ``smartcity.zones.ZonePlaces`` is one."""

    def points(self, location_ids: npt.NDArray[np.int64], hashes: Words, salt: int) -> tuple[pa.Array, pa.Array]:
        """Latitude and longitude per row, null for an unknown id."""
        ...


def read_chunk(chunk: Chunk, zones: Places | None = None) -> Iterator[pa.RecordBatch]:
    """The chunk's rows; those that cannot be read carry ``parse_reason`` and their text.

    Raises: InputError where the file changed or broke since it was checked.
    """
    file = chunk.file
    if zones is None and not file.layout.has_coordinates:
        raise needs_zones(file.path)
    for first_row, parsed in parsed_parts(chunk):
        yield from _batches(file, first_row, parsed, zones)


def parsed_parts(chunk: Chunk) -> Iterator[tuple[int, Parsed]]:
    """The chunk in parts, each with the row number of its first line. Raises: InputError as ``read_chunk``."""
    parts = {Format.CSV: _csv_parts, Format.CSV_GZ: _gzip_parts, Format.PARQUET: _parquet_parts}
    yield from parts[chunk.file.format](chunk)


def _csv_parts(chunk: Chunk) -> Iterator[tuple[int, Parsed]]:
    file, span = chunk.file, chunk.span
    with located(file.path).open("rb") as stream:
        stream.seek(span.start)
        data = stream.read(span.end - span.start)
    if len(data) != span.end - span.start:
        raise InputError(f"{file.path} became shorter while it was read; nothing was written. Run the ingest again")
    yield span.first_row, parse_lines(data, file.layout, file.width, file.delimiter)


def _gzip_parts(chunk: Chunk) -> Iterator[tuple[int, Parsed]]:
    file, row, rest, header = chunk.file, chunk.span.first_row, b"", True
    for block in gzip_blocks(located(file.path)):
        cut = block.rfind(b"\n") + 1
        lines, rest = rest + block[:cut], block[cut:] if cut else rest + block
        if not cut:
            continue
        if header:
            lines, header = lines.partition(b"\n")[2], False
        yield row, parse_lines(lines, file.layout, file.width, file.delimiter)
        row += lines.count(b"\n")
    if rest:
        yield row, parse_lines(rest, file.layout, file.width, file.delimiter)


def _parquet_parts(chunk: Chunk) -> Iterator[tuple[int, Parsed]]:
    file, row = chunk.file, chunk.span.first_row
    names = {file.columns[position]: name for name, position in file.layout.columns.items()}
    try:
        with parquet_file(located(file.path)) as parquet:
            for batch in parquet.iter_batches(BATCH_ROWS, row_groups=[chunk.span.start], columns=list(names)):
                yield row, _parse_batch(file, batch, names)
                row += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{file.path}: damaged at row {row:,} ({str(error)[:200]}). Download it again") from error


def _parse_batch(file: TripFile, batch: pa.RecordBatch, names: dict[str, str]) -> Parsed:
    columns, texts = {}, {}
    for published, name in names.items():
        values, kind = batch.column(published), BY_NAME[name].kind
        columns[name] = typed(values, kind)
        if not pa.types.is_primitive(values.type):
            texts[name] = values
    reasons = bad_rows(columns, texts, file.layout)
    broken = [Broken(row, _row_text(batch, row), reason) for row, reason in reasons.items()]
    good = np.delete(np.arange(batch.num_rows), list(reasons))
    if reasons:
        columns = {name: column.take(pa.array(good)) for name, column in columns.items()}
    return Parsed(columns, good.astype(np.int64), {}, broken)


def _row_text(batch: pa.RecordBatch, row: int) -> str:
    return json.dumps(batch.slice(row, 1).to_pylist()[0], default=str)


def _batches(file: TripFile, first_row: int, parsed: Parsed, zones: Places | None) -> Iterator[pa.RecordBatch]:
    hashes = trip_hashes(parsed.columns, len(parsed.lines))
    columns = dict(parsed.columns)
    if not file.layout.has_coordinates:
        columns |= _placed(columns, hashes[0], zones)
    elif any(name in columns for name in LOCATION_IDS):
        columns = {name: column for name, column in columns.items() if name not in LOCATION_IDS}
    columns["trip_id"] = trip_ids(hashes)
    columns["row_number"] = pa.array(parsed.lines + first_row)
    constants = {
        "source_file": file.name,
        "source_sha256": file.sha256,
        "period_start": file.period.start,
        "period_end": file.period.end,
        "file_date": file.period.day,
    }
    yield from complete(RAW, constants, columns, len(parsed.lines))
    if parsed.broken:
        yield from complete(RAW, constants, broken_columns(first_row, parsed.broken), len(parsed.broken))


def broken_columns(first_row: int, broken: list[Broken]) -> dict[str, pa.Array]:
    """What is known of rows that could not be read."""
    return {
        "row_number": pa.array([row.line + first_row for row in broken], pa.int64()),
        "parse_reason": pa.array([row.reason for row in broken], pa.string()),
        "row_text": pa.array([row.text for row in broken], pa.string()),
    }


def _placed(columns: dict[str, pa.Array], hashes: Words, zones: Places | None) -> dict[str, pa.Array]:
    assert zones is not None
    placed: dict[str, pa.Array] = {}
    for salt, end in enumerate(("pickup", "dropoff")):
        ids = columns[f"{end}_location_id"].to_numpy(zero_copy_only=False)
        whole = np.where(np.isfinite(ids) & (np.abs(ids) < 1 << 31), ids, -1).astype(np.int64)
        placed[f"{end}_location_id"] = pa.array(whole, pa.int32())
        placed[f"{end}_latitude"], placed[f"{end}_longitude"] = zones.points(whole, hashes, salt)
    return placed


def complete(
    schema: pa.Schema, constants: Mapping[str, object], columns: Mapping[str, pa.Array], count: int
) -> Iterator[pa.RecordBatch]:
    """Batches of ``schema`` from the columns there are; the others hold a constant or null."""
    arrays = []
    for column in schema:
        if column.name in constants:
            arrays.append(pa.repeat(pa.scalar(constants[column.name], column.type), count))
        elif column.name in columns:
            arrays.append(columns[column.name].cast(column.type))
        else:
            arrays.append(pa.nulls(count, column.type))
    batch = pa.RecordBatch.from_arrays(arrays, schema=schema)
    for start in range(0, count, BATCH_ROWS):
        yield batch.slice(start, BATCH_ROWS)
