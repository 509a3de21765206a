"""The two streaming queries: events to changed windows, and events once more, for the archive and for the rejected.

Rejected events have a query of their own, at a slow trigger, which also hands on the good ones for the archive. As a
second branch of the first query they would be read and parsed a second time as well (Spark makes two sources of a
union's one), and would double the tasks of every one of its batches, once a second; here that overhead comes once in
ten seconds, and a flood of garbage cannot hold up the windows. A verdict depends on the event and the broker's record
only, so the two agree on every event: where the first query found none that broke a rule, the second does not judge.
"""

from pathlib import Path

import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.streaming.readwriter import DataStreamReader

from smartcity.city import City, PlaceKind
from smartcity.sensors import ALL_VEHICLE_BITS, POSITIONS_PER_READING
from smartcity.services.jars import connector_jars
from smartcity.settings import Settings
from smartcity.spark.cells import cell_id
from smartcity.spark.events import parse_events
from smartcity.spark.session import create_session
from smartcity.spark.tables import local_date
from smartcity.spark.windows import aggregate_windows
from smartcity.topics import VEHICLE_POSITIONS
from streaming.verdicts import OBSERVED, REJECTED

#: Frozen into the checkpoint; one per core of the smallest machine, each a RocksDB of its own.
SHUFFLE_PARTITIONS = 2
#: Events taken at once when the stream has fallen behind: bounds the driver's memory and the time of a batch.
MAX_EVENTS_PER_BATCH = 100_000
#: The slow query's, whose batches are ten times as far apart as those of the windows.
MAX_JUDGED_PER_BATCH = 300_000
#: Bytes kept of a rejected value.
REJECTED_BYTES = 1024

#: What is told of a rejected event.
REJECTED_SCHEMA = pa.schema(
    [
        ("reject_reason", pa.string()),
        ("topic", pa.string()),
        ("partition", pa.int32()),
        ("offset", pa.int64()),
        ("payload", pa.binary()),
        ("payload_bytes", pa.int32()),
    ]
)

_POSITION = ("vehicle_id", "trip_id", "timestamp_utc", "latitude", "longitude", "speed_mph")
_STATE = "spark.sql.streaming.stateStore"
#: Spark asks the broker for the topic's bounds after each fetch, on the connection on which the next fetch already
#: waits for data: an answer takes as long as that may wait. With Kafka's 500 ms a batch of four partitions lasted up to
#: a second longer.
FETCH_WAIT_MS = 1
CONF = {
    "spark.sql.shuffle.partitions": str(SHUFFLE_PARTITIONS),
    f"{_STATE}.providerClass": "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider",
    # A batch writes what changed; without it, whole SST files. Both instances share one bounded cache.
    f"{_STATE}.rocksdb.changelogCheckpointing.enabled": "true",
    f"{_STATE}.rocksdb.boundedMemoryUsage": "true",
    f"{_STATE}.rocksdb.maxMemoryUsageMB": "96",
    f"{_STATE}.minDeltasForSnapshot": "60",
    # The checkpoint is on a local disk, whose rename is atomic. The default's way of renaming starts a program or two
    # for each file, which took a third of the time of a small batch.
    "spark.sql.streaming.checkpointFileManagerClass": (
        "org.apache.spark.sql.execution.streaming.checkpointing.FileSystemBasedCheckpointFileManager"
    ),
    "spark.sql.streaming.minBatchesToRetain": "20",
    "spark.sql.streaming.numRecentProgressUpdates": "20",
    "spark.sql.streaming.stopTimeout": "30s",
    "spark.ui.enabled": "false",
    "spark.ui.retainedJobs": "20",
    "spark.ui.retainedStages": "20",
    "spark.ui.retainedTasks": "200",
    "spark.sql.ui.retainedExecutions": "20",
}


def stream_session(settings: Settings) -> SparkSession:
    """A session with Kafka's connector and a state store whose memory is bounded."""
    jars = ",".join(str(jar) for jar in connector_jars(settings))
    memory = {"spark.driver.memory": settings.stream_driver_memory}
    return create_session(settings, "traffic stream", {**CONF, **memory, "spark.jars": jars})


