"""The one streaming query: events in, changed windows and rejected events out.

Rejected events leave through the same query as a second branch of a union. A query of its own would plan, log and
commit every batch a second time, some 150 ms of a core per trigger; the branch costs one more parse, about 2 µs an
event, and its rows belong to the same batch, hence are counted exactly. Both branches read the same offsets.
"""

from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.streaming.readwriter import DataStreamReader

from smartcity.city import City
from smartcity.services.jars import connector_jars
from smartcity.settings import Settings
from smartcity.spark.cells import cell_id
from smartcity.spark.events import parse_events
from smartcity.spark.session import create_session
from smartcity.spark.windows import aggregate_windows
from smartcity.topics import VEHICLE_POSITIONS

#: Frozen into the checkpoint; one per core of the smallest machine, each a RocksDB of its own.
SHUFFLE_PARTITIONS = 2
#: Events taken at once when the stream has fallen behind: bounds the driver's memory and the time of a batch.
MAX_EVENTS_PER_BATCH = 100_000
#: Bytes kept of a rejected value.
REJECTED_BYTES = 1024

_STATE = "spark.sql.streaming.stateStore"
CONF = {
    "spark.sql.shuffle.partitions": str(SHUFFLE_PARTITIONS),
    f"{_STATE}.providerClass": "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider",
    # A batch writes what changed; without it, whole SST files. Both instances share one bounded cache.
    f"{_STATE}.rocksdb.changelogCheckpointing.enabled": "true",
    f"{_STATE}.rocksdb.boundedMemoryUsage": "true",
    f"{_STATE}.rocksdb.maxMemoryUsageMB": "96",
    f"{_STATE}.minDeltasForSnapshot": "60",
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


def read_topic(spark: SparkSession, settings: Settings) -> DataStreamReader:
    """The topic from its beginning; a checkpoint says where to go on. Events lost by the broker stop the query."""
    options = {
        "kafka.bootstrap.servers": settings.kafka,
        "subscribe": VEHICLE_POSITIONS.name,
        "startingOffsets": "earliest",
        "failOnDataLoss": "true",
        "maxOffsetsPerTrigger": str(MAX_EVENTS_PER_BATCH),
    }
    return spark.readStream.format("kafka").options(**options)


def windows_and_rejects(kafka: DataFrame, settings: Settings, city: City) -> DataFrame:
    """Changed windows (``reject_reason`` null) and rejected events (``cell_id`` null) of each batch.

    Args: kafka: the columns of Spark's Kafka source.
    Returns: the columns of ``columns.WINDOWS`` but ``date``, ``newest_event_utc``, and those of a rejected event.
    """
    parsed = parse_events(kafka, settings, city)
    good = (
        parsed.where(F.col("reject_reason").isNull())
        .select(
            "vehicle_id",
            "timestamp_utc",
            "speed_mph",
            cell_id(F.col("latitude"), F.col("longitude"), city).alias("cell_id"),
        )
        .withWatermark("timestamp_utc", f"{settings.allowed_lateness_minutes} minutes")
    )
    windows = aggregate_windows(good, city, F.max("timestamp_utc").alias("newest_event_utc"))
    rejected = parsed.where(F.col("reject_reason").isNotNull()).select(
        "reject_reason",
        "topic",
        "partition",
        "offset",
        F.substring("value", 1, REJECTED_BYTES).alias("payload"),
        F.length("value").alias("payload_bytes"),
    )
    return windows.unionByName(rejected, allowMissingColumns=True)


def checkpoint_folder(settings: Settings, dataset: str) -> Path:
    """Where the query keeps its offsets and state."""
    return settings.home / "checkpoints" / f"windows-{dataset}"
