"""Raw rows to judged rows: instants from wall times, and the first rule that a row breaks. Runs on any worker."""

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from smartcity.city import City
from smartcity.columns import QUARANTINE, TRIPS, UTC_TIMESTAMP
from smartcity.localtime import trip_times_utc
from smartcity.rules import Rules
from smartcity.tripfiles.layout import RAW

#: A vehicle made up for a trip that names none: as long as this, two trips of one window hardly share it.
_VEHICLE_DIGITS = 12
#: What a quarantined row that could be read is shown as.
_SHOWN = [name for name in RAW.names if name.startswith(("pickup_", "dropoff_", "trip_distance", "fare"))]

#: Which file a row is from; the same for all rows of a batch.
_SOURCE = ("source_file", "source_sha256")
_CODED = pa.dictionary(pa.int32(), pa.string())

#: A good row on its way into the lake: a trip, and where it stood, by which the first of equal trips is known.
GOOD = pa.schema(
    [*(pa.field(f.name, _CODED if f.name in _SOURCE else f.type) for f in TRIPS), ("row_number", pa.int64())]
)
#: A bad row on its way into the quarantine.
BAD = pa.schema([pa.field(f.name, _CODED if f.name in _SOURCE else f.type) for f in QUARANTINE])


class Judge:
    """The rules of a city, ready to be asked. They are SQL, so a SQL engine reads them; one per process."""

    def __init__(self, rules: Rules, city: City) -> None:
        self._city = city
        self._engine = duckdb.connect(config={"threads": 1})
        self._reasons = f"""
            SELECT {rules.reason_sql()} AS reason
            FROM (SELECT *, trip_distance_miles * 3600 / nullif(duration_seconds, 0) AS speed_mph FROM timed)"""
        shown = ", ".join(f"{name} := {name}" for name in _SHOWN)
        # A patch takes the fields out that are null.
        fields = f"CAST(json_merge_patch('{{}}', to_json(struct_pack({shown}))) AS VARCHAR)"
        self._texts = f"SELECT coalesce(row_text, {fields}) AS text FROM bad"

    def judge(self, rows: pa.RecordBatch) -> tuple[pa.Table, pa.Table]:
        """Part rows of ``RAW``, all of one file, into good ones (``GOOD``) and bad ones (``BAD``)."""
        timed = _timed(rows, self._city)
        reason = self._ask(self._reasons, timed=timed)
        is_bad = pc.is_valid(reason)
        bad = timed.filter(is_bad)
        bad = bad.append_column("reason", reason.filter(is_bad))
        if bad.num_rows:
            bad = bad.drop_columns("row_text").append_column("row_text", self._ask(self._texts, bad=bad))
            timed = timed.filter(pc.invert(is_bad))
        made_up = pc.binary_join_element_wise(
            "taxi_", pc.utf8_slice_codeunits(timed["trip_id"], 0, _VEHICLE_DIGITS), ""
        )
        good = timed.append_column("vehicle_id", pc.coalesce(timed["vehicle"], made_up))
        good = good.append_column("date", good["pickup_local"].cast(pa.date32()))
        return _of_file(good, rows, GOOD), _of_file(bad.append_column("date", _bad_dates(bad)), rows, BAD)

    def _ask(self, sql: str, **tables: pa.Table) -> pa.ChunkedArray:
        for name, table in tables.items():
            self._engine.register(name, table)
        answer = self._engine.sql(sql).to_arrow_table().column(0)
        for name in tables:
            self._engine.unregister(name)
        return answer


def _bad_dates(bad: pa.Table) -> pa.ChunkedArray:
    """Local date; a bad row whose own date does not belong into its file is filed under the file's."""
    local = bad["pickup_local"]
    own = pc.and_(pc.greater_equal(local, bad["period_start"]), pc.less(local, bad["period_end"])).fill_null(False)
    return pc.if_else(own, local.cast(pa.date32(), safe=False), bad["file_date"])


def _of_file(table: pa.Table, rows: pa.RecordBatch, schema: pa.Schema) -> pa.Table:
    """Add which file the rows are from, and bring them into ``schema``."""
    for name in _SOURCE:
        zeros = pa.array(np.zeros(table.num_rows, dtype=np.int32))
        table = table.append_column(name, pa.DictionaryArray.from_arrays(zeros, rows.column(name).slice(0, 1)))
    return table.select(schema.names).cast(schema)


def _timed(rows: pa.RecordBatch, city: City) -> pa.Table:
    """Add the columns that rules ask about besides the row's own."""
    local = [rows.column(f"{end}_local") for end in ("pickup", "dropoff")]
    missing = pc.or_(*(pc.is_null(column) for column in local))
    micros = [column.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False) for column in local]
    pickup, dropoff = trip_times_utc(micros[0], micros[1], city.zone)
    null = pa.scalar(None, UTC_TIMESTAMP)
    table = pa.Table.from_batches([rows.drop_columns(list(_SOURCE))])
    for name, values in (("pickup_utc", pickup), ("dropoff_utc", dropoff)):
        table = table.append_column(name, pc.if_else(missing, null, pa.array(values).cast(UTC_TIMESTAMP)))
    seconds = pc.if_else(missing, pa.scalar(None, pa.float64()), pa.array((dropoff - pickup) / 1e6))
    return table.append_column("duration_seconds", seconds)


def first_copies(good: pa.Table) -> pa.ChunkedArray:
    """Whether each row of ``GOOD`` is the first with its trip_id, by file (its hash) and row."""
    files = good["source_sha256"].combine_chunks()
    place = np.argsort(np.argsort(files.dictionary.to_pylist()))[files.indices.to_numpy()]
    order = np.lexsort((good["row_number"].to_numpy(), place))
    rank = np.empty(good.num_rows, dtype=np.int64)
    rank[order] = np.arange(good.num_rows)
    ranks = pa.array(rank)
    first = pa.table({"trip_id": good["trip_id"], "rank": ranks}).group_by("trip_id", use_threads=False)
    return pc.is_in(ranks, value_set=first.aggregate([("rank", "min")])["rank_min"].combine_chunks())
