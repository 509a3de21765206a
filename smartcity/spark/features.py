"""The feature kernel, day by day, on Spark."""

from datetime import date, timedelta

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema

from smartcity.features import FEATURES, LOOKBACK_MINUTES, estimate, feature_table
from smartcity.localtime import MICROS, local_days
from smartcity.profile import Profile
from smartcity.spark.tables import local_date
from smartcity.windows import WindowBlock


def features(windows: DataFrame, profile: Profile) -> DataFrame:
    """Rows of ``FEATURES`` for every window and active cell.

    Args: windows: rows of ``columns.WINDOWS``; a row's features need the ``LOOKBACK_MINUTES`` before it, its label the
    horizon after it. Each local day is one task: its windows, and copies of those at its edges.
    """
    city = profile.city
    shared = windows.sparkSession.sparkContext.broadcast(profile)
    before = F.lit(timedelta(minutes=LOOKBACK_MINUTES + city.window_minutes))
    after = F.lit(timedelta(minutes=city.horizon_minutes + 2 * city.window_minutes))

    def day_features(key: tuple[pa.Scalar, ...], table: pa.Table) -> pa.Table:
        day = key[0].as_py()
        state = estimate(WindowBlock.of(table, city), shared.value)
        rows = feature_table(state, 0, state.block.length)
        # Rows of the neighbouring days were context only.
        seconds = rows.column("window_start_utc").cast(pa.int64()).to_numpy() // MICROS
        dates = local_days(seconds, city.zone)
        rows = rows.append_column("date", pa.array(dates, pa.date32()))
        return rows.filter(pa.array(dates == (day - date(1970, 1, 1)).days)).select(FEATURES.names).cast(FEATURES)

    start = F.col("window_start_utc")
    # A window is wanted by its own day, by the day that looks back on it, and by the day whose labels it holds.
    days = F.array_distinct(
        F.array(local_date(start + before, city), local_date(start, city), local_date(start - after, city))
    )
    keyed = (
        windows.select("*", F.explode(days).alias("day"))
        # An edge's copy must not make a day that has no window of its own.
        .join(F.broadcast(windows.select(F.col("date").alias("day")).distinct()), "day", "left_semi")
    )
    return keyed.groupBy("day").applyInArrow(day_features, from_arrow_schema(FEATURES, prefer_timestamp_ntz=False))
