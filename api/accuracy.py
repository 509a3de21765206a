"""How many forecasts came true, counted live: the model's, and persistence's on the very same rows."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, Engine, and_, case, select
from sqlalchemy.orm import aliased

from api.models import TrackRecord
from smartcity.levels import Level
from smartcity.store.reader import newest_window_start
from smartcity.store.tables import WindowRow

#: Figures cover this much event time up to the newest outcome.
SCORED_SPAN = timedelta(hours=24)
#: Outcomes this young may still change through late events and are counted again.
UNSETTLED = timedelta(minutes=10)
#: ``model_version`` of rows that were not forecast by a model.
PERSISTENCE = "persistence"


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Score:
    """Due forecasts whose outcome is known: how many, how many came true, and how many "stays as it is" got right."""

    scored: int = 0
    correct: int = 0
    persistence_correct: int = 0

    def __add__(self, other: "Score") -> "Score":
        return Score(
            self.scored + other.scored,
            self.correct + other.correct,
            self.persistence_correct + other.persistence_correct,
        )

    @property
    def accuracy(self) -> float | None:
        """Share of forecasts that came true."""
        return round(self.correct / self.scored, 4) if self.scored else None

    @property
    def persistence_accuracy(self) -> float | None:
        """Share of the same rows whose level did not change."""
        return round(self.persistence_correct / self.scored, 4) if self.scored else None


@dataclass(frozen=True)
class LiveScore:
    """The model's score; where no model has forecast yet, what persistence did instead."""

    model: Score = Score()
    unmodelled: Score = Score()

    @property
    def persistence_accuracy(self) -> float | None:
        """On the model's rows; on all rows where there is no model."""
        return self.model.persistence_accuracy if self.model.scored else self.unmodelled.persistence_accuracy


@dataclass(frozen=True)
class TargetScore:
    """The score of one target window, and which cells' forecasts came true: arrays, for there are many windows."""

    live: LiveScore = LiveScore()
    cells: npt.NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))
    correct: npt.NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, bool))
    persistence_correct: npt.NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, bool))


class Numbers(dict[str, int]):
    """A number for each cell id, given out as they are seen."""

    def __missing__(self, cell_id: str) -> int:
        self[cell_id] = len(self)
        return self[cell_id]


def score_target(
    connection: Connection, target_start: datetime, target_end: datetime, numbers: Numbers | None = None
) -> TargetScore:
    """Score of the forecasts for one target window.

    A row counts where the level now, the level forecast and the level that came are all known.
    Both sides of the join are indexed: ``forecast_for_utc``, and the key (cell_id, window_start_utc).
    """
    made, came = aliased(WindowRow), aliased(WindowRow)
    by_model = made.model_version != PERSISTENCE
    query = (
        select(
            made.cell_id,
            case((by_model, 1), else_=0),
            case((made.forecast_level == came.level, 1), else_=0),
            case((made.level == came.level, 1), else_=0),
        )
        .select_from(made)
        .join(came, and_(came.cell_id == made.cell_id, came.window_start_utc == target_start))
        .where(
            made.forecast_for_utc == target_end,
            made.forecast_level.is_not(None),
            made.forecast_level != Level.UNKNOWN.value,
            made.level != Level.UNKNOWN.value,
            came.level != Level.UNKNOWN.value,
        )
    )
    rows = connection.execute(query).all()
    if not rows:
        return TargetScore()
    numbers = Numbers() if numbers is None else numbers
    cells = np.array([numbers[row[0]] for row in rows], np.int32)
    by, correct, same = (np.array(column, bool) for column in zip(*(row[1:] for row in rows), strict=True))
    model, unmodelled = (
        Score(int(chosen.sum()), int(correct[chosen].sum()), int(same[chosen].sum())) for chosen in (by, ~by)
    )
    return TargetScore(LiveScore(model, unmodelled), cells[by], correct[by], same[by])


class LiveAccuracy:
    """Score over the last 24 hours of event time; windows that can no longer change are counted once.

    Args:
        engine: the serving database.
        window: length of a window.

    """

    def __init__(self, engine: Engine, window: timedelta) -> None:
        self._engine = engine
        self._window = window
        self._lock = threading.Lock()
        self._settled: dict[datetime, TargetScore] = {}
        self._total = LiveScore()
        self._numbers = Numbers()
        self._records: dict[str, TrackRecord] = {}
        self._scores: dict[datetime, TargetScore] = {}

    @property
    def total(self) -> LiveScore:
        """The score as of the last ``refresh``."""
        return self._total

    def records(self) -> Mapping[str, TrackRecord]:
        """Score of the model's forecasts for each cell, as of the last ``refresh``."""
        return self._records

    def steps(self, step: timedelta) -> list[tuple[datetime, Score]]:
        """The model's score of each step that has one, by the step's start, as of the last ``refresh``."""
        found: dict[datetime, Score] = {}
        for end, score in self._scores.items():
            # A window that ends with a step belongs to that step.
            start = EPOCH + (end - self._window - EPOCH) // step * step
            found[start] = found.get(start, Score()) + score.live.model
        return sorted((start, score) for start, score in found.items() if score.scored)

    def refresh(self) -> LiveScore:
        """Count the windows that ended since the last call."""
        with self._lock:
            newest = newest_window_start(self._engine)
            if newest is None:
                self._settled.clear()
                self._records = {}
                self._scores = {}
                self._total = LiveScore()
                return self._total
            self._total = self._count(newest)
            return self._total

    def _count(self, newest: datetime) -> LiveScore:
        # The newest window is still filling: only those that ended by its start have an outcome.
        targets = self._targets(newest - SCORED_SPAN, newest)
        scores = {end: score for end, score in self._settled.items() if end in targets}
        with self._engine.connect() as connection:
            for end in targets - set(scores):
                scores[end] = score_target(connection, end - self._window, end, self._numbers)
        self._settled = {end: score for end, score in scores.items() if end <= newest - UNSETTLED}
        self._records = self._by_cell(list(scores.values()))
        self._scores = scores
        model = sum((score.live.model for score in scores.values()), Score())
        unmodelled = sum((score.live.unmodelled for score in scores.values()), Score())
        return LiveScore(model, unmodelled)

    def _by_cell(self, scores: Sequence[TargetScore]) -> dict[str, TrackRecord]:
        if not scores:
            return {}
        cells = np.concatenate([score.cells for score in scores])
        many = len(self._numbers)
        scored = np.bincount(cells, minlength=many)
        correct = np.bincount(cells, np.concatenate([score.correct for score in scores]), many)
        same = np.bincount(cells, np.concatenate([score.persistence_correct for score in scores]), many)
        return {
            cell_id: TrackRecord(
                scored=int(scored[number]),
                accuracy=round(correct[number] / scored[number], 4),
                persistence_accuracy=round(same[number] / scored[number], 4),
            )
            for cell_id, number in self._numbers.items()
            if scored[number]
        }

    def _targets(self, after: datetime, until: datetime) -> set[datetime]:
        query = (
            select(WindowRow.forecast_for_utc)
            .where(WindowRow.forecast_for_utc > after, WindowRow.forecast_for_utc <= until)
            .distinct()
        )
        with self._engine.connect() as connection:
            return {end for end in connection.execute(query).scalars() if end is not None}
