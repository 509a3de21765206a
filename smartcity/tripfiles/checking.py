"""Looking into every file before anything is written: format, columns, rows, period."""

import csv
import gzip
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.parquet as pq

from smartcity.errors import InputError
from smartcity.hashing import file_sha256
from smartcity.tripfiles.discover import Found
from smartcity.tripfiles.layout import BY_NAME, Kind, Layout, find_layout, other_kind, unknown_columns
from smartcity.tripfiles.location import Location, parquet_file
from smartcity.tripfiles.parsing import parse_lines, typed
from smartcity.tripfiles.period import period_of_name, period_of_times
from smartcity.tripfiles.scan import CHUNK_BYTES, PIECES, SMALLEST_CHUNK_BYTES, Scan, scan_csv, scan_gzip
from smartcity.tripfiles.sniff import ending_warning, sniff
from smartcity.tripfiles.source import Format, Period, Span, TripFile

_DELIMITERS = (",", ";", "\t", "|")
_MAX_HEADER = 1 << 16
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class FileKind:
    """What to look for in a file: its layout by column names, the error where there is none, and its rows' times."""

    find: Callable[[Sequence[str]], Layout | None]
    unknown: Callable[[str, Sequence[str]], InputError]
    time_field: str
    times: Callable[[pa.Array], pa.Array]


TRIP_FILES = FileKind(find_layout, unknown_columns, "pickup_local", lambda column: column)


@dataclass
class Checked:
    """The files to read, and what is to be said about them and about those that are left out."""

    files: list[TripFile] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


def check_files(
    found: Iterable[Found], kind: FileKind = TRIP_FILES, *, skip_bad: bool = False, chunk_bytes: int = CHUNK_BYTES
) -> Checked:
    """Look into every file. A second copy of a file is left out; so is a neighbour kind of file inside a directory.

    Raises: InputError for the first file that cannot be read, unless ``skip_bad``; InputError where none is left.
    """
    found = list(found)
    checked, seen = Checked(), dict[str, str]()
    with ThreadPoolExecutor(max_workers=4) as pool:
        for item, outcome in zip(found, pool.map(lambda one: _outcome(one, kind, chunk_bytes), found), strict=True):
            if isinstance(outcome, InputError):
                if not skip_bad and not isinstance(outcome, _OtherKindError):
                    raise outcome
                checked.skipped.append(str(outcome))
                continue
            file, warnings = outcome
            checked.warnings += warnings
            if first := seen.get(file.sha256):
                checked.skipped.append(f"{item.path}: the same content as {first}, read once")
                continue
            seen[file.sha256] = str(item.path)
            checked.files.append(file)
    if not checked.files:
        raise InputError("no readable trip file among the input: " + "; ".join(checked.skipped))
    return checked


class _OtherKindError(InputError):
    """A file that is something else, met inside a directory: left out with a word, not refused."""


def _outcome(found: Found, kind: FileKind, chunk_bytes: int) -> tuple[TripFile, list[str]] | InputError:
    try:
        return check_file(found.path, kind, chunk_bytes=chunk_bytes, named=found.named)
    except InputError as error:
        return error


def check_file(
    path: Location, kind: FileKind = TRIP_FILES, *, chunk_bytes: int = CHUNK_BYTES, named: bool = True
) -> tuple[TripFile, list[str]]:
    """Look into one file. Returns: the file and warnings. Raises: InputError saying what is wrong and what to do."""
    form = sniff(path)
    warnings = [warning] if (warning := ending_warning(path, form)) else []
    read = _check_parquet if form is Format.PARQUET else _check_csv
    try:
        file, more = read(path, form, kind, chunk_bytes)
    except _UnknownColumns as unknown:
        error = kind.unknown(str(path), unknown.names)
        raise error if named or not other_kind(unknown.names) else _OtherKindError(str(error)) from None
    return file, warnings + more


class _UnknownColumns(Exception):
    def __init__(self, names: list[str]) -> None:
        super().__init__(names)
        self.names = names


def peek(found: Found, kind: FileKind = TRIP_FILES) -> Layout | None:
    """The layout of a file by its first bytes; None for another kind of file inside a directory, which is left out.

    Raises: InputError where these bytes show that the file cannot be read.
    """
    form = sniff(found.path)
    try:
        if form is Format.PARQUET:
            names = _parquet_names(found.path)
            layout = kind.find(names)
            if layout is None:
                raise _UnknownColumns(names)
            return layout
        line = _head(found.path, form).partition(b"\n")[0]
        return _header(line.removeprefix(_BOM).decode("utf-8", "replace").rstrip("\r"), kind)[1]
    except _UnknownColumns as unknown:
        if not found.named and other_kind(unknown.names):
            return None
        raise kind.unknown(str(found.path), unknown.names) from None


def _parquet_names(path: Location) -> list[str]:
    try:
        with parquet_file(path) as parquet:
            return list(parquet.schema_arrow.names)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Location, error: Exception) -> InputError:
    return InputError(f"{path}: damaged Parquet file ({str(error)[:200]}). Download it again")


