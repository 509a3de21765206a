"""Who wants to go where and when: the trips of one local day, before anybody drives."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import numpy.typing as npt

from smartcity import hashing
from smartcity.city import City
from smartcity.generator import parameters as p
from smartcity.generator.layout import Layout, layout_of, stream
from smartcity.localtime import is_weekend, local_seconds
from smartcity.streets import KM_PER_MILE, Routes

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_TRIPS = 5
#: Tries to place a drop-off in the core before the trip is let out of it.
_TRIES = 6


@dataclass(frozen=True, eq=False)
class Demand:
    """Trips in order of pick-up. ``keys`` name each trip's stream of random numbers."""

    day: date
    pickup_utc: Ints
    routes: Routes
    distance_miles: Floats
    keys: hashing.UInts

    def __len__(self) -> int:
        return len(self.keys)

    def take(self, rows: Ints) -> "Demand":
        """Some of the trips."""
        return Demand(
            self.day, self.pickup_utc[rows], self.routes.take(rows), self.distance_miles[rows], self.keys[rows]
        )


def day_bounds(day: date, city: City) -> tuple[int, int]:
    """UTC seconds since 1970 at which the local day begins and ends (23, 24 or 25 hours apart)."""
    start = datetime.combine(day, time(), city.zone)
    end = datetime.combine(day + timedelta(days=1), time(), city.zone)
    return int(start.astimezone(UTC).timestamp()), int(end.astimezone(UTC).timestamp())


def _pickups(day: date, city: City, count: int, rng: np.random.Generator) -> Ints:
    """Pick-up times, ascending, UTC seconds."""
    start, end = day_bounds(day, city)
    minutes = np.arange(start, end, 60)
    table = p.WEEKEND_PICKUPS if is_weekend(day) else p.WEEKDAY_PICKUPS
    hours = local_seconds(minutes, city.zone) % 86_400 / 3600 - 0.5
    before = np.floor(hours).astype(np.int64)
    share = hours - before
    weight = table[before % 24] * (1 - share) + table[(before + 1) % 24] * share
    edges = np.append(0.0, np.cumsum(weight) / weight.sum())
    places = np.interp(np.sort(rng.random(count)), edges, np.append(minutes, end))
    return np.asarray(np.minimum(places.astype(np.int64), end - 1))


def _in_cells(layout: Layout, count: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Points of the core: a cell by its demand, then anywhere in it."""
    rows, columns = np.nonzero(layout.raster < len(layout.cells))
    cell = layout.raster[rows, columns]
    order = np.argsort(cell, kind="stable")
    ends = np.cumsum(np.bincount(cell, minlength=len(layout.cells)))
    chosen = rng.choice(len(layout.cells), count, p=layout.demand)
    begins = np.append(0, ends[:-1])
    pixel = order[begins[chosen] + (rng.random(count) * (ends - begins)[chosen]).astype(np.int64)]
    return (
        layout.raster_origin[0] + (rows[pixel] + rng.random(count)) * layout.pixel_miles,
        layout.raster_origin[1] + (columns[pixel] + rng.random(count)) * layout.pixel_miles,
    )


def _deltas(
    layout: Layout, along: Floats, across: Floats, length: Floats, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Way to the drop-off, L1 ``length`` miles: into the core where a few tries find one, else wherever it leads."""
    delta_along, delta_across = np.zeros(len(length)), np.zeros(len(length))
    open_rows = np.arange(len(length))
    for number in range(_TRIES):
        # Later tries run along the avenues: that is where a long trip still finds room in a long, narrow core.
        share = rng.random(len(open_rows)) ** (1 / (1 + 2 * number))
        signs = rng.integers(0, 2, (2, len(open_rows))) * 2 - 1
        delta_along[open_rows] = signs[0] * share * length[open_rows]
        delta_across[open_rows] = signs[1] * (1 - share) * length[open_rows]
        to_along, to_across = along[open_rows] + delta_along[open_rows], across[open_rows] + delta_across[open_rows]
        open_rows = open_rows[layout.cell_index(to_along, to_across) == len(layout.cells)]
    return delta_along, delta_across


def _into_bounds(layout: Layout, along: Floats, across: Floats) -> tuple[Floats, Floats]:
    """Points beyond the city's bounds moved to just inside them."""
    b = layout.city.bounds
    latitude, longitude = layout.streets.to_degrees(along, across)
    rim_latitude, rim_longitude = 0.02 * (b.north - b.south), 0.02 * (b.east - b.west)
    outside = (latitude <= b.south) | (latitude >= b.north) | (longitude <= b.west) | (longitude >= b.east)
    latitude = np.clip(latitude, b.south + rim_latitude, b.north - rim_latitude)
    longitude = np.clip(longitude, b.west + rim_longitude, b.east - rim_longitude)
    moved = layout.streets.to_plane(latitude, longitude)
    return np.where(outside, moved[0], along), np.where(outside, moved[1], across)


def demand(city: City, seed: int, day: date, count: int) -> Demand:
    """``count`` trips whose pick-up is on the local ``day``; the same ones whatever other days are asked for."""
    layout = layout_of(city, seed)
    rng = stream(seed, _TRIPS, day.toordinal(), count)
    pickup = _pickups(day, city, count, rng)
    along, across = _in_cells(layout, count, rng)
    detour = 1 + np.abs(rng.normal(0, p.DETOUR_SD, count))
    length = np.maximum(np.exp(rng.normal(*p.TRIP_LN_KM, count)), p.TRIP_MIN_KM) / KM_PER_MILE / detour
    delta_along, delta_across = _deltas(layout, along, across, length, rng)
    to_along, to_across = _into_bounds(layout, along + delta_along, across + delta_across)
    # Half of the trips that leave the core are the ones that come back.
    back = (layout.cell_index(to_along, to_across) == len(layout.cells)) & (rng.random(count) < 0.5)
    from_along, from_across = np.where(back, to_along, along), np.where(back, to_across, across)
    to_along, to_across = np.where(back, along, to_along), np.where(back, across, to_across)
    routes = Routes(
        from_along,
        from_across,
        to_along - from_along,
        to_across - from_across,
        rng.random(count) < 0.5,
        rng.random(count),
    )
    keys = hashing.subkeys(int(rng.integers(0, 2**63)), count)
    return Demand(day, pickup, routes, routes.length * detour, keys)
