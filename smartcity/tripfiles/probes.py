"""GPS feeds: the same files, chunks and checks as trip files, with a feed's columns and its timestamps.

A timestamp is ISO 8601 with a zone, ISO 8601 without one (the city's wall time), or seconds, milliseconds,
microseconds or nanoseconds since 1970, told apart by their size.
"""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from smartcity.tripfiles.checking import FileKind
from smartcity.tripfiles.layout import LOCAL_TIME, find_probe_layout, unknown_probe_columns
from smartcity.tripfiles.parsing import read_times
from smartcity.tripfiles.reading import broken_columns, complete, parsed_parts
from smartcity.tripfiles.source import Chunk

UTC_TIME = pa.timestamp("us", tz="UTC")

#: One row of a feed. Exactly one of the two times is set; ``speed`` is in the feed's own unit, null where not given.
PROBE_RAW = pa.schema(
    [
        ("source_file", pa.string()),
        ("source_sha256", pa.string()),
        ("row_number", pa.int64()),
        ("period_start", LOCAL_TIME),
        ("period_end", LOCAL_TIME),
        ("file_date", pa.date32()),
        ("parse_reason", pa.string()),
        ("row_text", pa.string()),
        ("vehicle_id", pa.string()),
        ("trip_id", pa.string()),
        ("instant_utc", UTC_TIME),
        ("instant_local", LOCAL_TIME),
        ("latitude", pa.float64()),
        ("longitude", pa.float64()),
        ("speed", pa.float64()),
    ]
)

_EPOCH = r"^-?\d{6,19}(\.\d+)?$"
_ZONED = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)? ?(Z|[+-]\d\d:?\d\d|[+-]\d\d)$"
#: Largest magnitude that is still seconds, milliseconds, microseconds since 1970, and µs per unit.
_UNITS = ((1e11, 1e6), (1e14, 1e3), (1e17, 1.0))


def instants(values: pa.Array) -> tuple[pa.Array, pa.Array]:
    """(UTC times, local wall times) of a timestamp column of any type; of each row at most one is not null."""
    count = len(values)
    nothing = pa.nulls(count, UTC_TIME), pa.nulls(count, LOCAL_TIME)
    if pa.types.is_timestamp(values.type):
        if values.type.tz is None:
            return nothing[0], values.cast(LOCAL_TIME, safe=False)
        return values.cast(UTC_TIME, safe=False), nothing[1]
    if pa.types.is_integer(values.type) or pa.types.is_floating(values.type):
        return _from_epoch(values), nothing[1]
    text = pc.utf8_trim_whitespace(values.cast(pa.string()))
    null = pa.scalar(None, pa.string())
    epoch = pc.if_else(pc.match_substring_regex(text, _EPOCH), text, null)
    zoned = pc.if_else(pc.match_substring_regex(text, _ZONED), text, null)
    naive = pc.if_else(pc.or_(epoch.is_valid(), zoned.is_valid()), null, text)
    return pc.coalesce(_from_epoch(epoch), _from_zoned(zoned)), read_times(naive, keep_fraction=True)


def _from_epoch(values: pa.Array) -> pa.Array:
    # Whole numbers stay whole: as a float, nanoseconds since 1970 would lose their last digits, and only those.
    number = pc.cast(values, pa.float64(), safe=False)
    size = pc.abs(number)
    micros = pc.divide(number, 1000.0)
    for limit, factor in reversed(_UNITS):
        micros = pc.if_else(pc.less(size, limit), pc.multiply(number, factor), micros)
    finite = pc.and_(pc.is_finite(micros), pc.less(pc.abs(micros), 9e18))
    whole = pc.if_else(finite, pc.round(micros), pa.scalar(None, pa.float64()))
    return whole.cast(pa.int64()).cast(UTC_TIME)


def _from_zoned(text: pa.Array) -> pa.Array:
    """Wall time minus offset; a wall time that does not exist (25:00) gives null."""
    parts = pc.extract_regex(text, r"^(?P<wall>[^Z+]{16,}?) ?(?P<offset>Z|[+-]\d\d:?(?:\d\d)?)$")
    wall = read_times(pc.struct_field(parts, "wall"), keep_fraction=True)
    offset = pc.replace_substring(pc.struct_field(parts, "offset"), ":", "")
    # +01 is +0100; Z is +0000.
    digits = pc.utf8_rpad(pc.if_else(pc.equal(offset, "Z"), "+", offset), 5, "0")
    hours = pc.utf8_slice_codeunits(digits, 1, 3).cast(pa.int64())
    minutes = pc.utf8_slice_codeunits(digits, 3, 5).cast(pa.int64())
    size = pc.add(pc.multiply(hours, 3600_000_000), pc.multiply(minutes, 60_000_000))
    signed = pc.if_else(pc.starts_with(digits, "-"), pc.negate(size), size)
    return pc.subtract(wall.cast(pa.int64()), signed).cast(UTC_TIME)


def _sample_times(column: pa.Array) -> pa.Array:
    utc, local = instants(column)
    return pc.coalesce(local, pc.cast(utc.cast(pa.int64()), LOCAL_TIME))


PROBE_FILES = FileKind(find_probe_layout, unknown_probe_columns, "timestamp", _sample_times)


def read_probe_chunk(chunk: Chunk) -> Iterator[pa.RecordBatch]:
    """The chunk's positions as batches of ``PROBE_RAW``. Raises: InputError as ``read_chunk``."""
    file = chunk.file
    constants = {
        "source_file": file.name,
        "source_sha256": file.sha256,
        "period_start": file.period.start,
        "period_end": file.period.end,
        "file_date": file.period.day,
    }
    for first_row, parsed in parsed_parts(chunk):
        utc, local = instants(parsed.columns["timestamp"])
        unread = pc.and_(utc.is_null(), local.is_null())
        columns = {
            **{name: column for name, column in parsed.columns.items() if name in PROBE_RAW.names},
            "instant_utc": utc,
            "instant_local": local,
            "row_number": pa.array(parsed.lines + first_row),
            "parse_reason": pc.if_else(unread, "timestamp unreadable", pa.scalar(None, pa.string())),
            "row_text": pc.if_else(unread, parsed.columns["timestamp"].cast(pa.string()), pa.scalar(None, pa.string())),
        }
        if "position_trip_id" in parsed.columns:
            columns["trip_id"] = parsed.columns["position_trip_id"]
        yield from complete(PROBE_RAW, constants, columns, len(parsed.lines))
        if parsed.broken:
            yield from complete(PROBE_RAW, constants, broken_columns(first_row, parsed.broken), len(parsed.broken))
