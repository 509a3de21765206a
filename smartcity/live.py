"""The live city: the last hours of windows, estimated and scored by the code that made the training features."""

from datetime import UTC, datetime, timedelta
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from smartcity.city import City
from smartcity.features import LOOKBACK_MINUTES, CityState, estimate, features, matrix, window_time
from smartcity.levels import CLASSES, ESTIMATE_MINUTES, Level, level_of
from smartcity.messages import Forecast, ScoredWindow
from smartcity.profile import Profile
from smartcity.windows import COUNTS, WindowBlock, window_index, window_start

Floats = npt.NDArray[np.float64]

#: Version named in forecasts that no model made.
PERSISTENCE = "persistence"
#: How far back a late change may reach; the features of a window need ``LOOKBACK_MINUTES`` more.
LATE_MINUTES = 30


class Model(Protocol):
    """What the live city needs of a model version."""

    @property
    def version(self) -> str:
        """Its version in the registry."""

    @property
    def profile(self) -> Profile:
        """The profile it was trained with."""

    def probabilities(self, features: Floats) -> Floats:
        """Probability of each class."""

    def ratio_change(self, features: Floats) -> Floats:
        """Expected change of the ratio."""


class LiveCity:
    """Keeps the newest windows; each update returns the scored windows that it changed."""

    def __init__(self, city: City, profile: Profile, model: Model | None = None) -> None:
        self.city = city
        self._profile = profile
        self._model = model
        self._kept = city.steps(LOOKBACK_MINUTES + LATE_MINUTES + ESTIMATE_MINUTES)
        self._block = WindowBlock.empty(0, 0, ())
        self._rescore_from: int | None = None

    @property
    def model_version(self) -> str:
        """The version that scores now."""
        return self._model.version if self._model else PERSISTENCE

    def set_model(self, model: Model | None) -> None:
        """Score with another version from the next update on; the newest window is scored again at once."""
        self._model = model
        if model is not None:
            self._profile = model.profile
        if self._block.length:
            self._rescore_from = self._block.first + self._block.length - 1

    def restore(self, windows: pa.Table) -> None:
        """Seed with windows seen before a restart, columns as in ``update``; nothing is scored."""
        if windows.num_rows:
            self._put(windows)

    def update(self, windows: pa.Table) -> list[ScoredWindow]:
        """Take changed windows in and score what they change.

        Args: windows: rows with cell_id, window_start_utc, position_count, vehicle_count, speed_sum, speed_square_sum,
        vehicle_bits; each replaces what was known of that cell and window. Windows too old to be kept are ignored.
        Returns: every scored window of the active cells from the oldest changed window on, ascending.
        """
        oldest = self._put(windows) if windows.num_rows else None
        changed = [index for index in (oldest, self._rescore_from) if index is not None]
        self._rescore_from = None
        if not changed:
            return []
        state = estimate(self._block, self._profile)
        return self._score(state, max(0, min(changed) - self._block.first))

    def _put(self, windows: pa.Table) -> int | None:
        """Write rows into the block, grown as needed. Returns: the oldest window that changed."""
        index = window_index(windows.column("window_start_utc"), self.city)
        block = self._block
        newest = max(int(index.max()), block.first + block.length - 1 if block.length else 0)
        first = newest - self._kept + 1
        seen = pc.unique(windows.column("cell_id")).to_pylist()
        grown = WindowBlock.empty(first, self._kept, (*block.cells, *sorted(set(seen) - set(block.cells))))
        shared = range(max(first, block.first), block.first + block.length)
        if len(shared):
            into = slice(shared.start - first, shared.stop - first)
            out_of = slice(shared.start - block.first, shared.stop - block.first)
            for name in COUNTS:
                getattr(grown, name)[into, : len(block.cells)] = getattr(block, name)[out_of]
        young = index >= first
        self._block = grown
        if not young.any():
            return None
        grown.put(windows.filter(pa.array(young)), self.city)
        # Where time jumped ahead, the windows between are scored too: an empty window is a fact.
        before = block.first + block.length if block.length else int(index[young].min())
        return min(int(index[young].min()), before) if newest >= before else int(index[young].min())

    def _score(self, state: CityState, first_row: int) -> list[ScoredWindow]:
        rows, cells = np.nonzero(state.active[first_row:])
        if not len(rows):
            return []
        at = (rows + first_row, cells)
        forecasts = self._forecasts(state, first_row, (rows, cells))
        block, now = state.block, datetime.now(UTC)
        speed, std = block.avg_speed_mph()[at], block.std_speed_mph()[at]
        level = state.level_index[at]
        ratio, vehicles, positions = state.ratio[at], block.vehicle_count[at], block.position_count[at]
        found = []
        for i, (row, cell) in enumerate(zip(at[0].tolist(), cells.tolist(), strict=True)):
            found.append(
                ScoredWindow.model_construct(
                    cell_id=block.cells[cell],
                    window_start_utc=window_start(block.first + row, self.city),
                    window_end_utc=window_time(block.first + row, self.city),
                    vehicle_count=int(vehicles[i]),
                    position_count=int(positions[i]),
                    avg_speed_mph=None if np.isnan(speed[i]) else float(speed[i]),
                    std_speed_mph=None if np.isnan(std[i]) else float(std[i]),
                    free_flow_mph=float(state.free_flow_mph[cell]),
                    ratio=float(ratio[i]),
                    level=level_of(int(level[i])),
                    forecast=forecasts[i],
                    updated_utc=now,
                    newest_event_utc=None,
                )
            )
        return found

    def _forecasts(
        self, state: CityState, first_row: int, chosen: tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]
    ) -> list[Forecast | None]:
        rows, cells = chosen
        at = (rows + first_row, cells)
        ahead = timedelta(seconds=self.city.horizon_steps * self.city.window_seconds)
        made = [window_time(state.block.first + int(row), self.city) for row in at[0]]
        free_flow = state.free_flow_mph[cells]
        if self._model is None:
            # Persistence: what is, stays; where it is unknown, nothing is foretold.
            speeds = state.ratio[at] * free_flow
            return [
                None if level < 0 else _forecast(moment, ahead, CLASSES[level], None, float(mph), PERSISTENCE)
                for moment, level, mph in zip(made, state.level_index[at].tolist(), speeds, strict=True)
            ]
        x = matrix(features(state, first_row), chosen)
        share = self._model.probabilities(x)
        speeds = np.maximum(state.ratio[at] + self._model.ratio_change(x), 0.0) * free_flow
        best = share.argmax(axis=1).tolist()
        version = self._model.version
        return [
            _forecast(moment, ahead, CLASSES[level], row, float(mph), version)
            for moment, level, row, mph in zip(made, best, share.tolist(), speeds, strict=True)
        ]


def _forecast(
    made: datetime, ahead: timedelta, level: Level, share: list[float] | None, mph: float, version: str
) -> Forecast:
    low, medium, high = share if share is not None else (None, None, None)
    return Forecast.model_construct(
        made_utc=made,
        for_utc=made + ahead,
        level=level,
        probability_low=low,
        probability_medium=medium,
        probability_high=high,
        expected_speed_mph=mph,
        model_version=version,
    )
