"""The process that Python's workers are forked from: it has imported what kernels need, once for all of them."""

import sys

# Spark puts the archives of its own modules first, which Python compiles anew at each start; what is installed is
# compiled already, and the same. The archives stay within reach for a machine where it is not.
sys.path.sort(key=lambda entry: entry.endswith(".zip"))

import duckdb  # noqa: F401
import pyarrow.compute
import pyarrow.parquet  # noqa: F401
from pyspark.daemon import manager

import smartcity.features
import smartcity.lakerows
import smartcity.positions
import smartcity.spark.tasks
import smartcity.tripfiles
import smartcity.tripfiles.judging
import smartcity.windowsums
import smartcity.zones  # noqa: F401

if __name__ == "__main__":
    manager()
