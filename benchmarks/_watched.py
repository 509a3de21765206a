"""What a running platform tells of itself: by its database, its broker, its checkpoint and its API."""

import urllib.request
from collections import Counter
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy.exc import SQLAlchemyError

from smartcity.lake import Dataset
from smartcity.settings import Settings
from smartcity.store.engine import create_engine
from smartcity.store.reader import progress
from smartcity.store.tables import REJECTED_QUERY, WINDOWS_QUERY
from smartcity.topics import VEHICLE_POSITIONS, VEHICLE_POSITIONS_REJECTED
from streaming.checkpoint import Checkpoint
from streaming.place import TopicEnd
from streaming.query import checkpoint_folder


class Watched:
    """The platform of these settings."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.dataset = Dataset.of(settings)
        self.engine = create_engine(settings)

    @cached_property
    def _ends(self) -> TopicEnd:
        return TopicEnd(self.settings, VEHICLE_POSITIONS.name)

    def figures(self, query: str = WINDOWS_QUERY) -> dict[str, Any]:
        """The stream's own counts; empty where the database does not answer."""
        try:
            return dict(progress(self.engine).get(query) or {})
        except SQLAlchemyError:
            return {}

    def read(self, query: str = WINDOWS_QUERY) -> int:
        """Events that a query has taken in, as the database tells."""
        return int(self.figures(query).get("total_read", -1))

    def settled(self, count: int) -> bool:
        """Whether both queries have taken in ``count`` events."""
        return self.read(WINDOWS_QUERY) == self.read(REJECTED_QUERY) == count

    def in_topic(self) -> int:
        """Events in the topic. Raises: ServiceError where no broker answers."""
        return sum(self._ends.offsets().values())

    def lag(self) -> int:
        """Events in the topic that are not in the database yet. Raises: ServiceError where no broker answers."""
        done = Checkpoint(self._checkpoint, VEHICLE_POSITIONS.name).offsets(int(self.figures()["batch_id"]))
        return max(self.in_topic() - sum(done.values()), 0)

    def uncommitted(self) -> bool:
        """Whether the database holds a batch that the stream's checkpoint does not count as done yet."""
        batch = self.figures().get("batch_id", -1)
        return batch > 0 and not (self._checkpoint / "commits" / str(batch)).exists()

    def planned(self) -> bool:
        """Whether a batch is under way of which nothing is in the database yet."""
        return (self._checkpoint / "offsets" / str(self.figures().get("batch_id", 0) + 1)).exists()

    @property
    def _checkpoint(self) -> Path:
        return checkpoint_folder(self.settings, self.dataset.name, WINDOWS_QUERY)

    def api_answers(self) -> bool:
        """Whether the API gives the city's traffic."""
        url = f"http://127.0.0.1:{self.settings.api_port}/api/current-traffic"
        with suppress(OSError), urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
        return False

    def rejected(self) -> Counter[str]:
        """Reasons in the topic of rejected events, each place counted once."""
        ends = TopicEnd(self.settings, VEHICLE_POSITIONS_REJECTED.name)
        told = dict(ends.keys_and_values(dict.fromkeys(ends.offsets(), 0)))
        return Counter(orjson.loads(value)["reason"] for value in told.values())
