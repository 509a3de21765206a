"""The lake: Parquet tables under one root, partitioned by the city's local date, published atomically.

A writer puts files under ``TABLE/run=ID/date=D/``, then ``publish`` swaps the table's manifest: a reader sees the
old partition or the new one, never half of each. A manifest says what each partition was made from. Files that no
manifest names are left-overs, of killed runs or replaced ones; ``smartcity.housekeeping`` removes them.
"""

import json
import os
import secrets
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NamedTuple, Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import fs
from pydantic import BaseModel, Field

from smartcity import columns
from smartcity.city import City
from smartcity.errors import ConflictError, MissingDataError, SettingsError
from smartcity.settings import Settings

MANIFEST = "_manifest.json"
LOCK = ".lock"

#: What partitions were made from: one mapping for all days of a run, or a function of the day.
MadeFrom = Mapping[str, Any] | Callable[[date], Mapping[str, Any]] | None


def _swap(filesystem: fs.FileSystem, folder: str, name: str, content: bytes) -> None:
    """Replace a file's content so that a reader sees the old or the new, whatever is killed when."""
    if not isinstance(filesystem, fs.LocalFileSystem):
        # An object store shows an object when it is whole, and cannot rename.
        with filesystem.open_output_stream(f"{folder}/{name}") as stream:
            stream.write(content)
        return
    filesystem.create_dir(folder, recursive=True)
    temporary = f"{folder}/.{name}.{secrets.token_hex(4)}"
    with filesystem.open_output_stream(temporary) as stream:
        stream.write(content)
    filesystem.move(temporary, f"{folder}/{name}")


def parquet_options(schema: pa.Schema) -> dict[str, Any]:
    """How the lake's files are written: strings as dictionaries, times as differences, both small and fast.

    Numbers are left plain: a dictionary of speeds or features costs more time than it saves space. Statistics are kept
    for times only, by which readers skip row groups.
    """
    times = [field.name for field in schema if pa.types.is_timestamp(field.type)]
    return {
        "compression": "zstd",
        "use_dictionary": [field.name for field in schema if pa.types.is_string(field.type)],
        "column_encoding": dict.fromkeys(times, "DELTA_BINARY_PACKED"),
        "write_statistics": times,
        # The schema is the table's; a reader gets strings where a writer had them dictionary-encoded.
        "store_schema": False,
    }


class Partition(BaseModel):
    """One published day of a table. ``files`` are relative to the table; ``made_from`` names inputs by content."""

    files: list[str]
    rows: int
    run_id: str
    made_from: dict[str, Any] = Field(default_factory=dict)


class Manifest(BaseModel):
    """What a reader may read: the published partitions by ISO date.

    ``retired``: files that were published once, and when they were replaced; who reads by an older manifest may still
    have them open.
    """

    partitions: dict[str, Partition] = Field(default_factory=dict)
    retired: dict[str, datetime] = Field(default_factory=dict)

    def named(self) -> set[str]:
        """All published files, relative to the table."""
        return {name for partition in self.partitions.values() for name in partition.files}


def _add(manifest: Manifest, run: "Run", parts: Iterable["Part"], made_from: MadeFrom) -> None:
    """Put files into their days' partitions."""
    for part in parts:
        if not part.rows:
            continue
        day = part.day.isoformat()
        partition = manifest.partitions.setdefault(day, Partition(files=[], rows=0, run_id=run.run_id))
        partition.files.append(part.path)
        partition.rows += part.rows
        _note(partition, run, part.day, made_from)


def _require(table: str, names: Iterable[str], manifest: Manifest) -> None:
    """Raise ConflictError where one of the files is not published any more."""
    if lost := sorted({*names} - manifest.named()):
        raise ConflictError(
            f"{table}: {lost[0]} was replaced by another run meanwhile; nothing was published. Run it again"
        )


def _note(partition: "Partition", run: "Run", day: date, made_from: MadeFrom) -> None:
    """Remember which run changed a partition last, and from what it now is made."""
    partition.run_id = run.run_id
    partition.made_from = dict((made_from(day) if callable(made_from) else made_from) or {})


