"""Published trip files, read as they are: which files, what they are, and their rows in one canonical shape.

``discover`` finds files, ``check_files`` looks into each before anything is written, ``plan`` cuts them into chunks,
and ``read_chunk`` (on any worker) gives a chunk's rows as Arrow batches of ``RAW``.
"""

from smartcity.tripfiles.checking import TRIP_FILES, Checked, FileKind, check_files, peek
from smartcity.tripfiles.discover import discover
from smartcity.tripfiles.layout import RAW, needs_zones
from smartcity.tripfiles.reading import read_chunk
from smartcity.tripfiles.source import Chunk, TripFile, plan

__all__ = [
    "RAW",
    "TRIP_FILES",
    "Checked",
    "Chunk",
    "FileKind",
    "TripFile",
    "check_files",
    "discover",
    "needs_zones",
    "peek",
    "plan",
    "read_chunk",
]
