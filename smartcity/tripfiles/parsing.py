"""Text into typed columns: strict and fast where all values are good, value by value where one is not."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from smartcity.tripfiles.layout import BY_NAME, LOCAL_TIME, Kind, Layout

#: How published files say that a value is not there.
MISSING = ["", "NA", "N/A", "NULL", "null", "nan", "NaN", "\\N"]
#: ISO 8601 first: all that the TLC publishes; the others are what spreadsheets and open-data portals make of it.
_OTHER_TIMES = ["%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M"]
_TIMES = ["%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", *_OTHER_TIMES]
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_ARROW = {Kind.TIME: LOCAL_TIME, Kind.NUMBER: pa.float64(), Kind.TEXT: pa.string(), Kind.RAW: pa.string()}


@dataclass(frozen=True)
class Broken:
    """A line that could not be split into fields, or a row whose required field could not be read."""

    line: int
    text: str
    reason: str


@dataclass(frozen=True)
class Parsed:
    """Typed columns of the rows in ``lines`` (0-based within the text), the texts they came from where kept."""

    columns: dict[str, pa.Array]
    lines: npt.NDArray[np.int64]
    texts: dict[str, pa.Array]
    broken: list[Broken]


def parse_lines(data: bytes, layout: Layout, width: int, delimiter: str) -> Parsed:
    """The rows in ``data`` (whole lines, no header). Bytes that are not UTF-8 spoil only the field they stand in."""
    if not data.isascii():
        data = data.decode("utf-8", "replace").encode()
    try:
        parsed = _split(data, layout, width, delimiter, typed=True)
    except pa.ArrowInvalid:
        parsed = None
    if parsed is None:
        try:
            parsed = _split(data, layout, width, delimiter, typed=False)
        except pa.ArrowInvalid:
            parsed = None
    # A stray quote makes the splitter swallow line ends; then each line is split on its own.
    return parsed if parsed is not None else _split_each(data, layout, width, delimiter)


def line_count(data: bytes) -> int:
    """Lines in ``data``, an unfinished last one included."""
    return data.count(b"\n") + (1 if data and not data.endswith(b"\n") else 0)


def read_text(values: pa.Array | pa.ChunkedArray, kind: Kind) -> pa.Array:
    """Values of text columns as ``kind``; null where they are missing or cannot be read."""
    text = pc.utf8_trim_whitespace(_flat(values).cast(pa.string()))
    text = pc.if_else(pc.is_in(text, pa.array(MISSING)), pa.scalar(None, pa.string()), text)
    if kind in (Kind.TEXT, Kind.RAW):
        return text
    if kind is Kind.NUMBER:
        return pc.if_else(pc.match_substring_regex(text, _NUMBER), text, pa.scalar(None, pa.string())).cast(
            pa.float64()
        )
    return read_times(text)


def read_times(text: pa.Array, *, keep_fraction: bool = False) -> pa.Array:
    """Wall times in one of the known spellings; null for anything else. Fractions of a second are cut off or kept."""
    text = pc.replace_substring_regex(text, r"^(\d{4}-\d\d-\d\d)T", r"\1 ")
    fraction = pc.struct_field(pc.extract_regex(text, r":\d\d\.(?P<digits>\d+)$"), "digits")
    text = pc.replace_substring_regex(text, r"(:\d\d)\.\d+$", r"\1")
    times = pc.coalesce(*(_read_time(text, form) for form in _TIMES))
    if not keep_fraction or fraction.null_count == len(fraction):
        return times
    micros = pc.utf8_slice_codeunits(pc.utf8_rpad(fraction, 6, "0"), 0, 6).cast(pa.int64()).fill_null(0)
    return pc.add(times.cast(pa.int64()), micros).cast(times.type)


def typed(values: pa.Array, kind: Kind) -> pa.Array:
    """A Parquet column as ``kind``, whatever type it was written with; null where it cannot be read."""
    if kind is Kind.RAW:
        return values
    if kind is Kind.TEXT:
        return values.cast(pa.string())
    if kind is Kind.TIME and pa.types.is_temporal(values.type):
        return values.cast(LOCAL_TIME, safe=False)
    if kind is Kind.NUMBER and (pa.types.is_primitive(values.type) or pa.types.is_decimal(values.type)):
        numbers = values.cast(pa.float64(), safe=False)
        return pc.if_else(pc.is_nan(numbers), pa.scalar(None, pa.float64()), numbers)
    return read_text(values.cast(pa.string()), kind)


def was_given(text: pa.Array) -> npt.NDArray[np.bool_]:
    """Whether each text holds a value at all: tells an unreadable field from a missing one."""
    stripped = pc.utf8_trim_whitespace(text.cast(pa.string()))
    given = pc.invert(pc.is_in(stripped, pa.array(MISSING)))
    return np.asarray(pc.and_(given, pc.is_valid(stripped)).fill_null(False).to_numpy(zero_copy_only=False), dtype=bool)


def _read_time(text: pa.Array, form: str) -> pa.Array:
    times = pc.strptime(text, format=form, unit="us", error_is_null=True)
    # strptime takes 30 February for 1 March: the day must come out as it went in.
    pattern = r"^\d+-\d+-(?P<day>\d+)" if form.startswith("%Y") else r"^\d+/(?P<day>\d+)/"
    day = pc.struct_field(pc.extract_regex(text, pattern), "day").cast(pa.int64())
    return pc.if_else(pc.equal(day, pc.day(times)), times, pa.scalar(None, times.type))


def _flat(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values


def _split(data: bytes, layout: Layout, width: int, delimiter: str, *, typed: bool) -> Parsed | None:
    """By Arrow's splitter; None where its rows do not match the lines. Raises: ArrowInvalid on a bad value if typed."""
    broken: list[Broken] = []

    def keep_broken(row: pacsv.InvalidRow) -> str:
        reason = f"wrong number of fields: {row.actual_columns} of {row.expected_columns}"
        broken.append(Broken(row.number - 1, row.text, reason))
        return "skip"

    names = {f"c{position}": name for name, position in layout.columns.items()}
    table = pacsv.read_csv(
        pa.BufferReader(data),
        read_options=pacsv.ReadOptions(
            use_threads=False, block_size=len(data) + 1, column_names=[f"c{i}" for i in range(width)]
        ),
        parse_options=pacsv.ParseOptions(
            delimiter=delimiter, ignore_empty_lines=False, invalid_row_handler=keep_broken
        ),
        convert_options=pacsv.ConvertOptions(
            include_columns=list(names),
            column_types={c: _ARROW[BY_NAME[name].kind] if typed else pa.string() for c, name in names.items()},
            null_values=MISSING,
            strings_can_be_null=typed,
            timestamp_parsers=[pacsv.ISO8601, *_OTHER_TIMES],
        ),
    )
    lines = np.arange(line_count(data), dtype=np.int64)
    lines = np.delete(lines, [row.line for row in broken])
    if len(lines) != table.num_rows:
        return None
    given = {name: _flat(table.column(column)) for column, name in names.items()}
    return _finish(data, given, lines, broken, layout, typed=typed)


