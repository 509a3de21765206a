"""The process that Python's workers are forked from: it has imported what kernels need, once for all of them."""

import duckdb  # noqa: F401
import pyarrow.compute
import pyarrow.dataset
import pyarrow.parquet  # noqa: F401
from pyspark.daemon import manager

import smartcity.features
import smartcity.lake
import smartcity.positions
import smartcity.spark.tasks
import smartcity.tripfiles
import smartcity.tripfiles.judging
import smartcity.windowsums
import smartcity.zones  # noqa: F401

if __name__ == "__main__":
    manager()
