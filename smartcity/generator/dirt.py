"""Rows that are wrong in the ways real trip files are, at the rates real ones show."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from smartcity.generator import parameters as p
from smartcity.generator.taxirows import MONEY, TaxiRows

Ints = npt.NDArray[np.int64]
Plant = Callable[[TaxiRows, Ints, np.random.Generator], None]


def _zero_coordinate(rows: TaxiRows, at: Ints, rng: np.random.Generator) -> None:
    # In 2016-01 four in five have both ends zero, the rest one of them.
    which = rng.random(len(at))
    for end, hit in (("pickup", which < 0.93), ("dropoff", which > 0.10)):
        rows.numbers[f"{end}_latitude"][at[hit]] = 0.0
        rows.numbers[f"{end}_longitude"][at[hit]] = 0.0


def _out_of_bounds(rows: TaxiRows, at: Ints, rng: np.random.Generator) -> None:
    rows.numbers["dropoff_latitude"][at] += rng.choice([-1.0, 1.0], len(at)) * rng.uniform(2, 8, len(at))


def _duration_not_positive(rows: TaxiRows, at: Ints, rng: np.random.Generator) -> None:
    rows.dropoff_utc[at] = rows.pickup_utc[at] - rng.integers(0, 3, len(at)) * rng.integers(1, 900, len(at))


def _duration_under_60_s(rows: TaxiRows, at: Ints, rng: np.random.Generator) -> None:
    rows.dropoff_utc[at] = rows.pickup_utc[at] + rng.integers(1, 60, len(at))


def _duration_over_3_h(rows: TaxiRows, at: Ints, rng: np.random.Generator) -> None:
    near_a_day = rng.random(len(at)) < 0.9
    taken = np.where(near_a_day, rng.integers(82_800, 86_400, len(at)), rng.integers(10_860, 40_000, len(at)))
    rows.dropoff_utc[at] = rows.pickup_utc[at] + taken


def _distance_zero(rows: TaxiRows, at: Ints, rng: np.random.Generator) -> None:
    rows.numbers["trip_distance"][at] = 0.0


def _fare_negative(rows: TaxiRows, at: Ints, rng: np.random.Generator) -> None:
    for name in MONEY:
        rows.numbers[name][at] *= -1.0


def _passengers_zero(rows: TaxiRows, at: Ints, rng: np.random.Generator) -> None:
    rows.integers["passenger_count"][at] = 0


KINDS: dict[str, Plant] = {
    "zero_coordinate": _zero_coordinate,
    "out_of_bounds": _out_of_bounds,
    "duration_not_positive": _duration_not_positive,
    "duration_under_60_s": _duration_under_60_s,
    "duration_over_3_h": _duration_over_3_h,
    "distance_zero": _distance_zero,
    "fare_negative": _fare_negative,
    "passengers_zero": _passengers_zero,
}


def plant(rows: TaxiRows, rng: np.random.Generator) -> dict[str, int]:
    """Spoil some of the rows, in place, each in one way. Returns: how many by kind."""
    edges = np.cumsum([p.DIRTY_RATES[kind] for kind in KINDS])
    kind_of = np.searchsorted(edges, rng.random(len(rows.pickup_utc)), side="right")
    planted = {}
    for number, (kind, spoil) in enumerate(KINDS.items()):
        at = np.flatnonzero(kind_of == number)
        spoil(rows, at, rng)
        planted[kind] = len(at)
    return planted
