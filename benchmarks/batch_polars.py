"""The nightly batch in Polars: ``python -m benchmarks.batch_polars --out DIR FILE…``.

Clean, positions, windows, features of monthly trip files (CSV), each stage one lazy query for the streaming engine,
written as Parquet, on two threads. Each stage prints its figures as a JSON line.
"""

import argparse
import os
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

# Read once, when Polars is imported.
os.environ.setdefault("POLARS_MAX_THREADS", "2")

import numpy as np
import polars as pl
import pyarrow as pa

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
    REQUIRED,
    SHOWN,
    Source,
    Terms,
)
from smartcity.levels import CLASSES
from smartcity.localtime import MICROS
from smartcity.settings import Settings
from smartcity.tripfiles.layout import BY_NAME, Kind

_TYPES = {Kind.TIME: pl.Datetime("us"), Kind.NUMBER: pl.Float64, Kind.TEXT: pl.String}
_DRAWS = pl.Struct(
    {
        "phase_us": pl.Int64,
        "avenue_first": pl.Boolean,
        "turn": pl.Float64,
        "relative": pl.List(pl.Float64),
        "share": pl.List(pl.Float64),
    }
)
SINK = {
    "compression": COMPRESSION,
    "compression_level": COMPRESSION_LEVEL,
    "statistics": False,
    "maintain_order": False,
    "mkdir": True,
    "lazy": True,
    "engine": "streaming",
}


def sql(columns: dict[str, str]) -> list[pl.Expr]:
    """Expressions from their SQL text."""
    return [pl.sql_expr(text).alias(name) for name, text in columns.items()]


def _scan(source: Source) -> pl.LazyFrame:
    """The fields of one file, times as microseconds."""
    schema = {column: _TYPES.get(source.kind(column) or Kind.TEXT, pl.String) for column in source.header}
    rows = pl.scan_csv(source.path, schema=schema, ignore_errors=True)
    fields = []
    for name in IDENTITY:
        kind = BY_NAME[name].kind
        column = pl.col(source.fields[name]) if name in source.fields else pl.lit(None, _TYPES[kind])
        fields.append((column.to_physical() if kind is Kind.TIME else column).alias(name))
    low, high = source.period_us
    return rows.select(
        *fields,
        pl.lit(source.path.name).alias("source_file"),
        pl.lit(low).alias("period_start"),
        pl.lit(high).alias("period_end"),
    )


def _trip_ids(rows: pl.Series) -> pl.Series:
    columns = {name: _arrow(rows.struct.field(name)) for name in IDENTITY}
    given = {name: column for name, column in columns.items() if column.null_count < len(column)}
    return pl.Series(trip_ids(given, len(rows)))


def _arrow(column: pl.Series) -> pa.Array:
    array = column.to_arrow(compat_level=pl.CompatLevel.oldest())
    return array.cast(pa.string()) if pa.types.is_large_string(array.type) else array


