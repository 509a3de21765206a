"""Fit a profile on the windows of the training days: free-flow speeds, history and place statistics."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

import h3
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from smartcity.city import City, PlaceKind
from smartcity.columns import UTC_TIMESTAMP
from smartcity.errors import MissingDataError
from smartcity.events import SPEED_STEPS_PER_MPH
from smartcity.levels import ESTIMATE_MINUTES
from smartcity.localtime import DAY_SECONDS, MICROS, local_seconds
from smartcity.profile import SLOT_MINUTES, SLOTS, Profile, day_weights

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

NIGHT_FROM_HOUR, NIGHT_TO_HOUR = 22, 5
FREE_FLOW_PERCENTILE = 85
SLOW_PERCENTILE = 10
#: Ten-minute speeds' worth of trust in the city's night speed for a cell with few of its own.
FREE_FLOW_SHRINK = 20.0
#: Ten-minute speeds that an hour of a cell's night needs to count half as much as one with very many.
HOUR_TRUST = 5.0
#: A ten-minute speed of fewer positions says too little to enter a percentile. Not more than that: where traffic is
#: fast, vehicles are soon gone, so that the fastest ten minutes are those of the fewest positions.
MIN_POSITIONS = 2
#: Rounds in which the usual speeds of cells and of hours, and the noise of a ping, settle.
_ROUNDS = 4

#: What is read of the windows.
NEEDED = ["cell_id", "window_start_utc", "position_count", "speed_sum"]


@dataclass(frozen=True)
class _TenMinutes:
    """Positions and their speeds summed up per cell and ten minutes of the local day; arrays of one length."""

    cell: npt.NDArray[np.int32]
    day: npt.NDArray[np.int32]
    minute: npt.NDArray[np.int32]
    positions: Floats
    speed_sum_mph: Floats

    @property
    def is_night(self) -> npt.NDArray[np.bool_]:
        hour = self.minute // 60
        return np.asarray((hour >= NIGHT_FROM_HOUR) | (hour < NIGHT_TO_HOUR))

    @property
    def is_firm(self) -> npt.NDArray[np.bool_]:
        return np.asarray(self.positions >= MIN_POSITIONS)


def fit_profile(
    days: Iterable[pa.Table],
    city: City,
    train_until_utc: datetime,
    places: Mapping[str, tuple[float, float]] | None = None,
) -> Profile:
    """Fit free-flow, history and place statistics on the windows that start before ``train_until_utc``.

    Args: days: the windows of one day after the other, columns ``NEEDED``. places: latitude and longitude of each
    sensor; H3 cells know theirs. Memory: some 2 MB a day for a big city.
    Raises: MissingDataError where there is nothing to fit on.
    """
    numbers: dict[str, int] = {}
    sums = [_sums(rows, city, train_until_utc, numbers) for rows in days]
    found = _TenMinutes(
        *(np.concatenate([getattr(part, name) for part in sums]) for name in _TenMinutes.__dataclass_fields__)
    )
    if not len(found.cell):
        raise MissingDataError(f"no window before {train_until_utc:%Y-%m-%d %H:%M} UTC to fit a profile on")
    cells = sorted(numbers)
    rank = np.empty(len(cells), dtype=np.int32)
    rank[[numbers[cell] for cell in cells]] = np.arange(len(cells))
    found = _TenMinutes(rank[found.cell], found.day, found.minute, found.positions, found.speed_sum_mph)
    free_flow = _free_flow(found, len(cells))
    days_seen, day_index = np.unique(found.day, return_inverse=True)
    at = (day_index, found.minute // SLOT_MINUTES, found.cell)
    counts, ratio_sums = np.zeros((len(days_seen), SLOTS, len(cells))), np.zeros((len(days_seen), SLOTS, len(cells)))
    np.add.at(counts, at, found.positions)
    np.add.at(ratio_sums, at, found.speed_sum_mph / free_flow[found.cell])
    mean, std, slow = _ratio_statistics(found, free_flow, ratio_sums.sum() / counts.sum())
    weights = day_weights(counts)
    if city.place_kind is PlaceKind.H3:
        places = {cell: h3.cell_to_latlng(cell) for cell in cells}
    where = np.array([(places or {}).get(cell, city.bounds.center) for cell in cells], dtype=np.float64).reshape(-1, 2)
    return Profile(
        city=city,
        train_until_utc=train_until_utc,
        cells=tuple(cells),
        free_flow_mph=free_flow,
        ratio_mean=mean,
        ratio_std=std,
        ratio_p10=slow,
        latitude=where[:, 0],
        longitude=where[:, 1],
        days=days_seen.astype(np.int64) + date(1970, 1, 1).toordinal(),
        weights=weights,
        weighted_ratios=np.divide(weights * ratio_sums, counts, out=np.zeros_like(counts), where=counts > 0),
    )


def _sums(rows: pa.Table, city: City, until: datetime, numbers: dict[str, int]) -> _TenMinutes:
    """One day's windows, summed up; ``numbers`` gives each cell its number, new ones included."""
    rows = rows.filter(pc.less(rows["window_start_utc"], pa.scalar(until, UTC_TIMESTAMP)))
    coded = pc.dictionary_encode(rows["cell_id"]).combine_chunks()
    names = [numbers.setdefault(name, len(numbers)) for name in coded.dictionary.to_pylist()]
    cell = np.array(names, dtype=np.int64)[coded.indices.to_numpy()]
    starts, place = np.unique(rows["window_start_utc"].cast(pa.int64()).to_numpy(), return_inverse=True)
    local = local_seconds(starts // MICROS, city.zone)
    step = max(ESTIMATE_MINUTES, city.window_minutes) * 60
    group, of = np.unique((local // step)[place] << 32 | cell, return_inverse=True)
    positions = np.bincount(of, rows["position_count"].to_numpy(), len(group)).astype(np.float64)
    speed_sum = np.bincount(of, rows["speed_sum"].to_numpy(), len(group)) / SPEED_STEPS_PER_MPH
    seconds = (group >> 32) * step
    minute = (seconds % DAY_SECONDS // 60).astype(np.int32)
    number = (group & 0xFFFF_FFFF).astype(np.int32)
    return _TenMinutes(number, (seconds // DAY_SECONDS).astype(np.int32), minute, positions, speed_sum)


def _free_flow(found: _TenMinutes, cells: int) -> Floats:
    """Free-flow speed per cell: FHWA's 85th percentile, with the night as off-peak, shrunk to the city's median.

    Each hour of the night counts alike, though fewer vehicles are about to tell of its fast end. The noise of a few
    pings would pass for free flow, so it is taken out of each ten-minute speed first. Without a night, the fastest
    hours stand in for it.
    """
    firm = found.is_night & found.is_firm
    of, hour = found.cell[firm], found.minute[firm] // 60
    speed = found.speed_sum_mph[firm] / found.positions[firm]
    drawn = _without_noise(of, hour, speed, found.positions[firm], cells)
    told = np.bincount(of * 24 + hour, minlength=cells * 24)
    own = _percentile(of, drawn, FREE_FLOW_PERCENTILE, cells, 1 / (told[of * 24 + hour] + HOUR_TRUST))
    trust = np.bincount(of, minlength=cells).astype(np.float64)
    if firm.any():
        city_mph = float(np.nanmedian(own))
    else:
        city_mph = float(np.percentile(found.speed_sum_mph / found.positions, FREE_FLOW_PERCENTILE))
    value = np.where(np.isnan(own), city_mph, own)
    # A place where nothing ever moved must not divide by zero.
    return np.asarray(np.maximum((value * trust + city_mph * FREE_FLOW_SHRINK) / (trust + FREE_FLOW_SHRINK), 1.0))


def _without_noise(
    cell: npt.NDArray[np.int32], hour: npt.NDArray[np.int32], speed: Floats, positions: Floats, cells: int
) -> Floats:
    """Speeds spread around what is usual as the places vary, not as the pings do: a percentile is unbiased.

    The square of a log speed's deviation is τ² + s²/n in the mean: τ² of the place, s² of a ping, n positions. Both are
    fitted over the city; then each deviation is scaled by √(τ² / (τ² + s²/n)), which leaves a variance of τ². Drawing
    a speed to the mean by n / (n + K) instead leaves less than that, and free flow 17 % too low. The log of a mean of n
    pings is s²/2n below the log of what it is the mean of.

    Source: T. A. Louis, "Estimating a population of parameter values using Bayes and empirical Bayes methods", 1984.
    """
    log, inverse = np.log(np.maximum(speed, 1.0)), 1 / positions
    if not len(log):
        return speed
    spread, ping = inverse - inverse.mean(), 0.0
    # Equal numbers of positions do not tell one noise from the other.
    tells = bool(np.ptp(positions) > 0)
    for _ in range(_ROUNDS):
        unbiased = log + ping * inverse / 2
        typical = _typical(unbiased, cell, hour, cells)
        square = (unbiased - typical) ** 2
        slope = float((spread * square).sum() / (spread**2).sum()) if tells else 0.0
        ping = float(np.clip(slope, 0.0, square.mean() / inverse.mean()))
    of_place = max(float(square.mean() - ping * inverse.mean()), 0.0)
    total = of_place + ping * inverse
    kept = np.sqrt(np.divide(of_place, total, out=np.ones_like(total), where=total > 0))
    return np.asarray(np.exp(typical + kept * (unbiased - typical)))


def _typical(log: Floats, cell: npt.NDArray[np.int32], hour: npt.NDArray[np.int32], cells: int) -> Floats:
    """What is usual for each row's cell and hour, as the sum of both: few rows tell of one cell in one hour."""
    of_hour, usual = np.maximum(np.bincount(hour, minlength=24), 1), np.zeros(24)
    of_cell, place = np.maximum(np.bincount(cell, minlength=cells), 1), np.zeros(cells)
    for _ in range(_ROUNDS):
        place = np.bincount(cell, log - usual[hour], cells) / of_cell
        usual = np.bincount(hour, log - place[cell], 24) / of_hour
    return np.asarray(place[cell] + usual[hour])


def _ratio_statistics(found: _TenMinutes, free_flow: Floats, typical: float) -> tuple[Floats, Floats, Floats]:
    """Mean, deviation and 10th percentile of the ten-minute ratios per cell; typical values where there are none."""
    cells, firm = len(free_flow), found.is_firm
    of = found.cell[firm]
    ratio = found.speed_sum_mph[firm] / found.positions[firm] / free_flow[of]
    count = np.bincount(of, minlength=cells)
    mean = np.bincount(of, ratio, cells) / np.maximum(count, 1)
    variance = np.bincount(of, (ratio - mean[of]) ** 2, cells) / np.maximum(count, 1)
    slow = _percentile(of, ratio, SLOW_PERCENTILE, cells)
    known = count > 0
    return np.where(known, mean, typical), np.where(known, np.sqrt(variance), 0.0), np.where(known, slow, typical)


def _percentile(
    cell: npt.NDArray[np.int32], values: Floats, percent: float, cells: int, weights: Floats | None = None
) -> Floats:
    """A percentile of each cell's values, linear between them; NaN for a cell without one.

    With weights, a value stands at the middle of its share of them; equal ones change nothing.
    """
    order = np.lexsort((values, cell))
    cell, values = cell[order], values[order]
    weight = np.ones(len(values)) if weights is None else weights[order]
    count = np.bincount(cell, minlength=cells)
    last = np.cumsum(count) - 1
    first = last - count + 1
    middle = np.cumsum(weight) - weight / 2
    found = np.full(cells, np.nan)
    some = np.flatnonzero(count)
    wanted = middle[first[some]] + percent / 100 * (middle[last[some]] - middle[first[some]])
    low = np.clip(np.searchsorted(middle, wanted, side="right") - 1, first[some], last[some])
    high = np.minimum(low + 1, last[some])
    share = np.divide(wanted - middle[low], middle[high] - middle[low], out=np.zeros(len(some)), where=high > low)
    found[some] = values[low] * (1 - share) + values[high] * share
    return found
