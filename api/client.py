"""A typed client in Python: the endpoints as methods, the stream as an iterator that comes back by itself.

from api.client import TrafficClient

client = TrafficClient("http://127.0.0.1:5000")
for spot in client.hotspots(limit=5).hotspots:
    print(spot.rank, spot.cell.cell_id, spot.delay_minutes_per_mile)
for message in client.stream(bbox=(-74.02, 40.70, -73.95, 40.80)):
    print(message.sequence, len(message.cells))
"""

import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import orjson
import requests
from pydantic import BaseModel
from simple_websocket import Client, ConnectionClosed, ConnectionError

from api.alertmodels import AlertList, CreatedRule, NewRule, Rules
from api.modelcontrol import Rollback, RolledBack
from api.models import Accuracy, CellDetail, CurrentTraffic, Health, Historical, Hotspots, Predictions, Stats
from api.problems import ProblemDetails
from api.replaymodels import ReplayOrder, ReplayState
from smartcity.messages import Snapshot, Update

M = TypeVar("M", bound=BaseModel)
Box = tuple[float, float, float, float]
FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS = 0.5, 15.0
#: A restart of the server takes seconds: for so many attempts it is asked often, so that none of them is waited away.
QUICK_RETRIES = 10
#: Seconds without a message after which the stream is opened anew: the server speaks every two.
SILENCE_SECONDS = 15.0
MOST_MESSAGE_BYTES = 256 * 1024 * 1024


class ApiError(Exception):
    """The API answered with a problem; ``problem`` says which."""

    def __init__(self, problem: ProblemDetails) -> None:
        super().__init__(f"{problem.status} {problem.title}: {problem.detail}")
        self.problem = problem


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, (list, tuple, set, frozenset)):
        return ",".join(str(item) for item in value)
    return str(value)


def _query(values: dict[str, Any]) -> dict[str, str]:
    return {name.rstrip("_"): _text(value) for name, value in values.items() if value is not None}


def _wait_before(attempt: int) -> float:
    """Seconds before attempt ``attempt`` (0 is the first retry): short at first, then doubling."""
    # The exponent is bounded, or a server that is away for days overflows it.
    return min(LAST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2.0 ** min(10, max(0, attempt - QUICK_RETRIES + 1)))