def clean(out: Path, terms: Terms, sources: Sequence[Source]) -> dict[str, int]:
    """CSV to cleaned trips, each once, and the quarantine."""
    early = {f"{end}_early": terms.early(f"{end}_local") for end in ("pickup", "dropoff")}
    judged = (
        pl.concat([_scan(source) for source in sources])
        .with_columns(sql(early))
        .with_columns(
            sql({"pickup_utc": terms.pickup_utc, "dropoff_utc": terms.dropoff_utc, "parse_reason": terms.parse_reason})
        )
        .with_columns(sql({"duration_seconds": terms.duration_seconds}))
        .with_columns(sql({"speed_mph": terms.speed_mph}))
        .with_columns(
            pl.sql_expr(terms.reason).alias("reason"),
            (pl.col("pickup_local") // DAY_US).cast(pl.Int32).cast(pl.Date).alias("date"),
        )
    )
    identified = pl.struct(IDENTITY).map_batches(_trip_ids, pl.String, is_elementwise=True)
    trips = (
        judged.filter(pl.col("reason").is_null())
        .with_columns(identified.alias("trip_id"))
        .unique("trip_id", keep="any")
        .select(
            "trip_id",
            pl.concat_str(pl.lit("taxi_"), pl.col("trip_id").str.head(12)).alias("vehicle_id"),
            _instant(pl.col("pickup_utc")),
            _instant(pl.col("dropoff_utc")),
            *[name for name in REQUIRED if name.endswith("itude")],
            "trip_distance_miles",
            "source_file",
            "date",
        )
    )
    refused = judged.filter(pl.col("reason").is_not_null()).select(
        "source_file", "reason", pl.struct(SHOWN).struct.json_encode().alias("row_text"), "date"
    )
    sinks = [
        trips.sink_parquet(pl.PartitionBy(out / "trips", key="date", include_key=False), **SINK),
        refused.sink_parquet(out / "quarantine.parquet", **SINK),
        judged.select(pl.len().alias("read"), pl.col("reason").is_null().sum().alias("valid")),
    ]
    counts = pl.collect_all(sinks, engine="streaming")[-1]
    return {"rows_read": counts["read"][0], "rows_valid": counts["valid"][0]}


def _instant(utc_us: pl.Expr) -> pl.Expr:
    return utc_us.cast(pl.Datetime("us", "UTC"))


def positions(out: Path, terms: Terms) -> dict[str, int]:
    """Trips to positions, a file a day."""
    rows = 0
    span = pl.scan_parquet(out / "trips" / "**" / "*.parquet").select(
        pl.col("pickup_utc").min(), pl.col("dropoff_utc").max()
    )
    for day, start, end in terms.days(*span.collect(engine="streaming").row(0)):
        near = [out / "trips" / f"date={near}" for near in (day - timedelta(days=1), day)]
        trips = pl.scan_parquet([path / "*.parquet" for path in near if path.exists()], hive_partitioning=False)
        place = out / "positions" / f"date={day}" / "part-0.parquet"
        pl.collect_all([_positions(trips, terms, start, end).sink_parquet(place, **SINK)], engine="streaming")
        rows += pl.scan_parquet(place).select(pl.len()).collect().item()
    return {"positions": rows}


def _positions(trips: pl.LazyFrame, terms: Terms, start: int, end: int) -> pl.LazyFrame:
    """The positions between two instants."""
    grid, step = terms.grid, terms.city.position_step_seconds * MICROS
    # The cell of each place in the lookup, as the dictionary that a code points into.
    names = [grid.names[code] if code >= 0 else f"none {place}" for place, code in enumerate(grid.codes.tolist())]

    def drawn(rows: pl.Series) -> pl.Series:
        found = draws(_arrow(rows.struct.field("trip_id")), rows.struct.field("duration").to_numpy(), terms.city)
        offsets = pa.array(np.append(0, np.cumsum(found.counts)), pa.int64())
        arrays = [
            pa.array(found.phase_us),
            pa.array(found.avenue_first),
            pa.array(found.turn),
            pa.LargeListArray.from_arrays(offsets, pa.array(found.relative)),
            pa.LargeListArray.from_arrays(offsets, pa.array(found.share)),
        ]
        return pl.Series(pa.StructArray.from_arrays(arrays, [field.name for field in _DRAWS.fields]))

    return (
        trips.with_columns(pl.col("pickup_utc", "dropoff_utc").to_physical())
        .filter((pl.col("pickup_utc") < end) & (pl.col("dropoff_utc") > start))
        .with_columns(
            pl.struct("trip_id", (pl.col("dropoff_utc") - pl.col("pickup_utc")).alias("duration"))
            .map_batches(drawn, _DRAWS, is_elementwise=True)
            .alias("draw"),
            *sql(terms.axes),
        )
        .unnest("draw")
        .with_columns(sql(terms.legs))
        .select(
            "vehicle_id",
            "trip_id",
            "pickup_latitude",
            "pickup_longitude",
            (pl.col("pickup_utc") + pl.col("phase_us")).alias("first_us"),
            *terms.legs,
            "relative",
            "share",
            pl.int_ranges(pl.col("relative").list.len()).alias("number"),
        )
        .explode("relative", "share", "number")
        .with_columns(
            (pl.col("first_us") + pl.col("number") * step).alias("t"),
            (pl.col("share") * (pl.col("split_miles") + pl.col("whole_miles"))).alias("driven"),
            pl.min_horizontal(pl.col("relative") * pl.col("mean_mph") * 100, pl.lit(terms.max_steps))
            .round()
            .cast(pl.Int64)
            .alias("steps"),
        )
        .with_columns(
            pl.min_horizontal(
                pl.max_horizontal(pl.col("driven") - pl.col("before_miles"), pl.lit(0.0)), "whole_miles"
            ).alias("on_whole")
        )
        .with_columns(pl.min_horizontal(pl.col("driven") - pl.col("on_whole"), "split_miles").alias("on_split"))
        .with_columns(
            (
                pl.col(f"pickup_{axis}")
                + pl.col("on_split") * pl.col(f"{axis}_split")
                + pl.col("on_whole") * pl.col(f"{axis}_whole")
            )
            .round(6)
            .alias(axis)
            for axis in ("latitude", "longitude")
        )
        .select("vehicle_id", "trip_id", "t", "latitude", "longitude", "steps")
        .filter((pl.col("t") >= start) & (pl.col("t") < end) & pl.sql_expr(terms.inside))
        .with_columns(
            pl.col("longitude").radians().cos().alias("x"),
            pl.col("longitude").radians().sin().alias("y"),
            pl.col("latitude").radians().tan().alias("z"),
        )
        .with_columns(sql(grid.axial))
        .with_columns(sql(grid.corner))
        .select(
            "vehicle_id",
            "trip_id",
            _instant(pl.col("t")).alias("timestamp_utc"),
            "latitude",
            "longitude",
            (pl.col("steps") / 100.0).alias("speed_mph"),
            pl.sql_expr(grid.place).cast(pl.UInt32).cat.to(pl.Enum(names)).alias("cell_id"),
        )
    )


def windows(out: Path, terms: Terms) -> dict[str, int]:
    """Positions to windows, day by day: no window reaches over midnight."""
    rows = 0
    for day in sorted((out / "positions").iterdir()):
        place = out / "windows" / f"{day.name}.parquet"
        made = _windows(pl.scan_parquet(day / "*.parquet", hive_partitioning=False), terms)
        pl.collect_all([made.sink_parquet(place, **SINK)], engine="streaming")
        rows += pl.scan_parquet(place).select(pl.len()).collect().item()
    return {"windows": rows}


def _windows(positions: pl.LazyFrame, terms: Terms) -> pl.LazyFrame:
    count, total, square = pl.col("position_count"), pl.col("speed_sum"), pl.col("speed_square_sum")
    return (
        positions.select(
            "cell_id",
            "vehicle_id",
            (pl.col("timestamp_utc").to_physical() // terms.window * terms.window).alias("window_start_utc"),
            (pl.col("speed_mph") * 100).round().cast(pl.Int64).alias("steps"),
        )
        .group_by("cell_id", "window_start_utc")
        .agg(
            pl.col("vehicle_id").n_unique().cast(pl.Int64).alias("vehicle_count"),
            pl.len().cast(pl.Int64).alias("position_count"),
            pl.col("steps").sum().alias("speed_sum"),
            (pl.col("steps") * pl.col("steps")).sum().alias("speed_square_sum"),
        )
        .with_columns(
            pl.col("cell_id").cast(pl.String),
            _instant(pl.col("window_start_utc")),
            (total / (100.0 * count)).alias("avg_speed_mph"),
            ((square / count - (total / count) ** 2).clip(0.0).sqrt() / 100).alias("std_speed_mph"),
        )
    )


def features(out: Path, terms: Terms) -> dict[str, int]:
    """Windows to ratios, their lags, and the level at the horizon."""
    hour = (pl.sql_expr(terms.local("us")) // HOUR_US) % 24
    rows = pl.scan_parquet(out / "windows" / "*.parquet").with_columns(
        pl.col("window_start_utc").to_physical().alias("us")
    )
    free = (
        rows.filter((hour >= NIGHT[0]) | (hour < NIGHT[1]))
        .group_by("cell_id")
        .agg(pl.col("avg_speed_mph").quantile(FREE_FLOW, "linear").alias("free_flow_mph"))
    )
    city = free.select(pl.col("free_flow_mph").median()).collect().item()
    rated = (
        rows.join(free, on="cell_id", how="left")
        .with_columns(pl.col("free_flow_mph").fill_null(city))
        .with_columns((pl.col("avg_speed_mph") / pl.col("free_flow_mph")).alias("ratio"))
        .select("cell_id", "us", "vehicle_count", "avg_speed_mph", "std_speed_mph", "free_flow_mph", "ratio")
        .collect(engine="streaming")
        .lazy()
    )
    made = rated
    for name, micros in terms.shifts.items():
        moved = rated.select("cell_id", pl.col("us") - micros, pl.col("ratio").alias(name))
        made = made.join(moved, on=["cell_id", "us"], how="left")
    low, middle, high = (pl.lit(level.value) for level in CLASSES)
    target = pl.col("target")
    label = (
        pl.when(target >= terms.low)
        .then(low)
        .when(target >= terms.high)
        .then(middle)
        .when(target.is_not_null())
        .then(high)
    )
    made = made.select(
        pl.exclude("target", "us"), _instant(pl.col("us")).alias("window_start_utc"), label.alias("label")
    )
    pl.collect_all([made.sink_parquet(out / "features.parquet", **SINK)], engine="streaming")
    return {"features": pl.scan_parquet(out / "features.parquet").select(pl.len()).collect().item()}


def run(out: Path, files: Sequence[Path]) -> None:
    """All stages."""
    out.mkdir(parents=True, exist_ok=True)
    sources = [Source.of(path) for path in files]
    terms = Terms.of(Settings().city, sources)
    with stage("trips") as figures:
        figures |= clean(out, terms, sources)
    for name, job in (("positions", positions), ("windows", windows), ("features", features)):
        with stage(name) as figures:
            figures |= job(out, terms)


def main() -> None:
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--out", type=Path, required=True, help="folder for the results")
    arguments.add_argument("files", nargs="+", type=Path, metavar="FILE")
    options = arguments.parse_args()
    run(options.out.resolve(), options.files)


if __name__ == "__main__":
    main()
