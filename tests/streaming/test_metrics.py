from datetime import UTC, datetime, timedelta

import pyarrow as pa

from smartcity import columns
from smartcity.store.writer import BatchFigures
from streaming.lag import Lag
from streaming.metrics import StreamMetrics

NOW = datetime(2026, 3, 4, 17, 0, tzinfo=UTC)


def value(metrics, name, **labels):
    return metrics.registry.get_sample_value(name, labels)


def figures(model="3"):
    return BatchFigures(1, NOW, NOW, 500, 490, 0, 250.0, 0.4, 7, model)


def test_a_batch_shows_its_rate_time_lag_and_model():
    metrics = StreamMetrics()
    metrics.batch("windows", figures(), {0: Lag(7, 1.5), 1: Lag(0, 0.0)}, {"spark": 0.2})
    metrics.batch("windows", figures("4"), {0: Lag(2, 0.5)}, {"spark": 0.3})
    assert value(metrics, "traffic_stream_events_total", query="windows") == 1000
    assert value(metrics, "traffic_stream_input_rate", query="windows") == 250
    assert value(metrics, "traffic_stream_batch_seconds_count", query="windows") == 2
    assert value(metrics, "traffic_stream_stage_seconds", query="windows", stage="spark") == 0.3
    assert value(metrics, "traffic_stream_partition_lag_events", query="windows", partition="0") == 2
    assert value(metrics, "traffic_stream_partition_lag_seconds", query="windows", partition="0") == 0.5
    assert value(metrics, "traffic_stream_model", version="4") == 1
    assert value(metrics, "traffic_stream_model", version="3") is None


def test_rejected_events_are_counted_by_reason():
    metrics = StreamMetrics()
    metrics.rows(pa.table({"reject_reason": ["empty", "not_json", "empty"]}), NOW)
    assert value(metrics, "traffic_stream_rejected_total", reason="empty") == 2


def test_the_age_of_events_is_measured_but_of_those_replayed_as_recorded():
    metrics = StreamMetrics()
    times = [NOW - timedelta(seconds=1), NOW - timedelta(days=3000), None]
    metrics.rows(pa.table({"newest_event_utc": pa.array(times, columns.UTC_TIMESTAMP)}), NOW)
    assert value(metrics, "traffic_stream_latency_seconds_count") == 1
    assert value(metrics, "traffic_stream_latency_seconds_sum") == 1


def test_the_state_is_shown():
    metrics = StreamMetrics()
    metrics.state("windows", 300, 4096)
    assert value(metrics, "traffic_stream_state_rows", query="windows") == 300
    assert value(metrics, "traffic_stream_state_bytes", query="windows") == 4096
