"""The inbox: the folder where new trip files are dropped for the next nightly run, and what a run has to do."""

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from smartcity import fitted
from smartcity.lake import Dataset
from smartcity.settings import Settings

#: Processed files are moved here, out of the next run's sight. Ingesting one again would add nothing.
DONE = "done"
#: Endings of trip files; a file still being copied should have another one, such as ``.part``.
ENDINGS = (".csv", ".csv.gz", ".parquet")


def folder(settings: Settings, dataset: str) -> Path:
    """Where new trip files of a data set are put."""
    return settings.home / "inbox" / dataset


def new_files(settings: Settings, dataset: str) -> list[Path]:
    """Trip files waiting in the inbox, by name; none where there is no inbox."""
    waiting = folder(settings, dataset)
    if not waiting.is_dir():
        return []
    return sorted(path for path in waiting.iterdir() if path.is_file() and path.name.lower().endswith(ENDINGS))


def put_away(files: list[Path]) -> None:
    """Move processed files aside. One that is gone already was put away by an earlier attempt."""
    for file in files:
        if file.exists():
            done = file.parent / DONE
            done.mkdir(exist_ok=True)
            file.replace(done / file.name)


@dataclass(frozen=True)
class Work:
    """The days a run has to process, both ends included."""

    start: date
    end: date


def days_to_process(dataset: Dataset, profile_days: int) -> Work | None:
    """The days whose trips are newer than their features; None where all is up to date.

    All days where the profile is due to be fitted anew, from ``profile_days`` new ones on. Else with the days beside
    them: the last labels of the day before come from a new day's first windows, and the first lags of the day after
    from its last ones. A job leaves out what is up to date.
    """
    if fitted.is_due(dataset, dataset.trips.dates(), profile_days):
        return all_days(dataset)
    trips, features = dataset.trips.manifest().partitions, dataset.features.manifest().partitions
    # A run's name starts with its time, so names compare as times do.
    stale = [
        date.fromisoformat(day)
        for day, part in trips.items()
        if day not in features or features[day].run_id < part.run_id
    ]
    if not stale:
        return None
    return with_neighbours(dataset, Work(min(stale), max(stale)))


def with_neighbours(dataset: Dataset, work: Work) -> Work:
    """And the days beside them, as far as there are trips."""
    published = dataset.trips.dates()
    day = timedelta(days=1)
    return Work(max(work.start - day, published[0]), min(work.end + day, published[-1]))


def all_days(dataset: Dataset) -> Work | None:
    """All days that have trips; None for an empty data set."""
    published = dataset.trips.dates()
    return Work(published[0], published[-1]) if published else None
