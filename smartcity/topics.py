"""Kafka topics: their names, keys and partition counts stand here only."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Topic:
    """One topic. ``key`` says what orders its messages; ``retention_hours`` bounds its disk use."""

    name: str
    key: str
    partitions: int = 2
    retention_hours: int = 24
    compacted: bool = False


VEHICLE_POSITIONS = Topic("vehicle_positions", key="vehicle_id", partitions=4)
VEHICLE_POSITIONS_REJECTED = Topic("vehicle_positions_rejected", key="topic, partition and offset it came from")
DASHBOARD_EVENTS = Topic("dashboard_events", key="cell_id")
MODEL_EVENTS = Topic("model_events", key="model", partitions=1, retention_hours=24 * 30)

ALL = (VEHICLE_POSITIONS, VEHICLE_POSITIONS_REJECTED, DASHBOARD_EVENTS, MODEL_EVENTS)
