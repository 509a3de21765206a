"""The archive of the stream: every good event, late ones too, under the city's local date of its own time.

A micro-batch writes one file for each day that its events lie in, under a name that the batch alone decides: written
again after a kill, it takes the place of itself. Where an event stood in the topic goes along, so that one which a
rebuilt stream read again is known for the same. The job ``spark_jobs.archive`` makes positions of days that are over.
"""

import hashlib
import json
import secrets
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import fs

from smartcity import columns
from smartcity.city import City
from smartcity.lake import Dataset, parquet_options

#: What ``made_from`` of a day of positions says where it was made from the archive.
SOURCE = "stream"
#: Set in ``made_from`` of a day whose files are gone: nothing can be added to it any more.
CLOSED = "closed"
_FOLDER = "archive"
#: What a position is before it has a cell, and where the event stood.
ARCHIVED = pa.schema(
    [
        *(field for field in columns.POSITIONS if field.name not in ("cell_id", "date")),
        ("partition", pa.int32()),
        ("offset", pa.int64()),
    ]
)
#: By these an event is the same event. Times and vehicles differ where a topic was made anew and counts from 0 again.
EVENT_KEY = ("partition", "offset", "vehicle_id", "timestamp_utc")
#: First offset that a batch does not hold, by partition.
Offsets = Mapping[int, int]


def yesterday(city: City) -> date:
    """The last day that is over in the city."""
    return datetime.now(UTC).astimezone(city.zone).date() - timedelta(days=1)


def digest(names: list[str]) -> str:
    """What a day was made from: names of files stand for their content."""
    return hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()[:16]


class Archive:
    """The archive of one data set."""

    def __init__(self, filesystem: fs.FileSystem, path: str, uri: str) -> None:
        self._filesystem = filesystem
        self.path = path
        self.uri = uri

    @classmethod
    def of(cls, dataset: Dataset) -> Self:
        """The archive of a data set; nothing is made before the first event."""
        return cls(dataset.filesystem, f"{dataset.path}/{_FOLDER}", f"{dataset.uri}/{_FOLDER}")

    def write(self, events: pa.Table, start: Offsets, end: Offsets) -> int:
        """Store one batch's good events: ``ARCHIVED`` and ``date``. Written again, it changes nothing.

        Args: start, end: the batch's offsets. Returns: files written.
        """
        days = events.column("date").unique().to_pylist()
        for day in days:
            rows = events.filter(pc.equal(events.column("date"), day)).select(ARCHIVED.names).cast(ARCHIVED)
            # The newest time tells batches apart that have the same offsets in a topic that was made anew.
            newest = pc.max(rows.column("timestamp_utc").cast(pa.int64())).as_py()
            place = json.dumps([sorted(start.items()), sorted(end.items()), newest]).encode()
            self._publish(rows, f"{self.path}/date={day.isoformat()}", hashlib.sha256(place).hexdigest()[:24])
        return len(days)

    def _publish(self, rows: pa.Table, folder: str, name: str) -> None:
        target = f"{folder}/{name}.parquet"
        options = parquet_options(ARCHIVED)
        if not isinstance(self._filesystem, fs.LocalFileSystem):
            # An object store shows an object when it is whole, and cannot rename.
            pq.write_table(rows, target, filesystem=self._filesystem, **options)
            return
        self._filesystem.create_dir(folder, recursive=True)
        # A reader overlooks names that begin with a dot.
        temporary = f"{folder}/.{name}.{secrets.token_hex(4)}"
        pq.write_table(rows, temporary, filesystem=self._filesystem, **options)
        self._filesystem.move(temporary, target)

    def files(self) -> dict[date, list[fs.FileInfo]]:
        """The files of each day, by name."""
        selector = fs.FileSelector(self.path, recursive=True, allow_not_found=True)
        found: dict[date, list[fs.FileInfo]] = {}
        for info in sorted(self._filesystem.get_file_info(selector), key=lambda info: info.path):
            if info.type == fs.FileType.File and not info.base_name.startswith("."):
                folder = info.path.rsplit("/", 2)[-2]
                found.setdefault(date.fromisoformat(folder.removeprefix("date=")), []).append(info)
        return found

    def waiting(self, dataset: Dataset, last: date) -> dict[date, list[str]]:
        """Days up to ``last`` of which the lake's positions are to be made, and addresses of their files.

        Days that trips or probes gave stay theirs; a day that was closed stays as it is.
        """
        published = dataset.positions.manifest().partitions
        due = {}
        for day, infos in self.files().items():
            names = [info.base_name for info in infos]
            made_from = published[day.isoformat()].made_from if day.isoformat() in published else None
            is_ours = made_from is None or (made_from.get("source") == SOURCE and not made_from.get(CLOSED))
            if day <= last and is_ours and (made_from or {}).get("archive") != digest(names):
                due[day] = [f"{self.uri}/date={day.isoformat()}/{name}" for name in names]
        return due

    def prune(self, dataset: Dataset, kept: timedelta) -> list[date]:
        """Remove days in which nothing was written for ``kept``, but none whose positions are still to be made.

        Returns: the days removed.
        """
        oldest = datetime.now(UTC) - kept
        found = {day: infos for day, infos in self.files().items() if max(i.mtime for i in infos) < oldest}
        still_due = self.waiting(dataset, max(found, default=date.min))
        removed = [day for day in found if day not in still_due]
        for day in removed:
            # Closed first: of a day half removed, nobody shall make positions anew.
            with dataset.positions.changed() as manifest:
                partition = manifest.partitions.get(day.isoformat())
                if partition is not None and partition.made_from.get("source") == SOURCE:
                    partition.made_from[CLOSED] = True
            self._filesystem.delete_dir(f"{self.path}/date={day.isoformat()}")
        return removed
