"""Which files a user means: paths, directories and globs."""

import glob
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from smartcity.errors import InputError
from smartcity.tripfiles.location import Location, RemoteFile, is_remote, located

ENDINGS = (".csv", ".csv.gz", ".parquet")
#: What makes a URL a glob; a question mark begins its options.
_MAGIC = ("*", "[")


@dataclass(frozen=True)
class Found:
    """A file to read. ``named``: the user named it; otherwise it was found inside a directory."""

    path: Location
    named: bool


def discover(paths: Iterable[str | Path], endings: tuple[str, ...] = ENDINGS) -> list[Found]:
    """The files meant by ``paths``, each once, in order of name within a directory or glob.

    A named file may have any ending (its content decides); in directories, at any depth, only ``endings`` count.
    Raises: InputError for a path, directory or glob that gives no file.
    """
    found: dict[Location, Found] = {}
    for path in paths:
        for item in _reached(str(path), endings):
            found.setdefault(item.path.resolve(), item)
    if not found:
        raise InputError("no input file given: name files, directories or globs")
    return list(found.values())


def _reached(path: str, endings: tuple[str, ...]) -> list[Found]:
    try:
        return _expand(path, endings)
    except OSError as error:
        way_out = (
            ". Are AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_ENDPOINT_URL right?" if is_remote(path) else ""
        )
        raise InputError(f"{path}: cannot be reached ({str(error)[:300]}){way_out}") from error


def _expand(path: str, endings: tuple[str, ...]) -> list[Found]:
    if is_remote(path) and any(letter in path for letter in _MAGIC):
        return [Found(file, named=True) for file in _in_store(path)]
    here = located(path)
    if here.is_dir():
        inside = sorted(_files(here, endings), key=str)
        if not inside:
            raise InputError(f"{path}: no {', '.join(endings)} file in this directory")
        return [Found(p, named=False) for p in inside]
    if here.is_file():
        return [Found(here, named=True)]
    if glob.has_magic(path):
        matches = sorted(glob.glob(path, recursive=True))  # noqa: PTH207 - absolute patterns too
        if not matches:
            raise InputError(f"{path}: no file matches")
        return [item for match in matches for item in _expand(match, endings)]
    raise InputError(f"{path}: no such file or directory")


def _files(folder: Location, endings: tuple[str, ...]) -> list[Location]:
    named: list[Location] = [path for path in folder.rglob("*") if path.name.lower().endswith(endings)]
    # What a store lists are files; to ask for each would cost a request.
    return [path for path in named if isinstance(path, RemoteFile) or path.is_file()]


def _in_store(pattern: str) -> list[RemoteFile]:
    """The files that a glob fits; ``*`` also fits what lies deeper. Raises: InputError where there is none."""
    folder = pattern[: min(pattern.index(letter) for letter in _MAGIC if letter in pattern)].rpartition("/")[0]
    found = [file for file in RemoteFile(folder).rglob("*") if fnmatchcase(str(file), pattern)]
    if not found:
        raise InputError(f"{pattern}: no file matches")
    return sorted(found, key=str)
