"""A checked trip file, and the chunks it is read in. Both travel to Spark's workers, so they hold plain values."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from smartcity.tripfiles.layout import Layout


class Format(StrEnum):
    """What a file is, by its content."""

    CSV = "csv"
    CSV_GZ = "csv.gz"
    PARQUET = "parquet"


@dataclass(frozen=True)
class Period:
    """Local pickup times that belong into a file, ``start`` ≤ t < ``end``. ``day``: where its undatable rows go."""

    start: datetime
    end: datetime
    day: date


@dataclass(frozen=True)
class Span:
    """A part of a file. CSV: bytes ``start`` … ``end`` (whole lines). Parquet: row group ``start``.

    ``first_row`` is the 1-based number of its first data row in the file; ``rows`` counts lines or rows.
    """

    start: int
    end: int
    first_row: int
    rows: int


@dataclass(frozen=True)
class TripFile:
    """A trip file that was looked into. ``width``: columns of a CSV row, trailing empty ones included."""

    path: str
    name: str
    sha256: str
    size: int
    format: Format
    layout: Layout
    columns: tuple[str, ...]
    width: int
    delimiter: str
    period: Period
    spans: tuple[Span, ...]

    @property
    def rows(self) -> int:
        """Data rows (for CSV: lines after the header, blank ones counted)."""
        return sum(span.rows for span in self.spans)


@dataclass(frozen=True)
class Chunk:
    """One unit of reading: a file and a part of it."""

    file: TripFile
    span: Span


def plan(files: Iterable[TripFile]) -> list[Chunk]:
    """The chunks of all files, largest first, so that the last worker to finish is not left with a big one."""
    chunks = [Chunk(file, span) for file in files for span in file.spans]
    return sorted(chunks, key=lambda chunk: (-chunk.span.rows, chunk.file.path, chunk.span.start))
