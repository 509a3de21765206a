"""The parts of the running API, wired together once; requests find them through the application."""

import logging
import threading
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

from flask_socketio import SocketIO
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from api import history, lakehistory, moments, sockets
from api.accuracy import LiveAccuracy
from api.alerts import Alerts
from api.background import Background, LakeFigures, Task, lake_figures, living_links
from api.bodies import Bodies
from api.cache import TimedCache
from api.consumer import Pairs, TopicReader
from api.deliveries import Deliveries
from api.history import Choice, Span, newest_windows
from api.models import HistoryPoint
from api.places import Places
from api.problems import Problem
from api.push import Pusher
from api.queries import Aggregation
from api.state import Cell, CityState
from api.streamloop import StreamLoop
from api.summary import summarise
from api.vehicles import VehicleMap
from smartcity import ground
from smartcity.city import PlaceKind
from smartcity.errors import MissingDataError
from smartcity.lake import Dataset
from smartcity.messages import CitySummary, ScoredWindow
from smartcity.settings import ROOT, Settings
from smartcity.store.engine import create_all, create_engine
from smartcity.store.reader import progress
from smartcity.store.tables import WINDOWS_QUERY
from smartcity.topics import DASHBOARD_EVENTS, VEHICLE_POSITIONS

log = logging.getLogger(__name__)

#: The built front end.
FRONTEND = ROOT / "frontend" / "dist"
#: Scored windows are read again from this long ago: between the database's seed and the first message none is missed.
EVENTS_LOOK_BACK = timedelta(minutes=2)
#: A batch of windows is waited for by a push: what came of it so far is handed on nearly at once.
EVENTS_GATHER_SECONDS = 0.005
#: A question that the database answers no sooner is given up.
STATEMENT_SECONDS = 20
#: Positions older than this are worth nothing on a map.
POSITIONS_SKIP = timedelta(seconds=30)


