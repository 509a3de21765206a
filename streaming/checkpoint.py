"""The checkpoint of the stream: which state it is for, and which offsets each of its batches holds."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import pyspark

from smartcity.city import City
from smartcity.errors import TrafficError

#: Raised when the columns of the aggregation change; Spark would fail later and less clearly.
STATE_VERSION = 1
DEFINITION_FILE = "definition.json"
#: Left in a checkpoint that was made anew.
REBUILT_FILE = "rebuilt"
#: First offset that a batch does not hold, by partition.
Offsets = dict[int, int]


class CheckpointError(TrafficError):
    """The checkpoint belongs to a state of another shape, or to a topic that is not there any more."""


def definition(city: City, topic: str, partitions: int) -> dict[str, object]:
    """What the state's meaning depends on. A change of any of these makes an old checkpoint unusable."""
    return {
        "state_version": STATE_VERSION,
        "topic": topic,
        "place_kind": city.place_kind.value,
        "h3_resolution": city.h3_resolution,
        "window_minutes": city.window_minutes,
        "shuffle_partitions": partitions,
        "spark": ".".join(pyspark.__version__.split(".")[:2]),
    }


class Checkpoint:
    """A checkpoint folder on a local disk, of a query that reads one topic."""

    def __init__(self, folder: Path, topic: str) -> None:
        self.folder = folder
        self._topic = topic

    @property
    def is_fresh(self) -> bool:
        """Whether no batch was ever planned."""
        return not any((self.folder / "offsets").glob("[0-9]*"))

    def prepare(self, wanted: Mapping[str, object]) -> None:
        """Claim the folder for a state. Raises: CheckpointError where it holds another one."""
        file = self.folder / DEFINITION_FILE
        if not self.is_fresh:
            found = json.loads(file.read_text()) if file.exists() else {}
            if changed := sorted(key for key in {*wanted, *found} if wanted.get(key) != found.get(key)):
                was = ", ".join(f"{key} {found.get(key)!r} → {wanted.get(key)!r}" for key in changed)
                raise CheckpointError(
                    f"the checkpoint in {self.folder} was made for another state ({was}). Change that back, or rebuild "
                    "the windows from the events that the topic still holds: python -m streaming.stream --rebuild"
                )
            # It is not written again: on a full disk the next start would find it empty.
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(wanted, indent=1))

    def rebuild(self) -> None:
        """Forget everything; the next start reads the topic from its beginning."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        (self.folder / REBUILT_FILE).touch()

    @property
    def is_rebuilt(self) -> bool:
        """Whether windows were stored before it began: of its first ones, some events may be gone."""
        return (self.folder / REBUILT_FILE).exists()

    def offsets(self, batch_id: int) -> Offsets:
        """The offsets at which a batch ends; Spark writes them before it runs the batch."""
        return self._last_line(self.folder / "offsets" / str(batch_id))

    def start_offsets(self, batch_id: int) -> Offsets:
        """The offsets at which a batch starts."""
        before = self.folder / "offsets" / str(batch_id - 1)
        initial = self.folder / "sources" / "0" / "0"
        return self._last_line(before if batch_id > 0 and before.exists() else initial)

    def _last_line(self, file: Path) -> Offsets:
        # A log file is its version, metadata, and the offsets of the query's one source, in this order.
        document = json.loads(file.read_text().rsplit("\n", 1)[-1])
        return {int(partition): int(offset) for partition, offset in document[self._topic].items()}


def count_between(start: Offsets, end: Offsets) -> int:
    """Events between two sets of offsets; a partition that is new starts at 0."""
    return sum(offset - start.get(partition, 0) for partition, offset in end.items())


def within(offsets: Mapping[int, int], others: Mapping[int, int]) -> bool:
    """Whether each is at most as far as in ``others``; a partition that is not there stands at 0."""
    return all(offset <= others.get(partition, 0) for partition, offset in offsets.items())
