"""The city as of now: the newest scored window of each cell, and what changed since the last push."""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from smartcity.levels import ESTIMATE_MINUTES, Level
from smartcity.messages import ScoredWindow

#: Windows this much older than the newest mean that the feed was started again on an earlier date.
FEED_RESTARTED = timedelta(hours=1)
#: Without a window for this long a cell had no vehicle in the whole trailing estimate: its level is unknown.
QUIET_AFTER = timedelta(minutes=ESTIMATE_MINUTES)


@dataclass(frozen=True)
class Cell:
    """One cell's newest window, with its JSON as it is sent to everyone."""

    window: ScoredWindow
    json: bytes


class CityState:
    """Newest window per cell; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cells: dict[str, Cell] = {}
        self._changed: set[str] = set()
        self._newest_start: datetime | None = None
        self._newest_updated: datetime | None = None
        self._version = 0

    @property
    def version(self) -> int:
        """Grows with every change; what was computed from one version stays right for it."""
        return self._version

    @property
    def data_time_utc(self) -> datetime | None:
        """End of the newest window; None before the first."""
        with self._lock:
            return max((cell.window.window_end_utc for cell in self._cells.values()), default=None)

    @property
    def updated_utc(self) -> datetime | None:
        """Wall time at which the stream last wrote something that is shown here."""
        return self._newest_updated

    def apply(self, windows: Iterable[ScoredWindow]) -> None:
        """Take in scored windows in any order; older ones than a cell already has are ignored."""
        with self._lock:
            for window in windows:
                self._take(window)
            self._silence()
            self._version += 1

    def _take(self, window: ScoredWindow) -> None:
        start, updated = window.window_start_utc, window.updated_utc
        newest = self._newest_start
        # Written later yet about a much earlier time: not a straggler, which keeps its old writing time.
        later = self._newest_updated is None or updated > self._newest_updated
        if newest is not None and later and start < newest - FEED_RESTARTED:
            self._cells.clear()
            self._newest_start = None
        known = self._cells.get(window.cell_id)
        if known is None or (start, updated) >= (known.window.window_start_utc, known.window.updated_utc):
            self._put(window)
        self._newest_start = start if self._newest_start is None else max(start, self._newest_start)
        self._newest_updated = updated if self._newest_updated is None else max(updated, self._newest_updated)

    def _put(self, window: ScoredWindow) -> None:
        self._cells[window.cell_id] = Cell(window, window.model_dump_json().encode())
        self._changed.add(window.cell_id)

    def _silence(self) -> None:
        """Cells without a vehicle in the trailing minutes of the estimate become ``unknown``: never an old level."""
        if self._newest_start is None:
            return
        for cell in list(self._cells.values()):
            window = cell.window
            quiet = window.window_end_utc <= self._newest_start - QUIET_AFTER
            if quiet and (window.level is not Level.UNKNOWN or window.forecast is not None or window.vehicle_count):
                self._put(
                    window.model_copy(
                        update={
                            "vehicle_count": 0,
                            "position_count": 0,
                            "avg_speed_mph": None,
                            "std_speed_mph": None,
                            "ratio": None,
                            "level": Level.UNKNOWN,
                            "forecast": None,
                        }
                    )
                )

    def view(self) -> tuple[int, Mapping[str, Cell]]:
        """(version, cells by id), consistent with each other."""
        with self._lock:
            return self._version, dict(self._cells)

    def get(self, cell_id: str) -> ScoredWindow | None:
        """The newest window of a cell."""
        with self._lock:
            cell = self._cells.get(cell_id)
        return cell.window if cell else None

    def drain_cells(self) -> list[Cell]:
        """The cells that changed since the last call."""
        with self._lock:
            changed = [self._cells[cell_id] for cell_id in self._changed if cell_id in self._cells]
            self._changed.clear()
        return changed
