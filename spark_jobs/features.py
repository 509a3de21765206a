"""Windows to features: ``python -m spark_jobs.features --dataset NAME --from DAY --to DAY [--refit-profile]``.

Features rest on a profile (free-flow speeds and history), which is fitted on the training days: all but the last fifth.
A profile is kept until it is refitted, because features of two profiles don't mix; a refit computes every day anew. It
is due by itself when a week of days, and a tenth of those it was fitted on, are new (``TRAFFIC_PROFILE_DAYS``).
"""

import argparse
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.core.broadcast import Broadcast

from smartcity import fitted, ground
from smartcity.city import City, PlaceKind
from smartcity.errors import MissingDataError
from smartcity.features import FEATURES, LOOKBACK_MINUTES, estimate, feature_table
from smartcity.lake import Dataset, Run, Table
from smartcity.lakerows import rows_between
from smartcity.profile import Profile
from smartcity.profilefit import NEEDED, fit_profile
from smartcity.sensors import load_places
from smartcity.settings import Settings
from smartcity.spark.tasks import Report, Scheduler, run_tasks
from smartcity.windows import COUNTS, WindowBlock
from spark_jobs import job as jobs
from spark_jobs.dayends import files_before, only_next_is_new
from spark_jobs.progress import Count, counting
from spark_jobs.units import Stretch, due, packed, parts_of, redo_asked, stretches

#: What the features of a day are made from.
Origin = Callable[[date], Mapping[str, Any]]
#: Stretches that make a file, and about how many windows they hold.
Sized = tuple[list[Stretch], int]
#: Share of the time span, at its end, that no training sees.
TEST_SHARE = 0.2
_WINDOWS_PER_TASK = 100_000
#: A day is dense arrays of windows × cells, some eighty of them: cut into parts they are small, and so is a task.
_STRETCHES = 6


def train_until(first: datetime, last: datetime) -> datetime:
    """The instant that parts training from test, on a whole hour."""
    cut = first + (last - first) * (1 - TEST_SHARE)
    return cut.replace(minute=0, second=0, microsecond=0)


def fit(dataset: Dataset) -> Iterator[Report]:
    """Fit a profile on all windows of the data set but the last fifth, and keep it. A kernel for ``run_tasks``."""
    days = dataset.windows.dates()
    first, last = _edge(dataset.windows, days[0], pc.min), _edge(dataset.windows, days[-1], pc.max)
    windows = (dataset.windows.read(day, day, NEEDED) for day in days)
    profile = fit_profile(windows, dataset.city, train_until(first, last), load_places(dataset))
    if dataset.city.place_kind is PlaceKind.H3:
        dataset.put_json(ground.FILE, ground.ground_of(profile.cells))
    profile.save(dataset)
    fitted.note_fit(dataset, days)
    yield {"cells": len(profile.cells)}


def _edge(windows: Table, day: date, choose: Callable[[pa.ChunkedArray], pa.Scalar]) -> datetime:
    moment: datetime = choose(windows.read(day, day, ["window_start_utc"]).column(0)).as_py()
    return moment.astimezone(UTC)


def current_profile(
    spark: Scheduler, dataset: Dataset, refit: bool, days: Collection[date]
) -> tuple[Profile, list[date]]:
    """The data set's profile for the features of ``days``, and the days whose features are to rest on it.

    These are all days where it is new, or where a run that had fitted it was killed before all features rested on it.
    """
    if not refit:
        try:
            profile = Profile.load(dataset, around(days))
            if not _rest_on_another(dataset.features, profile):
                return profile, [*days]
        except MissingDataError:
            refit = True
    if refit:
        # In a task: the memory that all windows take is a worker's then, which has use for it, and not the driver's.
        run_tasks(spark, "features: fit the profile", [dataset], fit)
    return Profile.load(dataset), dataset.windows.dates()


def around(days: Collection[date]) -> set[date]:
    """The days and those beside them: a local day may begin or end in another UTC day."""
    return {day + timedelta(days=offset) for day in days for offset in (-1, 0, 1)}


def features_origin(dataset: Dataset, profile: Profile) -> Origin:
    """What the features of a day are made from: its windows, and at its edges those of the days around it."""
    versions = dataset.windows.versions(dataset.windows.dates())

    def origin(day: date) -> Mapping[str, Any]:
        names = [f"windows/{(day + timedelta(days=offset)).isoformat()}" for offset in (-1, 0, 1)]
        return {"profile": profile.profile_id, **{name: versions[name] for name in names if name in versions}}

    return origin


def _rest_on_another(features: Table, profile: Profile) -> bool:
    """Whether features were made from another profile."""
    made_from = (partition.made_from for partition in features.manifest().partitions.values())
    return any(origin.get("profile") != profile.profile_id for origin in made_from)


