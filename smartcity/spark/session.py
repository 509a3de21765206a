"""The Spark session, configured once for every job, the stream and the tests."""

import os
import shlex

from pyspark.sql import SparkSession

from smartcity.services.java import class_archive, environment
from smartcity.settings import Settings

#: Why each is set: UTC sessions make local dates explicit; small shuffles suit two cores; Arrow both ways.
COMMON = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "8",
    "spark.sql.adaptive.enabled": "true",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.sql.parquet.compression.codec": "zstd",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.maxConcurrentOutputFileWriters": "64",
    "spark.sql.sources.parallelPartitionDiscovery.threshold": "10000",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "WARN",
}


def prepare_environment(settings: Settings) -> None:
    """Find Java and name this Python to Spark; on a cluster, what the machine's environment says goes first."""
    for name, value in environment(settings).items():
        if settings.spark_master.startswith("local") or name not in os.environ:
            os.environ[name] = value


def create_session(
    settings: Settings, name: str, extra: dict[str, str] | None = None, *, make_archive: bool = False
) -> SparkSession:
    """A session on the master that the settings name; under ``spark-submit``, the one it has prepared.

    Java's classes are loaded from an archive where there is one; with ``make_archive``, this run leaves one behind.
    """
    builder = SparkSession.builder.appName(name)
    if "PYSPARK_GATEWAY_PORT" not in os.environ:
        prepare_environment(settings)
        builder = builder.master(settings.spark_master).config("spark.driver.memory", settings.spark_driver_memory)
        # A service brings an archive of its own, and Java takes only one.
        if "SPARK_SUBMIT_OPTS" not in os.environ:
            archive = class_archive(settings, "batch", make=make_archive)
            builder = builder.config("spark.driver.extraJavaOptions", shlex.join(archive))
    host = settings.spark_driver_host
    listening = {"spark.driver.host": host, "spark.driver.bindAddress": host if host == "127.0.0.1" else "0.0.0.0"}
    for key, value in {**COMMON, **listening, **(extra or {})}.items():
        builder = builder.config(key, value)
    return builder.getOrCreate()
