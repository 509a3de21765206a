"""What a file is, by its first bytes; its ending is only compared with that."""

import gzip
import zlib

from smartcity.errors import InputError
from smartcity.tripfiles.location import Location
from smartcity.tripfiles.source import Format

_PARQUET = b"PAR1"
#: First bytes of things that are found under trip files' names -> what they are, and the way out.
_FOREIGN = {
    b"PK\x03\x04": "a ZIP archive: unpack it first",
    b"\x28\xb5\x2f\xfd": "Zstandard-compressed: unpack it first",
    b"BZh": "bzip2-compressed: unpack it first",
    b"\xfd7zXZ\x00": "xz-compressed: unpack it first",
    b"%PDF": "a PDF document",
    b"\xd0\xcf\x11\xe0": "an Excel workbook: export it as CSV",
    b"\xff\xfe": "UTF-16 text: convert it to UTF-8, e.g. with iconv -f UTF-16 -t UTF-8",
    b"\xfe\xff": "UTF-16 text: convert it to UTF-8, e.g. with iconv -f UTF-16 -t UTF-8",
    b"ARROW1": "an Arrow IPC file: write it as Parquet",
}


def sniff(path: Location) -> Format:
    """The format of a file's content. Raises: InputError where it is empty or none that can be read."""
    try:
        with path.open("rb") as stream:
            head = stream.read(1024)
            size = path.stat().st_size
            stream.seek(max(0, size - 4))
            tail = stream.read(4)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error
    if not head.strip():
        raise InputError(f"{path}: the file is empty ({size} bytes). Download it again")
    if head.startswith(_PARQUET):
        if size < 12 or tail != _PARQUET:
            raise InputError(
                f"{path}: truncated Parquet file: its end (footer) is missing after {size:,} bytes. Download it again"
            )
        return Format.PARQUET
    if head.startswith(b"\x1f\x8b"):
        _refuse_foreign(path, _first_of_gzip(path), "gzip of ")
        return Format.CSV_GZ
    _refuse_foreign(path, head)
    return Format.CSV


def ending_warning(path: Location, found: Format) -> str | None:
    """A warning where the ending says something else than the content."""
    name = path.name.lower()
    expected = {".parquet": Format.PARQUET, ".csv": Format.CSV, ".csv.gz": Format.CSV_GZ, ".gz": Format.CSV_GZ}
    claimed = next((form for ending, form in expected.items() if name.endswith(ending)), None)
    if claimed is None or claimed == found:
        return None
    return f"{path}: the ending says {claimed.value}, the content is {found.value}; read as {found.value}"


def _first_of_gzip(path: Location) -> bytes:
    try:
        with path.open("rb", buffering=1 << 16) as packed, gzip.open(packed) as stream:
            head = stream.read(1024)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: truncated or damaged gzip file ({error}). Download it again") from error
    if not head.strip():
        raise InputError(f"{path}: the gzip file has no content. Download it again")
    return head


def _refuse_foreign(path: Location, head: bytes, prefix: str = "") -> None:
    for magic, what in _FOREIGN.items():
        if head.startswith(magic):
            raise InputError(f"{path}: not a trip file but {prefix}{what}")
    if prefix and head.startswith(_PARQUET):
        raise InputError(f"{path}: a Parquet file inside gzip: unpack it with gunzip first")
    text = head.lstrip().lower()
    if text.startswith((b"<!doctype", b"<html", b"<?xml", b"<error")):
        raise InputError(
            f"{path}: not a trip file but a web page, probably an error of the download. Download it again"
        )
    if text.startswith((b"{", b"[")):
        raise InputError(f"{path}: not a trip file but JSON: CSV or Parquet is needed")
    if b"\0" in head:
        raise InputError(f"{path}: not a trip file: binary content that is neither Parquet, gzip nor text")