class TrafficClient:
    """One server.

    Args:
        url: its address, e.g. http://127.0.0.1:5000.
        token: where it listens beyond its own machine.
        timeout: seconds to wait for an answer.

    """

    def __init__(self, url: str, token: str | None = None, timeout: float = 30.0) -> None:
        self._url = url.rstrip("/")
        self._session = requests.Session()
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._session.headers.update(self._headers)
        self._timeout = timeout

    def _ask(self, method: str, path: str, query: dict[str, Any] | None = None, body: BaseModel | None = None) -> bytes:
        answer = self._session.request(
            method,
            f"{self._url}{path}",
            params=_query(query or {}),
            data=body.model_dump_json() if body else None,
            headers={"Content-Type": "application/json"} if body else None,
            timeout=self._timeout,
        )
        if answer.status_code >= 400 and answer.headers.get("Content-Type", "").startswith("application/problem"):
            raise ApiError(ProblemDetails.model_validate_json(answer.content))
        answer.raise_for_status()
        return answer.content

    def _get(self, model: type[M], path: str, **query: Any) -> M:
        return model.model_validate_json(self._ask("GET", path, query))

    def health(self) -> Health:
        """How old each part's data are. Raises: requests.HTTPError while the server is not ready."""
        return self._get(Health, "/api/health")

    def stats(self) -> Stats:
        """Figures of the running system."""
        return self._get(Stats, "/api/stats")

    def accuracy(self) -> Accuracy:
        """How good the live forecasts were over the last day."""
        return self._get(Accuracy, "/api/accuracy")

    def current_traffic(
        self,
        *,
        bbox: Box | None = None,
        cells: Sequence[str] | None = None,
        level: str | None = None,
        min_vehicles: int | None = None,
        at: datetime | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> CurrentTraffic:
        """The newest window of each cell, or those of ``at``."""
        return self._get(
            CurrentTraffic,
            "/api/current-traffic",
            bbox=bbox,
            cells=cells,
            level=level,
            min_vehicles=min_vehicles,
            at=at,
            limit=limit,
            cursor=cursor,
        )

    def predictions(
        self,
        *,
        bbox: Box | None = None,
        cells: Sequence[str] | None = None,
        level: str | None = None,
        min_vehicles: int | None = None,
        at: datetime | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Predictions:
        """The forecast for each cell; with ``at`` what was foretold then, and what happened."""
        return self._get(
            Predictions,
            "/api/predictions",
            bbox=bbox,
            cells=cells,
            level=level,
            min_vehicles=min_vehicles,
            at=at,
            limit=limit,
            cursor=cursor,
        )

    def historical(
        self,
        *,
        from_: datetime | None = None,
        to: datetime | None = None,
        step_minutes: int | None = None,
        aggregation: str | None = None,
        cell_id: str | None = None,
        bbox: Box | None = None,
        cells: Sequence[str] | None = None,
        limit: int | None = None,
        cursor: datetime | None = None,
    ) -> Historical:
        """A series of the city, of some cells or of one."""
        return self._get(
            Historical,
            "/api/historical",
            from_=from_,
            to=to,
            step_minutes=step_minutes,
            aggregation=aggregation,
            cell_id=cell_id,
            bbox=bbox,
            cells=cells,
            limit=limit,
            cursor=cursor,
        )

    def hotspots(
        self,
        *,
        bbox: Box | None = None,
        min_vehicles: int | None = None,
        at: datetime | None = None,
        limit: int = 10,
        cursor: str | None = None,
    ) -> Hotspots:
        """The places that lose the most time."""
        return self._get(
            Hotspots, "/api/hotspots", bbox=bbox, min_vehicles=min_vehicles, at=at, limit=limit, cursor=cursor
        )

    def cell(self, cell_id: str, *, hours: float | None = None, at: datetime | None = None) -> CellDetail:
        """One place. Raises: ApiError 404 where it was never seen."""
        return self._get(CellDetail, f"/api/cell/{quote(cell_id, safe='')}", hours=hours, at=at)

    def alert_rules(self) -> Rules:
        """All alert rules."""
        return self._get(Rules, "/api/alert-rules")

    def create_alert_rule(self, rule: NewRule) -> CreatedRule:
        """Make an alert rule; its webhooks' secret is told this once."""
        return CreatedRule.model_validate_json(self._ask("POST", "/api/alert-rules", body=rule))

    def delete_alert_rule(self, rule_id: str) -> None:
        """Delete an alert rule."""
        self._ask("DELETE", f"/api/alert-rules/{rule_id}")

    def alerts(self, *, state: str | None = None, limit: int | None = None, cursor: str | None = None) -> AlertList:
        """Alerts, newest first."""
        return self._get(AlertList, "/api/alerts", state=state, limit=limit, cursor=cursor)

    def roll_back_model(self, reason: str, *, if_serving: str | None = None) -> RolledBack:
        """Let the model version before this one serve again. Needs the token. Raises: ApiError 409, 503."""
        body = Rollback(reason=reason, if_serving=if_serving)
        return RolledBack.model_validate_json(self._ask("POST", "/api/model/rollback", body=body))

    def replay(self) -> ReplayState:
        """What is replayed, how fast, and how far it is."""
        return self._get(ReplayState, "/api/replay")

    def control_replay(
        self, action: str, *, to: datetime | None = None, speed: float | str | None = None
    ) -> ReplayState:
        """Pause, resume, seek or change the speed of the replay; needs the token. Raises: ApiError 409."""
        order = ReplayOrder.model_validate({"action": action, "to": to, "speed": speed})
        return ReplayState.model_validate_json(self._ask("POST", "/api/replay", body=order))

    def stream(self, *, bbox: Box | None = None, cells: Sequence[str] | None = None) -> Iterator[Snapshot | Update]:
        """A snapshot, then updates for ever. After a gap, a silence or a lost connection a new snapshot comes first."""
        query = urlencode(_query({"bbox": bbox, "cells": cells}))
        address = f"ws{self._url.removeprefix('http')}/ws/stream{'?' + query if query else ''}"
        attempt = 0
        while True:
            try:
                for message in self._listen(address):
                    attempt = 0
                    yield message
            except (ConnectionClosed, ConnectionError, OSError):
                time.sleep(_wait_before(attempt))
                attempt += 1

    def _listen(self, address: str) -> Iterator[Snapshot | Update]:
        """Messages of one connection, until one is missing or none comes."""
        socket = Client.connect(address, headers=self._headers, max_message_size=MOST_MESSAGE_BYTES)
        sequence: int | None = None
        try:
            while (text := socket.receive(timeout=SILENCE_SECONDS)) is not None:
                kind = orjson.loads(text).get("type")
                if kind not in ("snapshot", "update"):
                    continue
                message = (Snapshot if kind == "snapshot" else Update).model_validate_json(text)
                if isinstance(message, Update) and message.sequence != (sequence or 0) + 1:
                    socket.send('{"type": "resync"}')
                    continue
                sequence = message.sequence
                yield message
        finally:
            try:
                socket.close()
            except (ConnectionClosed, OSError):
                sequence = None
