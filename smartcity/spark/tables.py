"""Spark in and out of the lake's tables."""

from collections.abc import Iterable
from datetime import date

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import StructType

from smartcity.city import City
from smartcity.errors import SchemaMismatchError
from smartcity.lake import MadeFrom, Table


def spark_schema(table: Table) -> StructType:
    """The table's contract as a Spark schema."""
    schema: StructType = from_arrow_schema(table.schema, prefer_timestamp_ntz=False)
    return schema


def local_date(timestamp_utc: Column, city: City) -> Column:
    """The city's local date of an instant: the partition key of every table."""
    return F.to_date(F.from_utc_timestamp(timestamp_utc, city.time_zone))


def read_table(spark: SparkSession, table: Table, start: date | None, end: date | None, maker: str) -> DataFrame:
    """The published rows of the days ``start`` … ``end``.

    Raises: MissingDataError where there are none; ``maker`` is the command that makes them.
    """
    files = table.require_files(start, end, maker)
    frame = spark.read.schema(spark_schema(table)).option("basePath", table.uri()).parquet(*files)
    return frame.select(*table.schema.names)


def write_table(
    rows: DataFrame,
    table: Table,
    dates: Iterable[date],
    made_from: MadeFrom = None,
) -> int:
    """Replace the days ``dates`` by ``rows``, atomically. Rows of other days are refused before anything is published.

    Returns: rows published. Raises: SchemaMismatchError naming the column that is missing or of another type.
    """
    expected = {field.name: field.dataType for field in spark_schema(table)}
    found = {field.name: field.dataType for field in rows.schema}
    for name, kind in expected.items():
        if found.get(name) != kind:
            raise SchemaMismatchError(f"{table.name}: column {name} must be {kind}, got {found.get(name)}")
    run = table.begin()
    rows.select(*expected).repartition("date").write.partitionBy("date").parquet(run.uri)
    return table.publish(run, dates, made_from)