def _split_each(data: bytes, layout: Layout, width: int, delimiter: str) -> Parsed:
    """Line by line: slow, and needed only for text with unbalanced quotes."""
    broken: list[Broken] = []
    rows: list[Sequence[str]] = []
    lines: list[int] = []
    for number, line in enumerate(_lines(data)):
        fields = next(csv.reader([line], delimiter=delimiter), [])
        if len(fields) == width:
            rows.append(fields)
            lines.append(number)
        elif line.strip():
            broken.append(Broken(number, line, f"wrong number of fields: {len(fields)} of {width}"))
    given = {name: pa.array([row[i] for row in rows], pa.string()) for name, i in layout.columns.items()}
    return _finish(data, given, np.array(lines, dtype=np.int64), broken, layout, typed=False)


def _lines(data: bytes) -> list[str]:
    return [line.rstrip("\r") for line in data.decode("utf-8", "replace").removesuffix("\n").split("\n")]


def _finish(
    data: bytes,
    given: dict[str, pa.Array],
    lines: npt.NDArray[np.int64],
    broken: list[Broken],
    layout: Layout,
    *,
    typed: bool,
) -> Parsed:
    columns = given if typed else {name: read_text(text, BY_NAME[name].kind) for name, text in given.items()}
    texts = {} if typed else {name: given[name] for name in layout.required}
    reasons = bad_rows(columns, texts, layout)
    if not reasons and not broken:
        return Parsed(columns, lines, texts, [])
    source = _lines(data)
    broken = [Broken(row.line, source[row.line], row.reason) for row in broken]
    # A blank line is no row: it is neither counted nor quarantined.
    unread = [Broken(int(lines[i]), source[lines[i]], reason) for i, reason in reasons.items()]
    good = np.delete(np.arange(len(lines)), list(reasons))
    kept = {name: column.take(pa.array(good)) for name, column in columns.items()}
    return Parsed(kept, lines[good], {}, [row for row in broken + unread if row.text.strip()])


def bad_rows(columns: dict[str, pa.Array], texts: dict[str, pa.Array], layout: Layout) -> dict[int, str]:
    """Row -> why it cannot be judged: its first required field that is missing or unreadable."""
    reasons: dict[int, str] = {}
    for name in layout.required:
        if columns[name].null_count == 0:
            continue
        nulls = np.flatnonzero(columns[name].is_null().to_numpy(zero_copy_only=False))
        given = was_given(texts[name]) if name in texts else None
        for row in nulls.tolist():
            state = "unreadable" if given is not None and given[row] else "missing"
            reasons.setdefault(row, f"{BY_NAME[name].label} {state}")
    return reasons
