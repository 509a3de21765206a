"""The latent speed of every place at every 2-minute step: the generated city's truth."""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from smartcity.city import City
from smartcity.generator import parameters as p
from smartcity.generator.layout import Layout, layout_of, stream
from smartcity.localtime import DAY_SECONDS, local_seconds

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

STEPS_PER_DAY = DAY_SECONDS // p.FIELD_STEP_SECONDS
_STEP_MINUTES = p.FIELD_STEP_SECONDS / 60
_DECAY = float(np.exp(-_STEP_MINUTES / p.FIELD_TAU_MINUTES))
_INCIDENT_DECAY = float(np.exp(-_STEP_MINUTES / p.INCIDENT_TAU_MINUTES))
#: Mean of the log of (local speed / the city's): places, incidents and the spread of speeds around their logarithm
#: shift what vehicles meet; this brings the space-mean by hour back to the table.
_LEVEL = -0.05
_WEEKEND = (5, 6)
#: 1970-01-01 was a Thursday.
_EPOCH_WEEKDAY = 3
_SHOCKS, _INCIDENTS, _DAY_EFFECT = 2, 3, 4
#: Days (since 1970) over which the true free-flow speed is taken: the two weeks from 2015-06-01.
_REFERENCE_DAYS = range(16587, 16587 + 14)


def _stationary_variance() -> float:
    """Variance of the field per unit of shock variance, from the spectrum of the infinite hexagonal grid."""
    k = 2 * np.pi * np.arange(64) / 64
    k1, k2 = np.meshgrid(k, k)
    ring = (np.cos(k1) + np.cos(k2) + np.cos(k1 - k2)) / 3
    disk = (1 + 6 * p.SHOCK_REACH * ring) ** 2
    kept = _DECAY * (1 - p.FIELD_MIXING * (1 - ring))
    return float((disk / disk.mean() / (1 - kept**2)).mean())


_SHOCK_SD = p.FIELD_SD / float(np.sqrt(_stationary_variance()))


def _shocks(layout: Layout, seed: int, utc_day: int) -> Floats:
    """Shocks of unit variance that reach into the neighbouring cells, shape (steps, C + 1)."""
    raw = stream(seed, _SHOCKS, utc_day).standard_normal((STEPS_PER_DAY, len(layout.cells) + 1))
    own = np.arange(len(layout.cells))[:, None]
    reach = p.SHOCK_REACH * (layout.neighbours != own)
    disk = raw[:, :-1].copy()
    for direction in range(layout.neighbours.shape[1]):
        disk += raw[:, layout.neighbours[:, direction]] * reach[:, direction]
    raw[:, :-1] = disk / np.sqrt(1 + (reach**2).sum(axis=1))
    return raw


def _incidents(layout: Layout, seed: int, utc_day: int) -> Floats:
    """Log speed lost at the onset of each incident, shape (steps, C + 1)."""
    rng = stream(seed, _INCIDENTS, utc_day)
    cells = len(layout.cells)
    count = rng.poisson(24 * p.INCIDENTS_PER_HOUR_AND_CELL * cells)
    onset = np.zeros((STEPS_PER_DAY, cells + 1))
    step, cell = rng.integers(0, STEPS_PER_DAY, count), rng.integers(0, cells, count)
    np.add.at(onset, (step, cell), rng.uniform(*p.INCIDENT_SEVERITY, count))
    return onset


def _spread(values: Floats, neighbours: Ints, shares: Floats) -> Floats:
    """Each cell's values (rows) with the row's share of them replaced by the neighbours' mean."""
    mixed = values.copy()
    mixed[:, :-1] += shares * (values[:, neighbours].sum(axis=2) / neighbours.shape[1] - values[:, :-1])
    return mixed


@lru_cache(maxsize=6)
def _deviation(city: City, seed: int, utc_day: int) -> Floats:
    """Log speed around the usual, shape (steps of the UTC day, C + 1).

    The process starts a day before, from rest: after 16 time constants its start is forgotten (to 1e-7), so each day
    can be made without the days before it.
    """
    layout = layout_of(city, seed)
    shares = np.array([[p.FIELD_MIXING], [p.INCIDENT_SPREAD]])
    decay = np.array([[_DECAY], [_INCIDENT_DECAY]])
    state = np.zeros((2, len(layout.cells) + 1))
    found = np.empty((STEPS_PER_DAY, state.shape[1]))
    for day in (utc_day - 1, utc_day):
        news = np.stack([_SHOCK_SD * _shocks(layout, seed, day), _incidents(layout, seed, day)], axis=1)
        for step in range(STEPS_PER_DAY):
            state = decay * _spread(state, layout.neighbours, shares) + news[step]
            found[step] = state[0] - state[1]
    return found


def _usual(layout: Layout, local: Ints) -> Floats:
    """Log km/h that is usual at a local time (seconds since 1970), shape (times, C + 1)."""
    week = np.concatenate([p.WEEKEND_KMH if day in _WEEKEND else p.WEEKDAY_KMH for day in range(7)])
    rhythm = np.log(week)
    level = float(rhythm.mean())
    hour = (local / 3600 + 24 * _EPOCH_WEEKDAY)[:, None] - layout.peak_shift_hours - 0.5
    before = np.floor(hour).astype(np.int64)
    share = hour - before
    value = rhythm[before % 168] * (1 - share) + rhythm[(before + 1) % 168] * share
    return np.asarray(level + layout.amplitude * (value - level) + layout.log_speed + _LEVEL)


def day_effect(seed: int, local_day: int) -> float:
    """Log speed by which a whole local day (days since 1970) differs."""
    return float(stream(seed, _DAY_EFFECT, local_day).normal(0, p.DAY_EFFECT_SD))


def speeds_mph(city: City, seed: int, first_step: int, steps: int) -> Floats:
    """True speed, shape (steps, C + 1), of the field's steps ``first_step`` … (2-minute steps since 1970, UTC)."""
    layout = layout_of(city, seed)
    number = np.arange(first_step, first_step + steps)
    local = local_seconds(number * p.FIELD_STEP_SECONDS, city.zone)
    days = [_deviation(city, seed, day) for day in range(first_step // STEPS_PER_DAY, number[-1] // STEPS_PER_DAY + 1)]
    deviation = np.concatenate(days)[first_step % STEPS_PER_DAY :][:steps]
    local_day = local // DAY_SECONDS
    effect = {int(day): day_effect(seed, int(day)) for day in np.unique(local_day)}
    extra = np.array([effect[int(day)] for day in local_day])
    return np.asarray(np.exp(_usual(layout, local) + deviation + extra[:, None]) * p.MPH_PER_KMH)


@lru_cache(maxsize=4)
def free_flow_mph(city: City, seed: int) -> Floats:
    """True free-flow speed per core cell: 85th percentile from 22:00 to 05:00 local over two fixed weeks."""
    first, steps = _REFERENCE_DAYS.start * STEPS_PER_DAY, len(_REFERENCE_DAYS) * STEPS_PER_DAY
    speeds = speeds_mph(city, seed, first, steps)
    hour = local_seconds(np.arange(first, first + steps) * p.FIELD_STEP_SECONDS, city.zone) // 3600 % 24
    return np.asarray(np.percentile(speeds[(hour >= 22) | (hour < 5), :-1], 85, axis=0))
