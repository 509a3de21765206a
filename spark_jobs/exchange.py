"""Rows on their way from one set of tasks to the next.

Each task of the first leaves a file of Arrow blocks beside the table; each of the second reads its own from all files.

Spark's own shuffle takes every byte through a socket into Java and out again, twice, and holds them on Java's heap: for
blocks of whole tables that cost more than reading and judging the rows does.
"""

import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
from pyarrow import fs

from smartcity.lake import Run
from spark_jobs.units import packed


@dataclass(frozen=True)
class Block:
    """Where rows for the task ``bucket`` wait, and of which kind they are."""

    bucket: int
    kind: str
    file: str
    offset: int
    size: int
    rows: int


@dataclass(frozen=True)
class Exchange:
    """The place, private to a run, where blocks wait."""

    filesystem: fs.FileSystem
    folder: str

    @classmethod
    def of(cls, run: Run) -> Self:
        """Inside the folder of a run, whose files nobody sees before they are published."""
        return cls(run.table.filesystem, f"{run.path}/blocks")

    def open(self) -> "BlockWriter":
        """A file for the blocks of one task, on any worker; a task that is tried again leaves another."""
        self.filesystem.create_dir(self.folder, recursive=True)
        return BlockWriter(self.filesystem, f"{self.folder}/{secrets.token_hex(8)}.arrow")

    def read(self, blocks: Iterable[Block]) -> Iterator[tuple[str, pa.Table]]:
        """Kind and rows of each block."""
        for block in blocks:
            with self.filesystem.open_input_file(block.file) as stream:
                stream.seek(block.offset)
                yield block.kind, pa.ipc.open_stream(stream.read_buffer(block.size)).read_all()

    def remove(self) -> None:
        """Take all blocks away."""
        if self.filesystem.get_file_info(self.folder).type == fs.FileType.Directory:
            self.filesystem.delete_dir(self.folder)


class BlockWriter:
    """Writes blocks one after the other into a file; ``blocks`` says where they are."""

    def __init__(self, filesystem: fs.FileSystem, file: str) -> None:
        self._file = file
        self._stream = filesystem.open_output_stream(file)
        self.blocks: list[Block] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stream.close()

    def put(self, bucket: int, kind: str, rows: pa.Table) -> None:
        """Add a block."""
        start = self._stream.tell()
        with pa.ipc.new_stream(self._stream, rows.schema) as stream:
            stream.write_table(rows.combine_chunks())
        self.blocks.append(Block(bucket, kind, self._file, start, self._stream.tell() - start, rows.num_rows))


def by_task(reports: Sequence[dict[str, Any]], rows: int) -> list[list[Block]]:
    """The blocks of all files, those of one bucket together, neighbouring buckets in tasks of about ``rows`` rows."""
    found: dict[int, list[Block]] = {}
    for report in reports:
        for block in report["blocks"]:
            found.setdefault(block.bucket, []).append(block)
    sized = [(found[bucket], sum(block.rows for block in found[bucket])) for bucket in sorted(found)]
    return [[*chain.from_iterable(task)] for task in packed(sized, rows)]
