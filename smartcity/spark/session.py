"""The Spark session, configured once for every job, the stream and the tests."""

import os
import shlex
from collections.abc import Mapping, Sequence

from pyspark import SparkConf
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


def driver_options(settings: Settings, java_options: Sequence[str] = (), *, make_archive: bool = False) -> str:
    """What Java is told at the start of a job's driver: ``java_options``, and from where to load its classes.

    They come from an archive where there is one; with ``make_archive``, this run leaves one behind.
    """
    # A service brings an archive of its own, and Java takes only one.
    archive = [] if "SPARK_SUBMIT_OPTS" in os.environ else class_archive(settings, "batch", make=make_archive)
    return shlex.join([*archive, *java_options])


def configuration(
    settings: Settings,
    name: str,
    extra: Mapping[str, str] | None = None,
    *,
    java_options: Sequence[str] = (),
    make_archive: bool = False,
) -> SparkConf:
    """How Spark is to start: on the master that the settings name; under ``spark-submit``, as that has prepared it.

    Args: java_options, make_archive: for ``driver_options``.
    """
    host = settings.spark_driver_host
    listening = {"spark.driver.host": host, "spark.driver.bindAddress": host if host == "127.0.0.1" else "0.0.0.0"}
    values = {"spark.app.name": name, **COMMON, **listening}
    if "PYSPARK_GATEWAY_PORT" not in os.environ:
        prepare_environment(settings)
        values |= {"spark.master": settings.spark_master, "spark.driver.memory": settings.spark_driver_memory}
        values["spark.driver.extraJavaOptions"] = driver_options(settings, java_options, make_archive=make_archive)
    return SparkConf(loadDefaults=False).setAll([*{**values, **(extra or {})}.items()])


def create_session(settings: Settings, name: str, extra: Mapping[str, str] | None = None) -> SparkSession:
    """A session for a process that needs SQL from its start."""
    return SparkSession.builder.config(conf=configuration(settings, name, extra)).getOrCreate()
