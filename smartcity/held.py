"""Days whose features a gate refused: no training sees them until they are made anew, or pass."""

from collections.abc import Iterable
from datetime import date

from smartcity.lake import Dataset

FILE = "held.json"


def note_verdict(dataset: Dataset, days: Iterable[date], passed: bool) -> None:
    """Keep what the gate on ``features`` said of ``days``, with the run that had made each."""
    held: dict[str, str] = dataset.get_json(FILE) or {}
    made = dataset.features.manifest().partitions
    before = dict(held)
    for day in map(date.isoformat, days):
        held.pop(day, None)
        if not passed and day in made:
            held[day] = made[day].run_id
    if held != before:
        dataset.put_json(FILE, held)


def held_days(dataset: Dataset) -> list[date]:
    """The days that the gate refused and that were not made anew since, ascending."""
    held: dict[str, str] = dataset.get_json(FILE) or {}
    made = dataset.features.manifest().partitions
    return sorted(date.fromisoformat(day) for day, run in held.items() if day in made and made[day].run_id == run)
