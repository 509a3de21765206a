"""The events of the second query sorted into good and rejected: judged by all the rules only where one was broken."""

from contextlib import suppress

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame

from smartcity.city import City
from smartcity.events import decode_columns
from smartcity.localtime import MICROS, local_days
from smartcity.settings import Settings
from streaming.checkpoint import Offsets, count_between
from streaming.metrics import StreamMetrics
from streaming.query import REJECTED_SCHEMA, judged_events, rejected_events
from streaming.verdicts import Verdicts


class Sorter:
    """Takes the columns of Spark's Kafka source, gives those of ``judged_events`` or ``rejected_events``.

    Args: keeps: whether the good ones are wanted as well, for the archive.
    """

    def __init__(self, verdicts: Verdicts, settings: Settings, city: City, keeps: bool, metrics: StreamMetrics) -> None:
        self._verdicts = verdicts
        self._metrics = metrics
        self._settings = settings
        self._city = city
        self._keeps = keeps

    def collect(self, events: DataFrame, start: Offsets, end: Offsets) -> pa.Table:
        """The events of a batch; its offsets say where they stand."""
        if self._verdicts.all_good(start, end):
            if not self._keeps:
                return REJECTED_SCHEMA.empty_table()
            # An event that is good and not plain is left to the rules, and its neighbours with it.
            with suppress(ValueError):
                return good_events(events.select("topic", "partition", "offset", "value").toArrow(), self._city)
        self._metrics.judged_again(count_between(start, end))
        judge = judged_events if self._keeps else rejected_events
        return judge(events, self._settings, self._city).toArrow()


def good_events(events: pa.Table, city: City) -> pa.Table:
    """Events of which none breaks a rule, as ``judged_events`` has them.

    Args: events: topic, partition, offset and value. Raises: ValueError as ``decode_columns``.
    """
    read = decode_columns(events.column("value"))
    seconds = read.column("timestamp_utc").cast(pa.int64()).to_numpy() // MICROS
    days = pa.array(local_days(seconds.astype(np.int64), city.zone), pa.int32()).cast(pa.date32())
    places = {name: events.column(name) for name in ("topic", "partition", "offset")}
    nothing = {field.name: pa.nulls(len(events), field.type) for field in REJECTED_SCHEMA if field.name not in places}
    return pa.table({**nothing, **places, **{name: read.column(name) for name in read.column_names}, "date": days})