def _check_csv(path: Location, form: Format, kind: FileKind, chunk_bytes: int) -> tuple[TripFile, list[str]]:
    head = _head(path, form)
    line, newline, rest = head.partition(b"\n")
    if not newline and len(head) >= _MAX_HEADER:
        raise InputError(f"{path}: no line end in the first {_MAX_HEADER:,} bytes: not a CSV file")
    names, layout, delimiter = _header(line.removeprefix(_BOM).decode("utf-8", "replace").rstrip("\r"), kind)
    header_bytes = len(line) + len(newline)
    width, size = _width(rest, len(names), delimiter), path.stat().st_size
    chunk_bytes = min(chunk_bytes, max(size // PIECES, SMALLEST_CHUNK_BYTES))
    scan = scan_csv(path, header_bytes, chunk_bytes) if form is Format.CSV else scan_gzip(path, header_bytes)
    if not any(sample.strip() for sample in scan.samples):
        raise InputError(f"{path}: has the header of a trip file but no rows. Download it again")
    warnings = [] if delimiter == "," else [f"{path}: columns are separated by {delimiter!r} instead of ','; read so"]
    if scan.tail and (short := _short_end(scan, width, delimiter)):
        warnings.append(f"{path}: breaks off in row {scan.lines:,} ({short}): is the download complete?")
    period = period_of_name(path.name) or _sampled_period(path, scan, layout, width, delimiter, kind)
    return TripFile(
        str(path), path.name, scan.sha256, size, form, layout, tuple(names), width, delimiter, period, tuple(scan.spans)
    ), warnings


def _head(path: Location, form: Format) -> bytes:
    with path.open("rb", buffering=_MAX_HEADER) as stored:
        try:
            return bytes((stored if form is Format.CSV else gzip.open(stored)).read(_MAX_HEADER))
        except (OSError, EOFError) as error:
            raise InputError(f"{path}: truncated gzip file ({error}). Download it again") from error


def _header(line: str, kind: FileKind) -> tuple[list[str], Layout, str]:
    for delimiter in _DELIMITERS:
        names = next(csv.reader([line], delimiter=delimiter), [])
        if layout := kind.find(names):
            return names, layout, delimiter
    best = max(_DELIMITERS, key=line.count)
    raise _UnknownColumns(next(csv.reader([line], delimiter=best), []))


def _width(text: bytes, header_width: int, delimiter: str) -> int:
    """Columns of a row: some published files end every row in commas that the header does not have."""
    lines = [line for line in text.decode("utf-8", "replace").split("\n")[:-1][:100] if line.strip()]
    widths: Counter[int] = Counter()
    for line in lines:
        fields = next(csv.reader([line.rstrip("\r")], delimiter=delimiter), [])
        if len(fields) > header_width and not any(field.strip() for field in fields[header_width:]):
            widths[len(fields)] += 1
    common = widths.most_common(1)
    return common[0][0] if common and 2 * common[0][1] > len(lines) else header_width


def _short_end(scan: Scan, width: int, delimiter: str) -> str | None:
    fields = len(next(csv.reader([scan.tail.decode("utf-8", "replace")], delimiter=delimiter), []))
    return f"{fields} of {width} fields" if 0 < fields < width else None


def _sampled_period(path: Location, scan: Scan, layout: Layout, width: int, delimiter: str, kind: FileKind) -> Period:
    samples = (parse_lines(sample, layout, width, delimiter) for sample in scan.samples if sample.strip())
    period = period_of_times(kind.times(parsed.columns[kind.time_field]) for parsed in samples)
    if period is None:
        raise InputError(
            f"{path}: not one row with a readable {BY_NAME[kind.time_field].label} in samples from all over it"
        )
    return period


def _check_parquet(path: Location, form: Format, kind: FileKind, chunk_bytes: int) -> tuple[TripFile, list[str]]:
    try:
        with parquet_file(path) as parquet:
            schema, metadata = parquet.schema_arrow, parquet.metadata
            groups = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
            layout = kind.find(schema.names)
            if layout is None:
                raise _UnknownColumns(list(schema.names))
            if not sum(groups):
                raise InputError(f"{path}: has the columns of a trip file but no rows. Download it again")
            _check_types(path, schema, layout)
            period = period_of_name(path.name) or _parquet_period(path, parquet, layout, len(groups), kind)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, error) from error
    spans, first = [], 1
    for group, rows in enumerate(groups):
        if rows:
            spans.append(Span(group, group + 1, first, rows))
        first += rows
    names = tuple(schema.names)
    size, sha256 = path.stat().st_size, file_sha256(path)
    file = TripFile(str(path), path.name, sha256, size, form, layout, names, len(names), "", period, tuple(spans))
    return file, []


def _check_types(path: Location, schema: pa.Schema, layout: Layout) -> None:
    for name, position in layout.columns.items():
        found = schema.field(position).type
        if BY_NAME[name].kind is Kind.TIME and pa.types.is_timestamp(found) and found.tz is not None:
            raise InputError(
                f"{path}: column {schema.names[position]} has the time zone {found.tz}; {BY_NAME[name].label}s of trip "
                f"files are the city's wall time. Write them without a zone"
            )
        if pa.types.is_nested(found):
            raise InputError(f"{path}: column {schema.names[position]} is {found}: a plain value is needed")


def _parquet_period(path: Location, parquet: pq.ParquetFile, layout: Layout, groups: int, kind: FileKind) -> Period:
    column = parquet.schema_arrow.names[layout.columns[kind.time_field]]
    times = []
    for group in sorted({round(i * (groups - 1) / 15) for i in range(16)}):
        batch = next(parquet.iter_batches(batch_size=1 << 16, row_groups=[group], columns=[column]), None)
        if batch is not None:
            times.append(kind.times(typed(batch.column(0), BY_NAME[kind.time_field].kind)))
    period = period_of_times(times)
    if period is None:
        raise InputError(
            f"{path}: not one row with a readable {BY_NAME[kind.time_field].label} in samples from all over it"
        )
    return period