def read_topic(spark: SparkSession, settings: Settings, most: int = MAX_EVENTS_PER_BATCH) -> DataStreamReader:
    """The topic from its beginning; a checkpoint says where to go on. Events lost by the broker stop the query."""
    options = {
        "kafka.bootstrap.servers": settings.kafka,
        "subscribe": VEHICLE_POSITIONS.name,
        "startingOffsets": "earliest",
        "failOnDataLoss": "true",
        "maxOffsetsPerTrigger": str(most),
        "kafka.fetch.max.wait.ms": str(FETCH_WAIT_MS),
    }
    return spark.readStream.format("kafka").options(**options)


def changed_windows(kafka: DataFrame, settings: Settings, city: City) -> DataFrame:
    """Windows of the good events, in update mode.

    In a city of sensors an event is a reading, and ``vehicle_id`` names its sensor, which is the place.

    Args: kafka: the columns of Spark's Kafka source, a stream.
    Returns: the columns of ``columns.WINDOWS`` but ``date``, and ``newest_event_utc``.
    """
    judged = parse_events(kafka, settings, city).observe(
        OBSERVED, F.count_if(F.col("reject_reason").isNotNull()).alias(REJECTED)
    )
    good = judged.where(F.col("reject_reason").isNull())
    sensors = city.place_kind is PlaceKind.SENSOR
    cell = F.col("vehicle_id") if sensors else cell_id(F.col("latitude"), F.col("longitude"), city)
    # Two tasks for the topic's partitions, as many as there are cores: each task costs some milliseconds.
    placed = good.coalesce(SHUFFLE_PARTITIONS).select("vehicle_id", "timestamp_utc", "speed_mph", cell.alias("cell_id"))
    marked = placed.withWatermark("timestamp_utc", f"{settings.allowed_lateness_minutes} minutes")
    windows = aggregate_windows(marked, city, F.max("timestamp_utc").alias("newest_event_utc"))
    return windows.withColumns(_as_readings()) if sensors else windows


def _as_readings() -> dict[str, Column]:
    """What a reading counts as: the same as in the windows of an ingested sensor table."""
    weighed = ("vehicle_count", "position_count", "speed_sum", "speed_square_sum")
    counts = {name: F.col(name) * POSITIONS_PER_READING for name in weighed}
    return {**counts, "vehicle_bits": F.lit(ALL_VEHICLE_BITS).cast("bigint")}


def rejected_events(kafka: DataFrame, settings: Settings, city: City) -> DataFrame:
    """Events that break a rule: the first, where they stood, and their first bytes."""
    return (
        parse_events(kafka, settings, city)
        .where(F.col("reject_reason").isNotNull())
        .select(
            "reject_reason",
            "topic",
            "partition",
            "offset",
            F.substring("value", 1, REJECTED_BYTES).alias("payload"),
            F.length("value").alias("payload_bytes"),
        )
    )


def judged_events(kafka: DataFrame, settings: Settings, city: City) -> DataFrame:
    """Every event, parsed once: good ones for the archive, rejected ones as in ``rejected_events``.

    Returns: the columns of ``rejected_events`` (all but the place null for good events), those of
    ``archive.ARCHIVED``, and ``date``.
    """
    bad = F.col("reject_reason").isNotNull()
    return parse_events(kafka, settings, city).select(
        "reject_reason",
        "topic",
        "partition",
        "offset",
        F.when(bad, F.substring("value", 1, REJECTED_BYTES)).alias("payload"),
        F.when(bad, F.length("value")).alias("payload_bytes"),
        # Of an event that broke a rule, nothing need be true.
        *(F.when(~bad, F.col(name)).alias(name) for name in _POSITION),
        F.when(~bad, local_date(F.col("timestamp_utc"), city)).alias("date"),
    )


def checkpoint_folder(settings: Settings, dataset: str, query: str) -> Path:
    """Where a query keeps its offsets and state."""
    return settings.checkpoints / f"{query}-{dataset}"