class Stored(NamedTuple):
    """How much a table holds; ``size`` in bytes."""

    days: int
    rows: int
    files: int
    size: int


class Part(BaseModel):
    """A finished file of a run: its day, its path relative to the table, and its rows."""

    day: date
    path: str
    rows: int


class Run:
    """A writer's private folder inside a table; nothing in it is visible before it is published."""

    def __init__(self, table: "Table") -> None:
        self.table = table
        self.run_id = datetime.now(UTC).strftime("%Y%m%dT%H%M%S-") + secrets.token_hex(4)
        self.path = f"{table.path}/run={self.run_id}"
        self.uri = table.uri(f"run={self.run_id}")

    @contextmanager
    def part(self, day: date) -> Iterator["PartWriter"]:
        """A new file for rows of ``day``; on any worker. A task that is tried again writes another file."""
        folder = f"run={self.run_id}/date={day.isoformat()}"
        if self.table.is_local:
            self.table.filesystem.create_dir(f"{self.table.path}/{folder}", recursive=True)
        writer = PartWriter(self.table, f"{folder}/part-{secrets.token_hex(8)}.parquet", day)
        try:
            yield writer
        finally:
            writer.close()


class PartWriter:
    """Writes one file, a row group at a time; ``part`` says what was written. A file without a row is not made."""

    def __init__(self, table: "Table", path: str, day: date) -> None:
        self._table = table
        self._schema = table.stored_schema
        self._writer: pq.ParquetWriter | None = None
        self.part = Part(day=day, path=path, rows=0)

    def write(self, rows: pa.Table) -> None:
        """Add rows; the columns of the table's schema, strings also dictionary-encoded."""
        if not rows.num_rows:
            return
        stored = rows.select(self._schema.names)
        if self._writer is None:
            path = f"{self._table.path}/{self.part.path}"
            options = parquet_options(self._schema)
            self._writer = pq.ParquetWriter(path, stored.schema, filesystem=self._table.filesystem, **options)
        self._writer.write_table(stored, row_group_size=stored.num_rows)
        self.part.rows += rows.num_rows

    def close(self) -> None:
        """Finish the file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None


class Table:
    """One table of a data set: reads by date range, replaces whole days."""

    def __init__(self, filesystem: fs.FileSystem, path: str, schema: pa.Schema, uri: str) -> None:
        self.filesystem = filesystem
        self.path = path
        self.schema = schema
        self._uri = uri

    @property
    def name(self) -> str:
        """The table's name, e.g. ``trips``."""
        return self.path.rsplit("/", 1)[-1]

    @property
    def is_local(self) -> bool:
        """Whether it lies on a disk, not in an object store."""
        return isinstance(self.filesystem, fs.LocalFileSystem)

    @property
    def stored_schema(self) -> pa.Schema:
        """The columns inside a file: the date stands in its folder's name, as Spark writes and reads it."""
        return pa.schema([field for field in self.schema if field.name != "date"])

    def uri(self, relative: str = "") -> str:
        """Address of a file of the table, as Spark reads it."""
        return f"{self._uri}/{relative}" if relative else self._uri

    def manifest(self) -> Manifest:
        """The published partitions; empty before the first run."""
        path = f"{self.path}/{MANIFEST}"
        if self.filesystem.get_file_info(path).type == fs.FileType.NotFound:
            return Manifest()
        with self.filesystem.open_input_stream(path) as stream:
            return Manifest.model_validate_json(stream.read())

    def dates(self) -> list[date]:
        """Published days, ascending."""
        return sorted(date.fromisoformat(day) for day in self.manifest().partitions)

    def files(self, start: date | None = None, end: date | None = None) -> list[str]:
        """Addresses of the files of the days ``start`` … ``end``, both included."""
        return [
            self.uri(name)
            for day, partition in sorted(self.manifest().partitions.items())
            if (start is None or day >= start.isoformat()) and (end is None or day <= end.isoformat())
            for name in partition.files
        ]

    def files_by_day(self) -> dict[date, list[str]]:
        """Names of each day's files, relative to the table."""
        return {date.fromisoformat(day): part.files for day, part in sorted(self.manifest().partitions.items())}

    def rows_by_day(self) -> dict[date, int]:
        """Rows of each day."""
        return {date.fromisoformat(day): part.rows for day, part in sorted(self.manifest().partitions.items())}

    def stored(self) -> Stored:
        """How much the published partitions hold."""
        partitions = self.manifest().partitions.values()
        names = [f"{self.path}/{name}" for partition in partitions for name in partition.files]
        sizes = [info.size or 0 for info in self.filesystem.get_file_info(names)] if names else []
        return Stored(len(partitions), sum(partition.rows for partition in partitions), len(names), sum(sizes))

    def versions(self, dates: Iterable[date]) -> dict[str, str]:
        """Which run made each day: what a table derived from these days records as its inputs."""
        partitions = self.manifest().partitions
        return {
            f"{self.name}/{day.isoformat()}": partitions[day.isoformat()].run_id
            for day in dates
            if day.isoformat() in partitions
        }

    def require_files(self, start: date | None, end: date | None, maker: str) -> list[str]:
        """As ``files``. Raises: MissingDataError where there are none, naming the command that makes them."""
        files = self.files(start, end)
        if not files:
            span = f" from {start or 'the beginning'} to {end or 'the end'}"
            raise MissingDataError(f"{self.uri()} has no data{span}. Make it with: {maker}")
        return files

    def read(self, start: date | None = None, end: date | None = None, names: list[str] | None = None) -> pa.Table:
        """The rows of the days ``start`` … ``end`` as one Arrow table (for small tables, tests and the replay)."""
        prefix = len(self.uri()) - len(self.path)
        paths = [uri[prefix:] for uri in self.files(start, end)]
        schema = self.schema if names is None else pa.schema([self.schema.field(name) for name in names])
        if not paths:
            return schema.empty_table()
        # It brings pandas, which takes half a second: most who want a table's files never read it this way.
        import pyarrow.dataset as pads

        stored = pads.dataset(
            paths,
            schema=self.schema,
            format="parquet",
            filesystem=self.filesystem,
            partitioning=pads.partitioning(pa.schema([("run", pa.string()), ("date", pa.date32())]), flavor="hive"),
            partition_base_dir=self.path,
        )
        return stored.to_table(columns=schema.names)

    def begin(self) -> Run:
        """Open a private folder to write into."""
        return Run(self)

    def write(self, rows: pa.Table, made_from: Mapping[str, Any] | None = None) -> None:
        """Replace the days that ``rows`` holds by its rows (for small tables and tests; Spark writes its own runs)."""
        run, parts = self.begin(), []
        for day in rows.column("date").unique().to_pylist():
            with run.part(day) as writer:
                writer.write(
                    rows.filter(pc.equal(rows.column("date"), day)).select(self.schema.names).cast(self.schema)
                )
            parts.append(writer.part)
        self.publish(run, rows.column("date").unique().to_pylist(), made_from, parts)

    def publish(
        self,
        run: Run,
        replaced: Iterable[date],
        made_from: MadeFrom = None,
        parts: Iterable[Part] | None = None,
        kept: Iterable[str] = (),
    ) -> int:
        """Make the files of ``run`` the content of the days ``replaced``; a day without files becomes empty.

        Args: made_from: names the inputs by content: one mapping for all days, or a function of the day. parts: the
        run's files; None: all that lie in its folder (Spark's own writer). kept: files of these days that stay.

        Returns: the number of rows published. A day that the run wrote but that is not in ``replaced`` is refused:
        it would overwrite a day the run did not see whole. Raises: ConflictError where a file to keep is not published
        any more.
        """
        written = list(self._written(run) if parts is None else parts)
        days = {day.isoformat() for day in replaced}
        if stray := sorted({part.day.isoformat() for part in written} - days):
            raise MissingDataError(f"run {run.run_id} of {self.name} wrote days it was not asked to replace: {stray}")
        staying = [*kept]
        with self.changed() as manifest:
            _require(self.name, staying, manifest)
            held = {name: day for day in days for name in getattr(manifest.partitions.pop(day, None), "files", ())}
            stays = [Part(day=date.fromisoformat(held[name]), path=name, rows=self._rows(name)) for name in staying]
            _add(manifest, run, [*stays, *written], made_from)
        return sum(part.rows for part in written)

    def extend(self, run: Run, parts: Iterable[Part], made_from: MadeFrom = None, dropped: Iterable[str] = ()) -> int:
        """Add the files ``parts`` of ``run`` to what their days hold, and take the files ``dropped`` away.

        Args: made_from: of each day that changes, as it is after that. Returns: the number of rows added. Raises:
        ConflictError where a file to take away is not published any more: its rows stand in another one by now.
        """
        written, gone = list(parts), frozenset(dropped)
        with self.changed() as manifest:
            _require(self.name, gone, manifest)
            for day, partition in list(manifest.partitions.items()):
                if left := [name for name in partition.files if name in gone]:
                    partition.rows -= sum(self._rows(name) for name in left)
                    partition.files = [name for name in partition.files if name not in gone]
                    _note(partition, run, date.fromisoformat(day), made_from)
            _add(manifest, run, written, made_from)
            for day in [day for day, partition in manifest.partitions.items() if not partition.files]:
                del manifest.partitions[day]
        return sum(part.rows for part in written)

    def _rows(self, name: str) -> int:
        return int(pq.read_metadata(f"{self.path}/{name}", filesystem=self.filesystem).num_rows)

    def _written(self, run: Run) -> Iterator[Part]:
        for info in self.infos(run.path):
            if info.type != fs.FileType.File or not info.path.endswith(".parquet"):
                continue
            day = date.fromisoformat(info.path.rsplit("/date=", 1)[1].split("/", 1)[0])
            name = info.path[len(self.path) + 1 :]
            yield Part(day=day, path=name, rows=self._rows(name))

    @contextmanager
    def changed(self) -> Iterator[Manifest]:
        """The manifest to change; what it is afterwards is published in one step."""
        with self._lock():
            manifest = self.manifest()
            before = manifest.named()
            yield manifest
            manifest.retired |= dict.fromkeys(sorted(before - manifest.named()), datetime.now(UTC))
            _swap(self.filesystem, self.path, MANIFEST, manifest.model_dump_json(indent=1).encode())

    def infos(self, path: str | None = None) -> list[fs.FileInfo]:
        """Everything that lies in the table's folder, or in a folder of it, at any depth, by path."""
        selector = fs.FileSelector(path or self.path, recursive=True, allow_not_found=True)
        return sorted(self.filesystem.get_file_info(selector), key=lambda info: info.path)

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """One publisher at a time on a local disk; on an object store the scheduler's pool keeps to one."""
        if not self.is_local:
            yield
            return
        import fcntl

        Path(self.path).mkdir(parents=True, exist_ok=True)
        with open(f"{self.path}/{LOCK}", "w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield


def lake_uri(root: str) -> str:
    """The lake's root as it is written in addresses of its files: a URL, or an absolute path."""
    return root.rstrip("/") if "://" in root else str(Path(root).resolve())


def _is_name(name: str) -> bool:
    return name.replace("-", "").replace("_", "").isalnum()


class Dataset:
    """One named data set of the lake and the city it belongs to."""

    def __init__(self, root: str, name: str, default_city: City) -> None:
        if not _is_name(name):
            raise SettingsError(f"data set name {name!r}: use letters, digits, - and _")
        self.name = name
        self.uri = f"{lake_uri(root)}/{name}"
        self.filesystem, self.path = fs.FileSystem.from_uri(self.uri)
        self._default_city = default_city

    @classmethod
    def of(cls, settings: Settings, name: str | None = None) -> Self:
        """The data set ``name``, by default the one the settings name."""
        return cls(settings.lake_root, name or settings.dataset, settings.city)

    @classmethod
    def names(cls, settings: Settings) -> list[str]:
        """The data sets of the lake."""
        filesystem, path = fs.FileSystem.from_uri(lake_uri(settings.lake_root))
        infos = filesystem.get_file_info(fs.FileSelector(path, allow_not_found=True))
        folders = [info.base_name for info in infos if info.type == fs.FileType.Directory]
        return [name for name in sorted(folders) if _is_name(name) and cls.of(settings, name).exists()]

    def exists(self) -> bool:
        """Whether anything was ever ingested under this name."""
        return bool(self.filesystem.get_file_info(f"{self.path}/city.json").type != fs.FileType.NotFound)

    @property
    def city(self) -> City:
        """The city the data set was ingested with; the settings' city before that."""
        if not self.exists():
            return self._default_city
        return City.model_validate(self.get_json("city.json"))

    def create(self, city: City) -> None:
        """Remember the city. Raises: SettingsError where the data set already belongs to a different one."""
        if self.exists():
            if self.city != city:
                changed = sorted(key for key, value in city if getattr(self.city, key) != value)
                raise SettingsError(
                    f"data set {self.name!r} was made with other values of {changed}; choose another --name, "
                    f"or remove {self.uri} to start over"
                )
            return
        self.put_json("city.json", json.loads(city.model_dump_json()))

    @contextmanager
    def taking_in(self) -> Iterator[None]:
        """One ingest at a time: on a disk another one waits, and then sees what this one took in.

        On an object store the scheduler's pool keeps to one.
        """
        if not isinstance(self.filesystem, fs.LocalFileSystem):
            yield
            return
        import fcntl

        Path(self.path).mkdir(parents=True, exist_ok=True)
        # The folder itself is locked: a file for it would have to stay, or a waiting run would not see the next lock.
        folder = os.open(self.path, os.O_RDONLY)
        try:
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print(f"another ingest into {self.name!r} is at work: waiting for it", file=sys.stderr, flush=True)
                fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def get_bytes(self, name: str) -> bytes | None:
        """Read a small document of the data set; None where there is none."""
        path = f"{self.path}/{name}"
        if self.filesystem.get_file_info(path).type == fs.FileType.NotFound:
            return None
        with self.filesystem.open_input_stream(path) as stream:
            return bytes(stream.read())

    def put_bytes(self, name: str, content: bytes) -> None:
        """Write a small document, atomically."""
        _swap(self.filesystem, self.path, name, content)

    def get_json(self, name: str) -> Any:
        """Read a small JSON document; None where there is none."""
        content = self.get_bytes(name)
        return None if content is None else json.loads(content)

    def put_json(self, name: str, content: Any) -> None:
        """Write a small JSON document, atomically."""
        self.put_bytes(name, json.dumps(content, indent=1).encode())

    def table(self, name: str, schema: pa.Schema) -> Table:
        """Open a table by name."""
        return Table(self.filesystem, f"{self.path}/{name}", schema, f"{self.uri}/{name}")

    @property
    def trips(self) -> Table:
        """Cleaned trips, by pick-up date."""
        return self.table("trips", columns.TRIPS)

    @property
    def quarantine(self) -> Table:
        """Rows not kept, by the date they were ingested for."""
        return self.table("quarantine", columns.QUARANTINE)

    @property
    def positions(self) -> Table:
        """Vehicle positions."""
        return self.table("positions", columns.POSITIONS)

    @property
    def windows(self) -> Table:
        """Cell × window aggregates."""
        return self.table("windows", columns.WINDOWS)

    @property
    def features(self) -> Table:
        """Model features and labels."""
        from smartcity.features import FEATURES

        return self.table("features", FEATURES)

    @property
    def truth(self) -> Table:
        """The generated city's true speeds; empty for real data."""
        return self.table("truth", columns.TRUTH)

    @property
    def tables(self) -> list[Table]:
        """All of them."""
        return [self.trips, self.quarantine, self.positions, self.windows, self.features, self.truth]