class Context:
    """State, readers, pusher and background work of one API process.

    Nothing runs before ``start``: tests drive the parts by hand.
    """

    def __init__(self, settings: Settings, frontend: Path = FRONTEND) -> None:
        self.settings = settings
        self.frontend = frontend
        self.socketio: SocketIO | None = None
        self.dataset = Dataset.of(settings)
        self.city = self.dataset.city
        self.window = timedelta(minutes=self.city.window_minutes)
        self.horizon = self.window * self.city.horizon_steps
        self.engine = create_engine(settings, STATEMENT_SECONDS)
        self.state = CityState()
        # A sensor's reading travels as a position, but nothing moves there.
        most_vehicles = 0 if self.city.place_kind is PlaceKind.SENSOR else settings.max_map_vehicles
        self.vehicles = VehicleMap(most_vehicles, timedelta(seconds=settings.future_tolerance_seconds))
        self.accuracy = LiveAccuracy(self.engine, self.window)
        self.alerts = Alerts(self.engine, self.state, lambda: self.places)
        self.deliveries = Deliveries(self.engine, settings.webhook_private)
        self.pusher = Pusher(
            self.state, self.vehicles, self.summary, settings.push_seconds, lambda: self.places, self.alerts.drain
        )
        self.loop = StreamLoop(self.pusher.hub, settings.api_sockets)
        self.events = TopicReader(
            settings.kafka, DASHBOARD_EVENTS.name, self.take_events, EVENTS_LOOK_BACK, gather=EVENTS_GATHER_SECONDS
        )
        self.positions = TopicReader(
            settings.kafka, VEHICLE_POSITIONS.name, self.vehicles.apply, skip_older=POSITIONS_SKIP
        )
        self.bodies = Bodies()
        self.answers = TimedCache(seconds=settings.push_seconds)
        self.places = Places.of(self.dataset)
        self.outline: dict[str, Any] | None = None
        self.lake = LakeFigures()
        self.links: dict[str, str] = {}
        self.progress: Mapping[str, Any] = {}
        self.database_ok_utc: datetime | None = None
        self.database_error: str | None = None
        self.rejected_events = 0
        self._background = Background(
            [
                Task("reading the stream's progress", self.refresh_progress, 2.0),
                Task("judging alert rules", self.judge_alerts, 1.0),
                Task("scoring forecasts", self.accuracy.refresh, 15.0),
                Task("reading the lake's manifests", self.refresh_lake, 60.0),
                Task("looking for the pages beside this one", self.refresh_links, 20.0),
            ]
        )
        self._started = threading.Event()

    def seed(self) -> None:
        """Start from what the database has, so that a restart shows the city at once."""
        try:
            create_all(self.engine)
            windows = newest_windows(self.engine)
        except SQLAlchemyError as error:
            log.warning("the serving database does not answer, starting empty: %s", error)
            return
        if windows:
            self.state.apply(windows)
            log.info("seeded from the database: %d windows", len(windows))

    def start(self) -> None:
        """Seed, then start the threads; a second call does nothing."""
        if self._started.is_set():
            return
        self._started.set()
        self.seed()
        for thread in (self._background, self.events, self.positions, self.loop, self.deliveries, self.pusher):
            thread.start()

    def stop(self) -> None:
        """Stop the threads and let the database go."""
        for part in (self.pusher, self.loop, self.events, self.positions, self.deliveries, self._background):
            part.stop()
        self.engine.dispose()

    def take_events(self, pairs: Pairs) -> None:
        """Take in a batch of ``dashboard_events``; what is no scored window is counted and skipped."""
        windows = []
        for _, value in pairs:
            try:
                windows.append(ScoredWindow.model_validate_json(value or b""))
            except ValidationError:
                self.rejected_events += 1
        if windows:
            self.state.apply(windows)
            self.pusher.told()

    def refresh_progress(self) -> None:
        """Ask the database how far the stream is; that is the sign of life of both."""
        try:
            self.progress = progress(self.engine)
        except SQLAlchemyError as error:
            self.database_error = type(error).__name__
            raise
        self.database_error = None
        self.database_ok_utc = datetime.now(UTC)

    def judge_alerts(self) -> None:
        """Raise and clear alerts; what was raised or cleared goes out at once."""
        if self.alerts.judge():
            self.deliveries.wake()

    def refresh_lake(self) -> None:
        """Sizes, outline and places: they change with a batch run."""
        self.lake = lake_figures(self.dataset)
        self.outline = self.dataset.get_json("outline.json") or self.dataset.get_json(ground.FILE)
        self.places = Places.of(self.dataset)

    def refresh_links(self) -> None:
        """See which pages answer."""
        self.links = living_links(self.settings)

    def cells_at(self, at: datetime) -> Mapping[str, Cell]:
        """The city at a past moment: from the database, and from the lake where that is too young."""
        found = moments.cells_at(self.engine, at)
        if found or (oldest := history.oldest_window_start(self.engine)) is None or at > oldest:
            return found
        state = CityState()
        try:
            state.apply(lakehistory.cells_before(self.dataset, at))
        except MissingDataError as error:
            raise Problem(404, f"There is no data of {at.isoformat()} any more: {error}") from error
        return state.view()[1]

    def series(self, span: Span, choice: Choice, aggregation: Aggregation) -> list[HistoryPoint]:
        """A series, the lake's part included."""
        return history.series(
            self.engine,
            span,
            self.window,
            self.horizon,
            choice,
            aggregation,
            lambda part, cells: lakehistory.windows_before(self.dataset, part, cells),
        )

    def newest_of_lake(self) -> datetime | None:
        """End of the lake's newest day of windows; None where there is none."""
        days = self.dataset.windows.dates()
        return datetime.combine(days[-1], time(), self.city.zone) + timedelta(days=1) if days else None

    def known_cells(self) -> Iterable[str]:
        """Every place that was seen live."""
        return self.state.view()[1]

    def websocket_clients(self) -> int:
        """Clients of ``/ws/stream`` of either kind."""
        return self.loop.clients + (sockets.count(self.socketio) if self.socketio is not None else 0)

    @property
    def stream_progress(self) -> Mapping[str, Any] | None:
        """Figures of the stream's query that scores windows; None before its first batch."""
        return self.progress.get(WINDOWS_QUERY)

    @property
    def model_version(self) -> str | None:
        """What the stream forecasts with."""
        newest = self.stream_progress
        return newest["model_version"] if newest else None

    def summary(self) -> CitySummary:
        """The KPI row as of now."""
        _, cells = self.state.view()
        return summarise(
            [cell.window for cell in cells.values()],
            vehicles_on_map=self.vehicles.estimated_count,
            events_per_second=self.positions.rate.per_second,
            live=self.accuracy.total,
            model_version=self.model_version,
        )
