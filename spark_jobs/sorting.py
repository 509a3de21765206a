"""The two sides of the shuffle of trips: reading and judging chunks, then storing each stretch of time."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from smartcity.buckets import Buckets
from smartcity.city import City
from smartcity.lake import PartWriter, Run
from smartcity.localtime import DAY_SECONDS, MICROS
from smartcity.rules import Rules
from smartcity.spark.tasks import Report
from smartcity.tripfiles import Chunk, read_chunk
from smartcity.tripfiles.judging import BAD, GOOD, Judge, first_copies
from smartcity.zones import ZonePlaces
from spark_jobs.exchange import Block, BlockWriter, Exchange
from spark_jobs.progress import Count

Ints = npt.NDArray[np.int64]

_KINDS = {"good": GOOD, "bad": BAD}
#: Rows that are split at a time: what bounds the memory of a chunk that cannot be cut, such as a whole .csv.gz.
_ROWS_AT_ONCE = 1 << 17


@dataclass(frozen=True)
class Reading:
    """A chunk in, a file of blocks of judged rows out, and the report of what it holds for which bucket."""

    places: ZonePlaces | None
    rules: Rules
    city: City
    buckets: Buckets
    exchange: Exchange
    count: Count

    def __call__(self, chunk: Chunk) -> Iterator[Report]:
        """What a task does first."""
        judge = Judge(self.rules, self.city)
        with self.exchange.open() as writer:
            for batches in at_once(read_chunk(chunk, self.places), _ROWS_AT_ONCE):
                parts = [judge.judge(rows) for rows in batches]
                for kind, tables in zip(_KINDS, zip(*parts, strict=True), strict=True):
                    self._put(writer, kind, pa.concat_tables(tables))
                # Half of the work; storing the rows is the other.
                self.count(sum(rows.num_rows for rows in batches) / 2)
        yield {"blocks": writer.blocks}

    def _put(self, writer: BlockWriter, kind: str, rows: pa.Table) -> None:
        bucket = self.buckets.of(_instants(kind, rows))
        order = np.argsort(bucket, kind="stable")
        found, starts = np.unique(bucket[order], return_index=True)
        for number, low, high in zip(found.tolist(), starts, [*starts[1:], len(bucket)], strict=True):
            writer.put(number, kind, rows.take(pa.array(order[low:high])))


def at_once(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[list[pa.RecordBatch]]:
    """Consecutive batches, together of ``rows`` rows or a little more."""
    held: list[pa.RecordBatch] = []
    for batch in batches:
        held.append(batch)
        if sum(one.num_rows for one in held) >= rows:
            yield held
            held = []
    if held:
        yield held


def _instants(kind: str, rows: pa.Table) -> Ints:
    """By what rows find their bucket: pick-up, which copies of a trip share; of a bad row only the date counts."""
    if kind == "good":
        return np.asarray(rows["pickup_utc"].cast(pa.int64()).to_numpy())
    days = np.asarray(rows["date"].cast(pa.int32()).to_numpy(), dtype=np.int64)
    return days * (DAY_SECONDS * MICROS)


@dataclass(frozen=True)
class Storing:
    """Blocks of one bucket in, files written and reports out. Nothing of it is visible until it is published.

    ``stored``: files of the lake by day that may hold copies; ``stale``: sources by day whose rows there don't count.
    """

    trips: Run
    quarantine: Run
    stored: Mapping[date, Sequence[str]]
    stale: Mapping[date, frozenset[str]]
    exchange: Exchange
    count: Count

    def __call__(self, blocks: list[Block]) -> Iterator[Report]:
        """What a task does with its bucket."""
        found: dict[str, list[pa.Table]] = {kind: [schema.empty_table()] for kind, schema in _KINDS.items()}
        for kind, rows in self.exchange.read(blocks):
            found[kind].append(rows)
        good, bad = (pa.concat_tables(found[kind]).unify_dictionaries().combine_chunks() for kind in _KINDS)
        yield from self._store_good(good)
        yield from self._store_bad(bad)
        self.count((good.num_rows + bad.num_rows) / 2)

    def _store_good(self, rows: pa.Table) -> Iterator[Report]:
        if not rows.num_rows:
            return
        rows = rows.append_column("is_first", first_copies(rows))
        for day, part in _by_day(rows):
            known = self._known(day)
            new = pc.and_(part["is_first"], pc.invert(pc.is_in(part["trip_id"], value_set=known)))
            kept = part.filter(new).sort_by("pickup_utc")
            with self.trips.part(day) as writer:
                writer.write(kept)
            yield {
                **_written("trips", writer),
                "kept": _sources(kept),
                "duplicates": _sources(part.filter(pc.invert(new))),
            }

    def _known(self, day: date) -> pa.Array:
        """``trip_id`` of the trips that the lake has of this day and that stay there."""
        ids = [pa.array([], pa.string())]
        table, stale = self.trips.table, pa.array(sorted(self.stale.get(day, ())), pa.string())
        for name in self.stored.get(day, ()):
            path = f"{table.path}/{name}"
            rows = pq.read_table(path, columns=["trip_id", "source_sha256"], filesystem=table.filesystem)
            staying = rows.filter(pc.invert(pc.is_in(rows["source_sha256"], value_set=stale)))
            ids += staying["trip_id"].chunks
        return pa.concat_arrays(ids)

    def _store_bad(self, rows: pa.Table) -> Iterator[Report]:
        for day, part in _by_day(rows):
            with self.quarantine.part(day) as writer:
                writer.write(part)
            reasons: dict[str, Counter[str]] = {}
            for sha256, reason in zip(part["source_sha256"].to_pylist(), part["reason"].to_pylist(), strict=True):
                reasons.setdefault(sha256, Counter())[reason] += 1
            yield {**_written("quarantine", writer), "reasons": reasons}


def _by_day(rows: pa.Table) -> Iterator[tuple[date, pa.Table]]:
    for day in sorted(pc.unique(rows["date"]).to_pylist()):
        yield day, rows.filter(pc.equal(rows["date"], day))


def _sources(rows: pa.Table) -> dict[str, int]:
    """Rows by the file they come from."""
    counted = pc.value_counts(rows["source_sha256"].cast(pa.string()))
    return {entry["values"]: entry["counts"] for entry in counted.to_pylist()}


def _written(table: str, writer: PartWriter) -> Report:
    return {"table": table, "part": writer.part}
