"""The nightly batch in DuckDB: ``python -m benchmarks.batch_duckdb --out DIR FILE…``.

Clean, positions, windows, features of monthly trip files (CSV), each stage written as Parquet. One query per stage,
two threads, memory limit as DuckDB sets it, spilling into DIR. Each stage prints its figures as a JSON line.
"""

import argparse
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from duckdb.sqltypes import DuckDBPyType

from benchmarks.batch_draws import draws, trip_ids
from benchmarks.batch_stages import stage
from benchmarks.batch_terms import (
    COMPRESSION,
    COMPRESSION_LEVEL,
    DAY_US,
    FREE_FLOW,
    HOUR_US,
    IDENTITY,
    NIGHT,
    ROWS_PER_GROUP,
    SHOWN,
    Source,
    Terms,
    select,
)
from smartcity.levels import CLASSES
from smartcity.localtime import MICROS
from smartcity.settings import Settings
from smartcity.tripfiles.layout import BY_NAME, Kind

PARQUET = (
    f"FORMAT parquet, COMPRESSION {COMPRESSION}, COMPRESSION_LEVEL {COMPRESSION_LEVEL}, ROW_GROUP_SIZE {ROWS_PER_GROUP}"
)
_TYPES = {Kind.TIME: "TIMESTAMP", Kind.NUMBER: "DOUBLE", Kind.TEXT: "VARCHAR"}
_DRAWS = "STRUCT(phase_us BIGINT, avenue_first BOOLEAN, turn DOUBLE, relative DOUBLE[], share DOUBLE[])"


def connect(out: Path, terms: Terms, threads: int) -> duckdb.DuckDBPyConnection:
    """A database in memory that may spill, and the functions that SQL has no words for."""
    db = duckdb.connect()
    db.execute(f"SET threads = {threads}; SET preserve_insertion_order = false; SET TimeZone = 'UTC'")
    db.execute(f"SET temp_directory = '{out / 'spill'}'")

    def trip_id(rows: pa.ChunkedArray) -> pa.Array:
        flat = dict(zip(IDENTITY, _flat(rows).flatten(), strict=True))
        given = {name: column for name, column in flat.items() if column.null_count < len(column)}
        return trip_ids(given, len(rows))

    def drawn(ids: pa.ChunkedArray, duration_us: pa.ChunkedArray) -> pa.Array:
        found = draws(_flat(ids), _flat(duration_us).to_numpy(), terms.city)
        offsets = pa.array(np.append(0, np.cumsum(found.counts)), pa.int32())
        arrays = [
            pa.array(found.phase_us),
            pa.array(found.avenue_first),
            pa.array(found.turn),
            pa.ListArray.from_arrays(offsets, pa.array(found.relative)),
            pa.ListArray.from_arrays(offsets, pa.array(found.share)),
        ]
        return pa.StructArray.from_arrays(arrays, ["phase_us", "avenue_first", "turn", "relative", "share"])

    row = ", ".join(f"{name} {_type(BY_NAME[name].kind)}" for name in IDENTITY)
    handling = {"type": "arrow", "null_handling": "special"}
    db.create_function("trip_id", trip_id, [DuckDBPyType(f"STRUCT({row})")], DuckDBPyType("VARCHAR"), **handling)
    arguments = [DuckDBPyType("VARCHAR"), DuckDBPyType("BIGINT")]
    db.create_function("drawn", drawn, arguments, DuckDBPyType(_DRAWS), **handling)
    return db


def _type(kind: Kind) -> str:
    """What a field is once it was read: times are microseconds."""
    return "BIGINT" if kind is Kind.TIME else _TYPES[kind]


