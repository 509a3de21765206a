"""Housekeeping: removes what killed runs left behind, files that newer ones replaced, and checkpoints nobody needs.

Nobody who is at work is disturbed: a file that was replaced stays for an hour, because a reader may have it open; a
file that was never published stays for a day, because the run that wrote it may still be at work.
"""

import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pyarrow import fs

from smartcity.lake import LOCK, MANIFEST, Dataset, Manifest, Table
from smartcity.settings import Settings

#: A reader that opened a manifest may read its files this long after they were replaced.
READER_GRACE = timedelta(hours=1)
#: A file that was never published is a killed run's when it is this old: no run takes a day.
ABANDONED_AFTER = timedelta(days=1)
#: A checkpoint in which nothing was written for so long names events that its topic has long forgotten.
CHECKPOINT_KEPT = timedelta(days=30)


@dataclass(frozen=True)
class Swept:
    """What was removed from a data set, and what is not published but may still be in use."""

    files: int = 0
    bytes: int = 0
    left_files: int = 0
    left_bytes: int = 0

    def __add__(self, other: "Swept") -> "Swept":
        return Swept(
            self.files + other.files,
            self.bytes + other.bytes,
            self.left_files + other.left_files,
            self.left_bytes + other.left_bytes,
        )


def sweep(dataset: Dataset, *, at_once: bool = False) -> Swept:
    """Remove what is no longer needed; ``at_once``: of any age, for when no run is at work and nobody reads."""
    return sum((sweep_table(table, at_once=at_once) for table in dataset.tables), _sweep_documents(dataset, at_once))


def sweep_table(table: Table, *, at_once: bool = False) -> Swept:
    """Remove a table's files that no reader can need, and folders that are empty then."""
    # The files first: what is published between these two lines is named by the manifest, and stays.
    stored = table.infos()
    manifest, now = table.manifest(), datetime.now(UTC)
    stray = [info for info in stored if info.type == fs.FileType.File and _is_stray(table, manifest, info)]
    doomed = [info for info in stray if at_once or _is_over(table, manifest, info, now)]
    for info in doomed:
        with suppress(FileNotFoundError):
            table.filesystem.delete_file(info.path)
    gone = {info.path for info in doomed}
    for folder in _empty_folders(table, [info for info in stored if info.path not in gone], now, at_once):
        with suppress(FileNotFoundError):
            table.filesystem.delete_dir(folder)
    there = {_name(table, info) for info in stored} - {_name(table, info) for info in doomed}
    if manifest.retired.keys() - there:
        with table.changed() as changed:
            changed.retired = {name: since for name, since in changed.retired.items() if name in there}
    left = [info for info in stray if info.path not in gone]
    return Swept(len(doomed), _size(doomed), len(left), _size(left))


def sweep_checkpoints(settings: Settings) -> list[str]:
    """Remove checkpoints of data sets that were not streamed for long; never those of the present one.

    Returns: their names.
    """
    found = settings.checkpoints.iterdir() if settings.checkpoints.is_dir() else ()
    oldest = (datetime.now(UTC) - CHECKPOINT_KEPT).timestamp()
    old = [
        folder
        for folder in sorted(found)
        if folder.is_dir() and not folder.name.endswith(f"-{settings.dataset}") and _written(folder) < oldest
    ]
    for folder in old:
        shutil.rmtree(folder, ignore_errors=True)
    return [folder.name for folder in old]


def _written(folder: Path) -> float:
    """When anything in a folder was written last."""
    return max(path.stat().st_mtime for path in (folder, *folder.rglob("*")))


def _sweep_documents(dataset: Dataset, at_once: bool) -> Swept:
    """Remove what is left of documents that were being replaced when a run was killed."""
    now = datetime.now(UTC)
    infos = dataset.filesystem.get_file_info(fs.FileSelector(dataset.path, allow_not_found=True))
    halves = [info for info in infos if info.type == fs.FileType.File and info.base_name.startswith(".")]
    doomed = [info for info in halves if at_once or now - info.mtime >= ABANDONED_AFTER]
    for info in doomed:
        with suppress(FileNotFoundError):
            dataset.filesystem.delete_file(info.path)
    return Swept(len(doomed), _size(doomed), len(halves) - len(doomed), _size(halves) - _size(doomed))


def _is_stray(table: Table, manifest: Manifest, info: fs.FileInfo) -> bool:
    name = _name(table, info)
    return name not in (MANIFEST, LOCK) and name not in manifest.named()


def _is_over(table: Table, manifest: Manifest, info: fs.FileInfo, now: datetime) -> bool:
    retired = manifest.retired.get(_name(table, info))
    return now - retired >= READER_GRACE if retired else now - info.mtime >= ABANDONED_AFTER


def _empty_folders(table: Table, staying: list[fs.FileInfo], now: datetime, at_once: bool) -> Iterator[str]:
    """The topmost folders of old runs in which no file is."""
    needed: set[str] = set()
    for info in staying:
        if info.type == fs.FileType.File:
            parts = info.path.split("/")
            needed.update("/".join(parts[:depth]) for depth in range(1, len(parts)))
    last = None
    for info in staying:
        if info.type != fs.FileType.Directory or info.path in needed or (last and info.path.startswith(f"{last}/")):
            continue
        if at_once or now - _begun(_name(table, info)) >= ABANDONED_AFTER:
            last = info.path
            yield last


def _begun(folder: str) -> datetime:
    """When the run of a folder began, by its name; a folder of no run has always been there."""
    try:
        stamp = folder.removeprefix("run=").partition("-")[0]
        return datetime.strptime(stamp, "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)


def _name(table: Table, info: fs.FileInfo) -> str:
    return str(info.path[len(table.path) + 1 :])


def _size(infos: list[fs.FileInfo]) -> int:
    return sum(info.size or 0 for info in infos)
