"""Trip files before anything is written: what is in them, summed by day, to be set beside the days that are there."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from expectations.frames import local_times
from expectations.span import COMPARE_WITHIN
from smartcity.city import City
from smartcity.lake import Dataset
from smartcity.rules import trip_rules
from smartcity.tripfiles import TripFile, plan, read_chunk
from smartcity.tripfiles.judging import Judge
from smartcity.zones import ZonePlaces

#: Speeds are kept as counts of such steps: any number of trips in the same memory.
STEP_MPH, STEPS = 0.25, 800
#: A large odd number, by which a row of numbers becomes one that looks random.
_MIX = np.uint64(0x9E3779B97F4A7C15)
_DAY_MICROS = 86_400_000_000


@dataclass
class DaySums:
    """Trips of a local day: how many, how many rows were refused, their speeds, and a sum that knows them all."""

    rows: int = 0
    refused: int = 0
    speeds: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(STEPS, dtype=np.int64))
    print_: int = 0

    def median_speed_mph(self) -> float:
        """NaN where no trip has one."""
        below = self.speeds.cumsum()
        return float(np.searchsorted(below, below[-1] / 2) * STEP_MPH) if below[-1] else float("nan")

    def add(self, trips: pa.Table, city: City) -> None:
        """Count trips in: columns pickup_utc, dropoff_utc and trip_distance_miles."""
        seconds = pc.subtract(trips["dropoff_utc"].cast(pa.int64()), trips["pickup_utc"].cast(pa.int64())).to_numpy()
        miles = trips["trip_distance_miles"].to_numpy()
        with np.errstate(divide="ignore", invalid="ignore"):
            steps = np.nan_to_num(miles / (seconds / 3.6e9) / STEP_MPH, nan=0, posinf=0)
        self.rows += trips.num_rows
        self.speeds += np.bincount(np.clip(steps, 0, STEPS - 1).astype(np.int64), minlength=STEPS)
        self.print_ = (self.print_ + _print_of(trips, seconds, miles, city)) & 0xFFFFFFFFFFFFFFFF


def _print_of(trips: pa.Table, micros: npt.NDArray[np.int64], miles: npt.NDArray[np.float64], city: City) -> int:
    """A sum over trips that knows neither their date nor their order: time of day, duration and distance."""
    local = local_times(trips["pickup_utc"], city).cast(pa.int64()).to_numpy() % _DAY_MICROS
    with np.errstate(over="ignore"):
        mixed = np.zeros(len(local), dtype=np.uint64)
        for values in (local, micros, np.rint(miles * 100).astype(np.int64)):
            mixed = (mixed ^ values.astype(np.uint64)) * _MIX
            mixed ^= mixed >> np.uint64(29)
        return int(mixed.sum())


@dataclass
class Delivery:
    """What files bring: by day, and the reasons for which rows are refused."""

    days: dict[date, DaySums] = field(default_factory=dict)
    reasons: Counter[str] = field(default_factory=Counter)

    def of(self, day: date) -> DaySums:
        """The sums of a day, made where it is new."""
        return self.days.setdefault(day, DaySums())


def read(files: list[TripFile], city: City, places: ZonePlaces | None) -> Delivery:
    """Read and judge files as the cleaning job will, chunk by chunk; only sums stay in memory."""
    delivery, judge = Delivery(), Judge(trip_rules(city), city)
    for chunk in plan(files):
        for batch in read_chunk(chunk, places):
            good, bad = judge.judge(batch)
            for day, trips in _by_day(good):
                delivery.of(day).add(trips, city)
            for day, rows in _by_day(bad):
                delivery.of(day).refused += rows.num_rows
            for said in pc.value_counts(bad["reason"]).to_pylist():
                delivery.reasons[said["values"]] += said["counts"]
    return delivery


def _by_day(rows: pa.Table) -> Iterator[tuple[date, pa.Table]]:
    for day in pc.unique(rows["date"]).to_pylist():
        yield day, rows.filter(pc.equal(rows["date"], pa.scalar(day, pa.date32())))


def stored(dataset: Dataset, days: set[date]) -> dict[date, DaySums]:
    """The days of the lake that new ones are compared with, and those themselves."""
    if not days:
        return {}
    found: dict[date, DaySums] = {}
    near: timedelta = COMPARE_WITHIN
    for day in dataset.trips.dates():
        if min(days) - near <= day <= max(days) + near:
            columns = ["pickup_utc", "dropoff_utc", "trip_distance_miles"]
            found[day] = DaySums()
            found[day].add(dataset.trips.read(day, day, columns), dataset.city)
    return found
