"""Fit a profile on the windows of the training days."""

from datetime import datetime

import h3
import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from smartcity.city import City, PlaceKind
from smartcity.errors import MissingDataError
from smartcity.events import SPEED_STEPS_PER_MPH
from smartcity.levels import ESTIMATE_MINUTES, HISTORY_WEIGHT_POSITIONS
from smartcity.profile import SLOT_MINUTES, SLOTS, Profile
from smartcity.spark.tables import local_date

NIGHT_FROM_HOUR, NIGHT_TO_HOUR = 22, 5
FREE_FLOW_PERCENTILE = 0.85
#: Ten-minute speeds' worth of trust in the city's night speed for a cell with few of its own.
FREE_FLOW_SHRINK = 20.0
#: A ten-minute speed of fewer positions says too little to enter a percentile.
MIN_POSITIONS = 3


def _ten_minute_speeds(windows: DataFrame, city: City) -> DataFrame:
    """Space-mean speed per cell and ten minutes, with local date, hour and slot."""
    local = F.from_utc_timestamp("bucket_start_utc", city.time_zone)
    bucket = F.window("window_start_utc", f"{max(ESTIMATE_MINUTES, city.window_minutes)} minutes")
    return (
        windows.groupBy("cell_id", bucket.alias("bucket"))
        .agg(F.sum("position_count").alias("positions"), F.sum("speed_sum").alias("speed_sum"))
        .select("cell_id", F.col("bucket.start").alias("bucket_start_utc"), "positions", "speed_sum")
        .withColumn("speed_mph", F.col("speed_sum") / (F.col("positions") * float(SPEED_STEPS_PER_MPH)))
        .withColumn("hour", F.hour(local))
        .withColumn("slot", F.floor((F.hour(local) * 60 + F.minute(local)) / SLOT_MINUTES).cast("int"))
        .withColumn("date", local_date(F.col("bucket_start_utc"), city))
    )


def _shrunk(total: Column, count: Column, prior: Column, weight: float) -> Column:
    return (total + F.lit(weight) * prior) / (count + F.lit(weight))


def _free_flow(speeds: DataFrame) -> DataFrame:
    """Free-flow speed per cell: FHWA's 85th percentile, with the night as off-peak.

    Each ten-minute speed is first drawn to the cell's own night mean by as many positions as in the estimate: else the
    noise of a few pings would pass for free flow.
    """
    night = (F.col("hour") >= NIGHT_FROM_HOUR) | (F.col("hour") < NIGHT_TO_HOUR)
    speed_sum = F.col("speed_sum") / float(SPEED_STEPS_PER_MPH)
    own = speeds.where(night).groupBy("cell_id").agg((F.sum(speed_sum) / F.sum("positions")).alias("night_mean_mph"))
    drawn = (
        speeds.where(night & (F.col("positions") >= MIN_POSITIONS))
        .join(own, "cell_id", "inner")
        .select(
            "cell_id",
            _shrunk(speed_sum, F.col("positions"), F.col("night_mean_mph"), HISTORY_WEIGHT_POSITIONS).alias(
                "speed_mph"
            ),
        )
    )
    return drawn.groupBy("cell_id").agg(
        F.percentile("speed_mph", FREE_FLOW_PERCENTILE).alias("free_flow_mph"), F.count("*").alias("night_buckets")
    )


