"""How many forecasts came true, counted live: the model's, and persistence's on the very same rows."""

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, and_, case, func, select
from sqlalchemy.orm import aliased

from smartcity.levels import Level
from smartcity.store.reader import newest_window_start
from smartcity.store.tables import WindowRow

#: Figures cover this much event time up to the newest outcome.
SCORED_SPAN = timedelta(hours=24)
#: Outcomes this young may still change through late events and are counted again.
UNSETTLED = timedelta(minutes=10)
#: ``model_version`` of rows that were not forecast by a model.
PERSISTENCE = "persistence"


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


def score_target(connection: Connection, target_start: datetime, target_end: datetime) -> LiveScore:
    """Score of the forecasts for one target window.

    A row counts where the level now, the level forecast and the level that came are all known.
    Both sides of the join are indexed: ``forecast_for_utc``, and the key (cell_id, window_start_utc).
    """
    made, came = aliased(WindowRow), aliased(WindowRow)
    by_model = made.model_version != PERSISTENCE
    query = (
        select(
            case((by_model, 1), else_=0),
            func.count(),
            func.sum(case((made.forecast_level == came.level, 1), else_=0)),
            func.sum(case((made.level == came.level, 1), else_=0)),
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
        .group_by(case((by_model, 1), else_=0))
    )
    found = {kind: Score(*figures) for kind, *figures in connection.execute(query)}
    return LiveScore(found.get(1, Score()), found.get(0, Score()))


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
        self._settled: dict[datetime, LiveScore] = {}
        self._total = LiveScore()

    @property
    def total(self) -> LiveScore:
        """The score as of the last ``refresh``."""
        return self._total

    def refresh(self) -> LiveScore:
        """Count the windows that ended since the last call."""
        with self._lock:
            newest = newest_window_start(self._engine)
            if newest is None:
                self._settled.clear()
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
                scores[end] = score_target(connection, end - self._window, end)
        self._settled = {end: score for end, score in scores.items() if end <= newest - UNSETTLED}
        model = sum((score.model for score in scores.values()), Score())
        unmodelled = sum((score.unmodelled for score in scores.values()), Score())
        return LiveScore(model, unmodelled)

    def _targets(self, after: datetime, until: datetime) -> set[datetime]:
        query = (
            select(WindowRow.forecast_for_utc)
            .where(WindowRow.forecast_for_utc > after, WindowRow.forecast_for_utc <= until)
            .distinct()
        )
        with self._engine.connect() as connection:
            return {end for end in connection.execute(query).scalars() if end is not None}
