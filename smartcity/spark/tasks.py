"""Arrow kernels as Spark tasks: one task per item, small reports back, bulk data only through files and shuffles."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession

from smartcity.errors import InputError

#: What a task says of its work, as JSON.
Report = dict[str, Any]
_REPORTS = pa.schema([("report", pa.string())])


@contextmanager
def raising_input_errors() -> Iterator[None]:
    """An InputError raised on a worker comes back as one, without Spark's page of stack traces."""
    try:
        yield
    except PySparkException as error:
        found = re.search(r"smartcity\.errors\.InputError: (.*)", str(error))
        if found is None:
            raise
        raise InputError(found[1]) from None


def numbered(spark: SparkSession, count: int) -> DataFrame:
    """Numbers 0 … ``count`` - 1, each in a partition of its own: one task per item of a list that tasks know."""
    return spark.range(0, count, 1, numPartitions=max(1, count))


def collect_reports(frame: DataFrame, work: Callable[[Iterator[pa.RecordBatch]], Iterable[Report]]) -> list[Report]:
    """Run ``work`` on each partition of ``frame`` and gather its reports."""

    def reported(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        lines = [json.dumps(report) for report in work(batches)]
        yield pa.RecordBatch.from_arrays([pa.array(lines, pa.string())], schema=_REPORTS)

    with raising_input_errors():
        rows = frame.mapInArrow(reported, "report string").collect()
    return [json.loads(row.report) for row in rows]


def run_tasks(
    spark: SparkSession, description: str, items: Sequence[Any], work: Callable[[Any], Iterable[Report]]
) -> list[Report]:
    """Run ``work`` on each item as a task; ``description`` is what Spark's UI shows. Returns: all reports."""

    def each(batches: Iterator[pa.RecordBatch]) -> Iterator[Report]:
        for batch in batches:
            for number in batch.column(0).to_pylist():
                yield from work(items[number])

    if not items:
        return []
    spark.sparkContext.setJobDescription(description)
    return collect_reports(numbered(spark, len(items)), each)
