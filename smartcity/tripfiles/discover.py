"""Which files a user means: paths, directories and globs."""

import glob
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from smartcity.errors import InputError

ENDINGS = (".csv", ".csv.gz", ".parquet")


@dataclass(frozen=True)
class Found:
    """A file to read. ``named``: the user named it; otherwise it was found inside a directory."""

    path: Path
    named: bool


def discover(paths: Iterable[str | Path], endings: tuple[str, ...] = ENDINGS) -> list[Found]:
    """The files meant by ``paths``, each once, in order of name within a directory or glob.

    A named file may have any ending (its content decides); in directories, at any depth, only ``endings`` count.
    Raises: InputError for a path, directory or glob that gives no file.
    """
    found: dict[Path, Found] = {}
    for path in paths:
        for item in _expand(str(path), endings):
            found.setdefault(item.path.resolve(), item)
    if not found:
        raise InputError("no input file given: name files, directories or globs")
    return list(found.values())


def _expand(path: str, endings: tuple[str, ...]) -> list[Found]:
    here = Path(path)
    if here.is_dir():
        inside = sorted(p for p in here.rglob("*") if p.is_file() and p.name.lower().endswith(endings))
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