def fit_profile(
    windows: DataFrame, city: City, train_until_utc: datetime, places: dict[str, tuple[float, float]] | None = None
) -> Profile:
    """Fit free-flow, history and place statistics on the windows that end before ``train_until_utc``.

    Args: windows: rows of ``columns.WINDOWS``. places: latitude and longitude of each sensor; H3 cells know theirs.
    Raises: MissingDataError where there is nothing to fit on.
    """
    training = windows.where(F.col("window_start_utc") < F.lit(train_until_utc))
    speeds = _ten_minute_speeds(training, city).persist()
    try:
        cells = [row.cell_id for row in speeds.select("cell_id").distinct().orderBy("cell_id").collect()]
        if not cells:
            raise MissingDataError(f"no window before {train_until_utc:%Y-%m-%d %H:%M} UTC to fit a profile on")
        free_flow = _city_shrunk_free_flow(_free_flow(speeds).toArrow(), speeds, cells)
        rates = speeds.sparkSession.createDataFrame(
            list(zip(cells, free_flow.tolist(), strict=True)), "cell_id string, ff double"
        )
        ratios = speeds.join(F.broadcast(rates), "cell_id", "inner").withColumn(
            "ratio", F.col("speed_mph") / F.col("ff")
        )
        sums = (
            ratios.groupBy("cell_id", "date", "slot")
            .agg(
                F.sum("positions").cast("double").alias("positions"),
                F.sum(F.col("ratio") * F.col("positions")).alias("ratio_sum"),
            )
            .toArrow()
        )
        stats = (
            ratios.where(F.col("positions") >= MIN_POSITIONS)
            .groupBy("cell_id")
            .agg(
                F.avg("ratio").alias("mean"),
                F.stddev_pop("ratio").alias("std"),
                F.percentile("ratio", 0.1).alias("p10"),
            )
            .toArrow()
        )
    finally:
        speeds.unpersist()
    return _assemble(city, train_until_utc, cells, free_flow, sums, stats, places or {})


def _city_shrunk_free_flow(found: pa.Table, speeds: DataFrame, cells: list[str]) -> np.ndarray:
    """Free-flow per cell, drawn to the city's median where few nights carry it; the city's best speed if none do."""
    own = dict(zip(found["cell_id"].to_pylist(), found["free_flow_mph"].to_pylist(), strict=True))
    count = dict(zip(found["cell_id"].to_pylist(), found["night_buckets"].to_pylist(), strict=True))
    if own:
        city_mph = float(np.median(list(own.values())))
    else:
        # No night in the data: the fastest hours stand in for it.
        city_mph = float(speeds.agg(F.percentile("speed_mph", FREE_FLOW_PERCENTILE)).collect()[0][0])
    value = np.array([own.get(cell, city_mph) for cell in cells])
    trust = np.array([float(count.get(cell, 0)) for cell in cells])
    # A place where nothing ever moved must not divide by zero.
    return np.asarray(np.maximum((value * trust + city_mph * FREE_FLOW_SHRINK) / (trust + FREE_FLOW_SHRINK), 1.0))


def _assemble(
    city: City,
    train_until_utc: datetime,
    cells: list[str],
    free_flow: np.ndarray,
    sums: pa.Table,
    stats: pa.Table,
    places: dict[str, tuple[float, float]],
) -> Profile:
    column = {cell: index for index, cell in enumerate(cells)}
    ordinals = np.array([day.toordinal() for day in sums["date"].to_pylist()])
    days = np.unique(ordinals)
    at = (
        np.searchsorted(days, ordinals),
        sums["slot"].to_numpy(),
        np.array([column[cell] for cell in sums["cell_id"].to_pylist()]),
    )
    counts, ratio_sums = np.zeros((len(days), SLOTS, len(cells))), np.zeros((len(days), SLOTS, len(cells)))
    counts[at] = sums["positions"].to_numpy()
    ratio_sums[at] = sums["ratio_sum"].to_numpy()
    by_cell = {row["cell_id"]: row for row in stats.to_pylist()}
    mean = ratio_sums.sum() / counts.sum()
    typical = {"mean": mean, "std": 0.0, "p10": mean}
    described = [by_cell.get(cell, typical) for cell in cells]
    if city.place_kind is PlaceKind.H3:
        places = {cell: h3.cell_to_latlng(cell) for cell in cells}
    where = np.array([places.get(cell, city.bounds.center) for cell in cells], dtype=np.float64).reshape(-1, 2)
    return Profile(
        city=city,
        train_until_utc=train_until_utc,
        cells=tuple(cells),
        free_flow_mph=free_flow,
        ratio_mean=np.array([row["mean"] for row in described]),
        ratio_std=np.array([row["std"] for row in described]),
        ratio_p10=np.array([row["p10"] for row in described]),
        latitude=where[:, 0],
        longitude=where[:, 1],
        days=days,
        counts=counts,
        ratio_sums=ratio_sums,
    )
