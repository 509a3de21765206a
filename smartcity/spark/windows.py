"""Positions to windows: one aggregation for batch and stream."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from smartcity.city import City
from smartcity.events import SPEED_STEPS_PER_MPH
from smartcity.windows import VEHICLE_BITS


def speed_steps(speed_mph: Column) -> Column:
    """Speed as whole steps of 1/100 mph."""
    return F.round(speed_mph * SPEED_STEPS_PER_MPH).cast("bigint")


def vehicle_bit(vehicle_id: Column) -> Column:
    """The one bit that a vehicle sets."""
    return F.call_function("shiftleft", F.lit(1).cast("bigint"), (F.crc32(vehicle_id) % VEHICLE_BITS).cast("int"))


def avg_speed_mph(speed_sum: Column, position_count: Column) -> Column:
    """Space-mean speed of pings at equal steps: the plain mean."""
    return speed_sum / (F.lit(float(SPEED_STEPS_PER_MPH)) * position_count)


def std_speed_mph(speed_sum: Column, speed_square_sum: Column, position_count: Column) -> Column:
    """Population standard deviation; 0 for one position."""
    mean = speed_sum / position_count
    variance = speed_square_sum / position_count - mean * mean
    return F.sqrt(F.greatest(variance, F.lit(0.0))) / float(SPEED_STEPS_PER_MPH)


def aggregate_windows(positions: DataFrame, city: City, *more: Column) -> DataFrame:
    """Counts and speed sums per cell and tumbling window.

    Args: positions: batch or stream with cell_id, timestamp_utc, vehicle_id, speed_mph; a stream has its watermark set;
    more: further named aggregates, which come last (the stream asks for the newest event's time).
    Returns: one row per (cell_id, window_start_utc), the columns of ``columns.WINDOWS`` but ``date``. The set of
    vehicles is kept whole within a window, since exact distinct counts exist on streams in no other form.
    """
    speed = speed_steps(F.col("speed_mph"))
    sums = positions.groupBy(F.window("timestamp_utc", f"{city.window_minutes} minutes"), "cell_id").agg(
        F.size(F.collect_set("vehicle_id")).cast("bigint").alias("vehicle_count"),
        F.count("*").alias("position_count"),
        F.sum(speed).alias("speed_sum"),
        F.sum(speed * speed).alias("speed_square_sum"),
        F.bit_or(vehicle_bit(F.col("vehicle_id"))).alias("vehicle_bits"),
        *more,
    )
    n, total, squares = F.col("position_count"), F.col("speed_sum"), F.col("speed_square_sum")
    return sums.select(
        "cell_id",
        F.col("window.start").alias("window_start_utc"),
        "vehicle_count",
        "position_count",
        "speed_sum",
        "speed_square_sum",
        "vehicle_bits",
        avg_speed_mph(total, n).alias("avg_speed_mph"),
        std_speed_mph(total, squares, n).alias("std_speed_mph"),
        *sums.columns[7:],
    )