@dataclass(frozen=True)
class Deriving:
    """Stretches of days in, files of features out. Nothing of it is visible until it is published."""

    features: Run
    windows: Table
    files: Mapping[date, list[str]]
    profile: Broadcast[Profile]
    count: Count

    def __call__(self, task: list[list[Stretch]]) -> Iterator[Report]:
        """The kernel for ``run_tasks``: each list of stretches, all of one day, becomes a file."""
        for stretches_of_file in task:
            day, profile, done = stretches_of_file[0].day, self.profile.value, 0
            with self.features.part(day) as writer:
                for stretch in stretches_of_file:
                    windows = self._around(stretch, profile.city)
                    writer.write(stretch_features(windows, stretch, profile))
                    done += own_windows(windows, stretch)
            self.count(done)
            yield {"features": writer.part}

    def _around(self, stretch: Stretch, city: City) -> pa.Table:
        """Windows of the stretch, those before it that features look back on, and those after it that hold labels."""
        days = (stretch.day + timedelta(days=offset) for offset in (-1, 0, 1))
        names = [name for day in days for name in self.files.get(day, ())]
        first, end = (at * stretch.window_us for at in reach(stretch, city))
        columns = ["cell_id", "window_start_utc", *COUNTS]
        return rows_between(self.windows, names, columns, ("window_start_utc", "window_start_utc"), first, end)


def reach(stretch: Stretch, city: City) -> tuple[int, int]:
    """First and end of the windows that the features and labels of a stretch depend on."""
    return stretch.first - city.steps(LOOKBACK_MINUTES) - 1, stretch.end + city.horizon_steps + 1


def own_windows(windows: pa.Table, stretch: Stretch) -> int:
    """How many of the ``windows`` are the stretch's own, and not of its ``reach`` alone: what is told as done."""
    starts = windows.column("window_start_utc").cast(pa.int64()).to_numpy()
    return int(np.count_nonzero((starts >= stretch.start_us) & (starts < stretch.end_us)))


def stretch_features(windows: pa.Table, stretch: Stretch, profile: Profile) -> pa.Table:
    """Rows of ``FEATURES`` (but ``date``) of a stretch; ``windows`` are those of its ``reach``."""
    city = profile.city
    first, end = reach(stretch, city)
    if not windows.num_rows:
        return FEATURES.empty_table()
    block = WindowBlock.empty(first, end - first, tuple(sorted(pc.unique(windows.column("cell_id")).to_pylist())))
    block.put(windows, city)
    return feature_table(estimate(block, profile), stretch.first - first, stretch.end - first)


def _files(day: date, windows: int, city: City) -> list[Sized]:
    """The files of a day."""
    parts = parts_of(windows, _WINDOWS_PER_TASK)
    cut = stretches(day, parts * max(1, _STRETCHES // parts), city)
    size = -(-len(cut) // parts)
    return [(cut[low : low + size], windows // parts + 1) for low in range(0, len(cut), size)]


def _work(dataset: Dataset, days: list[date], origin: Origin, redo: bool) -> tuple[list[Sized], list[str]]:
    """The files to make for these days, and the names of those that the days have and keep."""
    windows, city, made = dataset.windows.rows_by_day(), dataset.city, dataset.features.manifest().partitions
    work, kept = list[Sized](), list[str]()
    for day in days:
        files, partition = _files(day, windows[day], city), made.get(day.isoformat())
        if partition and not redo and only_next_is_new(partition.made_from, origin(day), day):
            midnight = files[-1][0][-1].end
            last = [(cut, size) for cut, size in files if reach(cut[-1], city)[1] > midnight]
            early = files_before(dataset.features, partition.files, last[0][0][0].start_us)
            if early is not None:
                files = last
                kept += early
        work += files
    return work, kept


def job(spark: Scheduler, dataset: Dataset, span: jobs.Span, options: argparse.Namespace) -> jobs.Figures:
    """Make the features of the span's days, or of all days where the profile is new."""
    maker = f"python -m spark_jobs.windows --dataset {dataset.name}"
    dataset.windows.require_files(span.start, span.end, maker)
    there = dataset.windows.dates()
    asked = [day for day in there if span.covers(day)]
    refit = options.refit_profile or fitted.is_due(dataset, there, Settings().profile_days)
    profile, wanted = current_profile(spark, dataset, refit, asked)
    origin = features_origin(dataset, profile)
    days = due(dataset.features, wanted, origin, options)
    written = 0
    if days:
        files, kept = _work(dataset, days, origin, redo_asked(options))
        tasks = packed(files, _WINDOWS_PER_TASK)
        run = dataset.features.begin()
        shared = spark.sparkContext.broadcast(profile.for_days(around(days)))
        with counting(spark, "features", sum(windows for _, windows in files), "windows") as count:
            work = Deriving(run, dataset.windows, dataset.windows.files_by_day(), shared, count)
            reports = run_tasks(spark, f"features: {len(days)} days in {len(tasks)} tasks", tasks, work)
        written = dataset.features.publish(run, days, origin, [report["features"] for report in reports], kept)
    return {
        "days": len(days),
        "days_current": len(wanted) - len(days),
        "features": written,
        "cells": len(profile.cells),
        "profile": profile.profile_id,
        "train_until_utc": profile.train_until_utc.isoformat(),
    }


def arguments() -> argparse.ArgumentParser:
    """The job's command line."""
    parser = jobs.parser(__doc__)
    parser.add_argument("--refit-profile", action="store_true", help="fit the profile anew; recomputes all days")
    return parser


def main(argv: list[str] | None = None) -> None:
    """Run from the command line or ``spark-submit``."""
    jobs.run("features", job, arguments(), argv)


if __name__ == "__main__":
    main()
