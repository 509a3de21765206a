"""What an operator sees: a request id on everything, structured logs, and figures for Prometheus."""

import json
import logging
import re
import secrets
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, g, has_request_context, request
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api import problems

if TYPE_CHECKING:
    from api.context import Context
    from api.security import Gate

access = logging.getLogger("api.access")

REQUEST_ID = "X-Request-Id"
SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
#: Beyond this a request is logged whatever the settings say.
SLOW_SECONDS = 1.0


class JsonFormatter(logging.Formatter):
    """One JSON object a line, with the id of the request it belongs to."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if has_request_context() and "request_id" in g:
            line["request_id"] = g.request_id
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def configure_logging(as_json: bool) -> None:
    """Log to standard error: text for people, or JSON lines, then with a line for each request."""
    handler = logging.StreamHandler()
    text = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    handler.setFormatter(JsonFormatter() if as_json else logging.Formatter(text))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    access.setLevel(logging.INFO if as_json else logging.WARNING)


class Figures(Collector):
    """Figures of the running system, read when they are asked for."""

    def __init__(self, context: "Context", gate: "Gate") -> None:
        self._context = context
        self._gate = gate

    def collect(self) -> Iterable[Metric]:
        """All of them."""
        context, summary = self._context, self._context.summary()
        progress = context.stream_progress or {}
        ages = {
            "events": context.events.age_seconds,
            "positions": context.positions.age_seconds,
            "database": _age(context.database_ok_utc),
            "stream": _age(progress.get("updated_utc")),
        }
        family = GaugeMetricFamily(
            "traffic_data_age_seconds", "Seconds since a part's last sign of life.", labels=["part"]
        )
        for part, age in ages.items():
            if age is not None:
                family.add_metric([part], age)
        yield family
        gauges = {
            "cells_known": (summary.cells_known, "Places with a known level."),
            "cells_unknown": (summary.cells_unknown, "Places whose level is unknown."),
            "congested_share": (summary.congested_share, "Share of known places at level high."),
            "forecast_congested_share": (summary.forecast_congested_share, "That share, as foretold."),
            "events_per_second": (summary.events_per_second, "Positions read from Kafka."),
            "delay_seconds": (summary.delay_seconds, "Median age of an event when its window was written."),
            "live_accuracy": (summary.live_accuracy, "Share of the last day's forecasts that came true."),
            "persistence_accuracy": (summary.persistence_accuracy, "The same rows, had nothing changed."),
            "stream_lag_events": (progress.get("lag_events"), "Events the stream has yet to read."),
            "websocket_clients": (context.websocket_clients(), "Clients of the stream."),
            "alerts_active": (context.alerts.active, "Alerts that last."),
        }
        for name, (value, text) in gauges.items():
            if value is not None:
                yield GaugeMetricFamily(f"traffic_{name}", text, float(value))
        counters = {
            "events_read": (progress.get("total_read"), "Events the stream took in."),
            "events_rejected": (progress.get("total_rejected"), "Events that broke the contract or a bound."),
            "events_late": (progress.get("total_late"), "Events that came after their window was closed."),
            "rate_limited": (self._gate.rate.refused, "Requests refused for their number."),
            "websocket_dropped": (context.loop.dropped, "Clients dropped: slow, silent or talkative."),
            "websocket_thinned": (context.loop.thinned, "Times a slow client got a snapshot for what it missed."),
            "webhooks_sent": (context.deliveries.sent, "Webhooks that were taken."),
            "webhooks_given_up": (context.deliveries.failed, "Webhooks that nobody took."),
        }
        for name, (count, text) in counters.items():
            if count is not None:
                yield CounterMetricFamily(f"traffic_{name}", text, float(count))


def _age(moment: datetime | None) -> float | None:
    return (datetime.now(UTC) - moment).total_seconds() if moment is not None else None


def request_id(given: str) -> str:
    """The id that a request came with, if that is one, or a new one."""
    return given if SANE_ID.fullmatch(given) else secrets.token_hex(8)


class Observer:
    """Counts, times and names requests."""

    def __init__(self, context: "Context", gate: "Gate") -> None:
        self.registry = CollectorRegistry()
        self._seconds = Histogram(
            "traffic_http_request_seconds", "Time to answer.", ["route"], buckets=BUCKETS, registry=self.registry
        )
        self._requests = Counter(
            "traffic_http_requests", "Requests answered.", ["method", "route", "status"], registry=self.registry
        )
        self.registry.register(Figures(context, gate))

    def begin(self) -> None:
        """Before a request: the id it came with, if that is one, or a new one."""
        g.request_id = request_id(request.headers.get(REQUEST_ID, ""))
        g.started = time.perf_counter()

    def record(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count and time one answer."""
        self._seconds.labels(route).observe(seconds)
        self._requests.labels(method, route, status).inc()

    def end(self, response: Response) -> Response:
        """After a request."""
        response.headers[REQUEST_ID] = g.request_id
        took = time.perf_counter() - g.started
        # The rule, not the path: figures are bounded, whatever is asked for.
        route = request.url_rule.rule if request.url_rule else "none"
        self.record(request.method, route, response.status_code, took)
        if took > SLOW_SECONDS or access.isEnabledFor(logging.INFO):
            fields = {
                "method": request.method,
                "path": request.path,
                "status": response.status_code,
                "milliseconds": round(took * 1000, 1),
                "client": request.remote_addr,
            }
            text = f"{request.method} {request.path} {response.status_code} {took * 1000:.1f} ms"
            access.log(logging.WARNING if took > SLOW_SECONDS else logging.INFO, text, extra={"fields": fields})
        return response


def install(app: Flask, context: "Context", gate: "Gate") -> Observer:
    """Observe every request of ``app``; ``/metrics`` shows what was seen."""
    observer = Observer(context, gate)
    app.before_request_funcs.setdefault(None, []).insert(0, observer.begin)
    app.after_request(observer.end)

    @app.get("/metrics")
    def metrics() -> Response:
        """Figures for Prometheus."""
        if request.args:
            raise problems.Problem(400, "The query is not valid: /metrics takes no parameters")
        encode, media_type = choose_encoder(request.headers.get("Accept", ""))
        return Response(encode(observer.registry), content_type=media_type)

    return observer
