"""Where a file of the user lies: on a disk, or in an object store named by a URL such as ``s3://bucket/folder/file``.

Endpoint, region and credentials of a store come from the environment, by the names that every tool of it knows
(``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``, ``AWS_ENDPOINT_URL``, ``AWS_DEFAULT_REGION`` …).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from smartcity.errors import InputError


@dataclass(frozen=True)
class Stored:
    """The size of a file, under the name that ``Path.stat`` gives it."""

    st_size: int


@dataclass(frozen=True)
class RemoteFile:
    """A file or folder of an object store; the part of ``pathlib.Path`` that readers of trip files use."""

    uri: str

    def __str__(self) -> str:
        return self.uri

    @property
    def name(self) -> str:
        """The last part."""
        return self.uri.rstrip("/").rpartition("/")[2]

    def open(self, mode: str = "rb", buffering: int = 0) -> Any:
        """To read: any part of it; with ``buffering``, from its start to its end, so many bytes at a request."""
        filesystem, path = _opened(self.uri)
        if buffering:
            return filesystem.open_input_stream(path, compression=None, buffer_size=buffering)
        return filesystem.open_input_file(path)

    def stat(self) -> Stored:
        """Its size."""
        return Stored(int(self._info().size or 0))

    def is_file(self) -> bool:
        """Whether it is one."""
        return bool(self._info().type == fs.FileType.File)

    def is_dir(self) -> bool:
        """Whether anything lies under this name."""
        return bool(self._info().type == fs.FileType.Directory)

    def rglob(self, pattern: str) -> Iterator["RemoteFile"]:
        """The files below it whose name fits, at any depth."""
        filesystem, path = _opened(self.uri)
        start = self.uri.rstrip("/").removesuffix(path.rstrip("/"))
        for info in filesystem.get_file_info(fs.FileSelector(path, recursive=True, allow_not_found=True)):
            if info.type == fs.FileType.File and fnmatchcase(info.base_name, pattern):
                yield RemoteFile(f"{start}{info.path}")

    def resolve(self) -> "RemoteFile":
        """Itself: a URL has one spelling."""
        return self

    def _info(self) -> fs.FileInfo:
        filesystem, path = _opened(self.uri)
        return filesystem.get_file_info(path)


def _opened(uri: str) -> tuple[fs.FileSystem, str]:
    try:
        filesystem, path = fs.FileSystem.from_uri(uri.rstrip("/"))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InputError(f"{uri}: not an address of a store that can be read ({str(error)[:200]})") from error
    return filesystem, path


#: What readers take.
Location = Path | RemoteFile


def is_remote(path: str) -> bool:
    """Whether this is a URL."""
    return "://" in path


def located(path: str) -> Location:
    """The file of this path or URL."""
    return RemoteFile(path) if is_remote(path) else Path(path)


def parquet_file(path: Location) -> pq.ParquetFile:
    """Open a Parquet file, to be closed by its context."""
    if isinstance(path, RemoteFile):
        filesystem, name = _opened(path.uri)
        return pq.ParquetFile(name, filesystem=filesystem)
    return pq.ParquetFile(path)
