"""One pass over a file's bytes: its hash, where it can be cut into whole lines, and a sample of its rows."""

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from smartcity.errors import InputError
from smartcity.hashing import file_sha256
from smartcity.tripfiles.location import Location
from smartcity.tripfiles.source import Span

_BLOCK = 4 << 20
#: Bytes of CSV per chunk: about a second's work, and a few hundred chunks for a year of trips.
CHUNK_BYTES = 32 << 20
#: Into so many a smaller file is cut, that a day's file occupies all cores to its end; none is smaller than this.
PIECES, SMALLEST_CHUNK_BYTES = 4, 4 << 20
_SAMPLE_BYTES = 256 << 10
_MAX_SAMPLES = 16
_TAIL_BYTES = 1 << 14


@dataclass
class Scan:
    """What the pass found. ``samples``: whole lines, spread evenly; ``tail``: a last line without a line end."""

    sha256: str = ""
    spans: list[Span] = field(default_factory=list)
    samples: list[bytes] = field(default_factory=list)
    lines: int = 0
    tail: bytes = b""


def scan_csv(path: Location, header_bytes: int, chunk_bytes: int = CHUNK_BYTES) -> Scan:
    """Pass over a CSV file whose data start at ``header_bytes``; chunks of about ``chunk_bytes``, cut at line ends."""
    scan, digest, cutter = Scan(), hashlib.sha256(), _Cutter(header_bytes, chunk_bytes)
    with path.open("rb") as stream:
        digest.update(stream.read(header_bytes))
        while block := stream.read(_BLOCK):
            digest.update(block)
            cutter.add(block)
    cutter.finish(scan)
    scan.sha256 = digest.hexdigest()
    return scan


def scan_gzip(path: Location, header_bytes: int) -> Scan:
    """Pass over a gzip CSV: one span, as it can't be entered in the middle. Raises: InputError where it breaks off."""
    scan, cutter = Scan(), _Cutter(header_bytes, 1 << 62)
    for number, block in enumerate(gzip_blocks(path)):
        cutter.add(block[header_bytes:] if number == 0 else block)
    cutter.finish(scan)
    scan.sha256 = file_sha256(path)
    return scan


def gzip_blocks(path: Location) -> Iterator[bytes]:
    """The unpacked content in blocks; the first holds the whole header. Raises: InputError where it breaks off."""
    lines = 0
    try:
        with path.open("rb", buffering=_BLOCK) as packed, gzip.open(packed) as stream:
            while block := stream.read(_BLOCK):
                lines += block.count(b"\n")
                yield block
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(
            f"{path}: truncated or damaged gzip file, it breaks off after row {max(0, lines - 1):,} ({error}). "
            f"Download it again; to use what is there: gzip -dc {path.name} > part.csv"
        ) from error


class _Cutter:
    """Counts lines and cuts a stream of blocks at line ends."""

    def __init__(self, start: int, chunk_bytes: int) -> None:
        self._chunk_bytes = chunk_bytes
        self._position = self._start = start
        self._rows = 0
        self._first_row = 1
        self._tail = b""
        self._stride = 1
        self._blocks = 0
        self._spans: list[Span] = []
        self._samples: list[bytes] = []

    def add(self, block: bytes) -> None:
        if not block:
            return
        self._sample(block)
        done = 0
        while (cut := self._next_cut(block, done)) is not None:
            self._rows += block.count(b"\n", done, cut)
            self._close(self._position + cut)
            done = cut
        self._rows += block.count(b"\n", done)
        self._position += len(block)
        self._tail = (self._tail + block[-_TAIL_BYTES:]).rpartition(b"\n")[2][-_TAIL_BYTES:]

    def finish(self, scan: Scan) -> None:
        scan.tail = self._tail
        self._rows += bool(self._tail)
        if self._position > self._start:
            self._close(self._position)
        scan.spans, scan.samples, scan.lines = self._spans, self._samples, self._first_row - 1

    def _next_cut(self, block: bytes, done: int) -> int | None:
        wanted = self._start + self._chunk_bytes - self._position
        if wanted >= len(block):
            return None
        found = block.find(b"\n", max(wanted, done))
        return found + 1 if found >= 0 else None

    def _close(self, end: int) -> None:
        self._spans.append(Span(self._start, end, self._first_row, self._rows))
        self._first_row += self._rows
        self._start, self._rows = end, 0

    def _sample(self, block: bytes) -> None:
        if self._blocks % self._stride == 0:
            text = block[:_SAMPLE_BYTES]
            # Only whole lines: the first is whole in the first block only.
            first = 0 if self._blocks == 0 else text.find(b"\n") + 1
            last = text.rfind(b"\n") + 1 if len(block) > _SAMPLE_BYTES else len(text)
            self._samples.append(text[first:last])
        self._blocks += 1
        if len(self._samples) >= _MAX_SAMPLES:
            self._samples, self._stride = self._samples[::2], self._stride * 2