def _flat(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _scan(source: Source) -> str:
    """The fields of one file, times as microseconds."""
    types = {column: _TYPES.get(source.kind(column) or Kind.TEXT, "VARCHAR") for column in source.header}
    columns = ", ".join(f"'{name}': '{kind}'" for name, kind in types.items())
    reader = (
        f"read_csv('{source.path}', header = true, delim = ',', auto_detect = false, columns = {{{columns}}}, "
        "store_rejects = true, rejects_table = 'rejects', rejects_scan = 'rejected_scans')"
    )
    fields = {}
    for name in IDENTITY:
        kind = BY_NAME[name].kind
        column = f'"{source.fields[name]}"' if name in source.fields else f"NULL::{_TYPES[kind]}"
        fields[name] = f"epoch_us({column})" if kind is Kind.TIME else column
    low, high = source.period_us
    constants = {"source_file": f"'{source.path.name}'", "period_start": str(low), "period_end": str(high)}
    return f"SELECT {select(fields)}, {select(constants)} FROM {reader}"


def clean(db: duckdb.DuckDBPyConnection, out: Path, terms: Terms, sources: Sequence[Source]) -> dict[str, int]:
    """CSV to cleaned trips, each once, and the quarantine."""
    files = " UNION ALL ".join(_scan(source) for source in sources)
    early = {f"{end}_early": terms.early(f"{end}_local") for end in ("pickup", "dropoff")}
    utc = {"pickup_utc": terms.pickup_utc, "dropoff_utc": terms.dropoff_utc}
    db.execute(f"""
        CREATE TEMP TABLE judged AS
        SELECT trip_id(struct_pack({_packed(IDENTITY)})) AS trip_id, reason, source_file, pickup_utc, dropoff_utc,
               pickup_latitude, pickup_longitude, dropoff_latitude, dropoff_longitude, trip_distance_miles,
               CASE WHEN reason IS NOT NULL THEN to_json(struct_pack({_packed(SHOWN)}))::VARCHAR END AS row_text,
               {_day("pickup_local")} AS date
        FROM (SELECT *, {terms.reason} AS reason
        FROM (SELECT *, {terms.speed_mph} AS speed_mph
        FROM (SELECT *, {terms.duration_seconds} AS duration_seconds
        FROM (SELECT *, {select(utc)}, {terms.parse_reason} AS parse_reason
        FROM (SELECT *, {select(early)} FROM ({files}))))))""")
    db.execute(f"""
        COPY (SELECT source_file, reason, row_text, date FROM judged WHERE reason IS NOT NULL
              UNION ALL SELECT NULL, 'wrong number of fields or type', csv_line, NULL FROM rejects)
        TO '{out / "quarantine.parquet"}' ({PARQUET})""")
    # Few trips come twice: finding those first is cheaper than carrying every column through a grouping of all.
    db.execute("""
        CREATE TEMP TABLE repeated AS
        SELECT min(place) AS first, trip_id FROM (SELECT rowid AS place, trip_id FROM judged WHERE reason IS NULL)
        GROUP BY trip_id HAVING count(*) > 1""")
    db.execute(f"""
        COPY (SELECT trip_id, 'taxi_' || substr(trip_id, 1, 12) AS vehicle_id,
                     {_instant("pickup_utc")} AS pickup_utc, {_instant("dropoff_utc")} AS dropoff_utc,
                     pickup_latitude, pickup_longitude, dropoff_latitude, dropoff_longitude, trip_distance_miles,
                     source_file, date
              FROM judged LEFT JOIN repeated USING (trip_id)
              WHERE reason IS NULL AND (repeated.first IS NULL OR repeated.first = judged.rowid))
        TO '{out / "trips.parquet"}' ({PARQUET})""")
    counts = db.execute("SELECT count(*), count(*) FILTER (reason IS NULL) FROM judged").fetchall()[0]
    db.execute("DROP TABLE judged; DROP TABLE repeated")
    return {"rows_read": counts[0], "rows_valid": counts[1]}


def _packed(names: Sequence[str]) -> str:
    return ", ".join(f"{name} := {name}" for name in names)


def _day(local_us: str) -> str:
    return f"DATE '1970-01-01' + CAST(({local_us}) // {DAY_US} AS INTEGER)"


def _instant(utc_us: str) -> str:
    return f"make_timestamptz({utc_us})"


def _rounded(axis: str) -> str:
    """Where a car is, to 6 digits; a cast rounds half to even, and takes a third of the time of ``round``."""
    place = f"pickup_{axis} + on_split * {axis}_split + on_whole * {axis}_whole"
    return f"CAST(({place}) * 1e6 AS INTEGER) / 1e6"


def positions(db: duckdb.DuckDBPyConnection, out: Path, terms: Terms) -> dict[str, int]:
    """Trips to positions, a file a day: writing a day at a time is a third of what PARTITION_BY takes."""
    places, names = terms.grid.lookup()
    db.register("lookup", pa.table({"place": places, "cell_id": names}))
    db.execute("CREATE TEMP TABLE cells AS SELECT * FROM lookup").fetchall()
    rows = 0
    for day, start, end in _days(db, out, terms):
        place = out / "positions" / f"date={day}"
        place.mkdir(parents=True)
        made = f"COPY ({_positions(out, terms, start, end)}) TO '{place / 'part-0.parquet'}' ({PARQUET})"
        rows += db.execute(made).fetchall()[0][0]
    return {"positions": rows}


def _days(db: duckdb.DuckDBPyConnection, out: Path, terms: Terms) -> list[tuple[date, int, int]]:
    first, last = db.execute(
        f"SELECT min(pickup_utc), max(dropoff_utc) FROM read_parquet('{out / 'trips.parquet'}')"
    ).fetchall()[0]
    return terms.days(first, last)


def _positions(out: Path, terms: Terms, start: int, end: int) -> str:
    """The positions between two instants."""
    grid, step = terms.grid, terms.city.position_step_seconds * MICROS
    return f"""
        SELECT vehicle_id, trip_id, {_instant("t")} AS timestamp_utc, latitude, longitude, steps / 100.0 AS speed_mph,
               cell_id
        FROM (SELECT *, {grid.place} AS place
        FROM (SELECT * EXCLUDE (i, j), {select(grid.corner)}
        FROM (SELECT * EXCLUDE (x, y, z), {select(grid.axial)}
        FROM (SELECT *, {select(grid.vector)}
        FROM (SELECT vehicle_id, trip_id, t, steps,
                     {_rounded("latitude")} AS latitude, {_rounded("longitude")} AS longitude
        FROM (SELECT *, least(driven - on_whole, split_miles) AS on_split
        FROM (SELECT *, least(greatest(driven - before_miles, 0.0), whole_miles) AS on_whole
        FROM (SELECT * EXCLUDE (relative, share, number), first_us + number * {step} AS t,
                     share * (split_miles + whole_miles) AS driven,
                     CAST(least(relative * mean_mph * 100, {terms.max_steps}) AS INTEGER) AS steps
        FROM (SELECT vehicle_id, trip_id, pickup_latitude, pickup_longitude, first_us, {", ".join(terms.legs)},
                     unnest(relative) AS relative, unnest(share) AS share, unnest(range(len(relative))) AS number
        FROM (SELECT *, {select(terms.legs)}
        FROM (SELECT *, pickup_utc + draw.phase_us AS first_us, draw.avenue_first AS avenue_first, draw.turn AS turn,
                     draw.relative AS relative, draw.share AS share, {select(terms.axes)}
        FROM (SELECT *, drawn(trip_id, dropoff_utc - pickup_utc) AS draw
        FROM (SELECT * REPLACE (epoch_us(pickup_utc) AS pickup_utc, epoch_us(dropoff_utc) AS dropoff_utc)
              FROM read_parquet('{out / "trips.parquet"}')
              WHERE pickup_utc < {_instant(str(end))} AND dropoff_utc > {_instant(str(start))}))))))))
        WHERE t >= {start} AND t < {end} AND {terms.inside}))))) JOIN cells USING (place)"""


def windows(db: duckdb.DuckDBPyConnection, out: Path, terms: Terms) -> dict[str, int]:
    """Positions to windows, day by day: no window reaches over midnight."""
    (out / "windows").mkdir()
    rows = 0
    for day in sorted((out / "positions").iterdir()):
        made = f"""
            COPY (
            SELECT cell_id, {_instant("window_us")} AS window_start_utc, vehicle_count, position_count, speed_sum,
                   speed_square_sum, speed_sum / (100.0 * position_count) AS avg_speed_mph,
                   sqrt(greatest(speed_square_sum / position_count - (speed_sum / position_count) ** 2, 0)) / 100
                   AS std_speed_mph
            FROM (SELECT cell_id, window_us, count(*) AS vehicle_count, sum(pings)::BIGINT AS position_count,
                         sum(speed)::BIGINT AS speed_sum, sum(square)::BIGINT AS speed_square_sum
            FROM (SELECT cell_id, window_us, vehicle_id, count(*) AS pings,
                         sum(steps) AS speed, sum(steps * steps) AS square
            FROM (SELECT cell_id, vehicle_id, epoch_us(timestamp_utc) // {terms.window} * {terms.window} AS window_us,
                         CAST(speed_mph * 100 AS BIGINT) AS steps
                  FROM read_parquet('{day}/*.parquet', hive_partitioning = false))
            GROUP BY ALL) GROUP BY ALL))
            TO '{out / "windows" / day.name}.parquet' ({PARQUET})"""
        rows += db.execute(made).fetchall()[0][0]
    return {"windows": rows}


def features(db: duckdb.DuckDBPyConnection, out: Path, terms: Terms) -> dict[str, int]:
    """Windows to ratios, their lags, and the level at the horizon."""
    hour = f"({terms.local('window_us')} // {HOUR_US}) % 24"
    db.execute(f"""
        CREATE TEMP TABLE rated AS
        WITH seen AS (SELECT cell_id, epoch_us(window_start_utc) AS window_us, vehicle_count, avg_speed_mph,
                             std_speed_mph FROM read_parquet('{out / "windows"}/*.parquet')),
             free AS (SELECT cell_id, quantile_cont(avg_speed_mph, {FREE_FLOW}) AS free_flow_mph FROM seen
                      WHERE {hour} >= {NIGHT[0]} OR {hour} < {NIGHT[1]} GROUP BY cell_id),
             city AS (SELECT median(free_flow_mph) AS city_mph FROM free)
        SELECT seen.*, coalesce(free_flow_mph, city_mph) AS free_flow_mph,
               avg_speed_mph / coalesce(free_flow_mph, city_mph) AS ratio
        FROM seen LEFT JOIN free USING (cell_id) CROSS JOIN city""").fetchall()
    shifts = terms.shifts
    joined = " ".join(
        f"LEFT JOIN rated AS {name} ON {name}.cell_id = rated.cell_id AND {name}.window_us = rated.window_us + {micros}"
        for name, micros in shifts.items()
    )
    lags = ", ".join(f"{name}.ratio AS {name}" for name in shifts if name != "target")
    low, middle, high = (f"'{level}'" for level in CLASSES)
    found = db.execute(f"""
        COPY (
        SELECT rated.* EXCLUDE (window_us), {_instant("rated.window_us")} AS window_start_utc, {lags},
               CASE WHEN target.ratio >= {terms.low} THEN {low} WHEN target.ratio >= {terms.high} THEN {middle}
                    WHEN target.ratio < {terms.high} THEN {high} END AS label
        FROM rated {joined})
        TO '{out / "features.parquet"}' ({PARQUET})""").fetchall()
    return {"features": found[0][0]}


def run(out: Path, files: Sequence[Path], threads: int = 2) -> None:
    """All stages."""
    out.mkdir(parents=True, exist_ok=True)
    sources = [Source.of(path) for path in files]
    terms = Terms.of(Settings().city, sources)
    db = connect(out, terms, threads)
    with stage("trips") as figures:
        figures |= clean(db, out, terms, sources)
    for name, job in (("positions", positions), ("windows", windows), ("features", features)):
        with stage(name) as figures:
            figures |= job(db, out, terms)


def main() -> None:
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--out", type=Path, required=True, help="folder for the results")
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("files", nargs="+", type=Path, metavar="FILE")
    options = arguments.parse_args()
    run(options.out.resolve(), options.files, options.threads)


if __name__ == "__main__":
    main()
