"""Features and label: one NumPy kernel for batch and stream, from windows and a profile.

Everything is a function of windows up to the row's own (features) or of the target window (label), and of the profile,
which knows training days only. Speeds enter as ratios to the place's free-flow speed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache, reduce

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from smartcity.city import City, PlaceKind
from smartcity.columns import UTC_TIMESTAMP
from smartcity.events import SPEED_STEPS_PER_MPH
from smartcity.grid import neighbours
from smartcity.levels import ESTIMATE_MINUTES, HISTORY_WEIGHT_POSITIONS, MIN_VEHICLES, class_index
from smartcity.profile import SLOTS, Profile, slot_of
from smartcity.windows import WindowBlock, window_start

Floats = npt.NDArray[np.float64]

LAG_MINUTES = (2, 6, 10, 16, 20, 30, 45, 60, 90)
ROLLING_MINUTES = (30, 60)
TREND_MINUTES = 30
#: Windows this far back are seen by some feature.
LOOKBACK_MINUTES = max(LAG_MINUTES) + ESTIMATE_MINUTES
#: Places that count as neighbours of a sensor, which has no cells around it.
SENSOR_NEIGHBOURS = (4, 8)

FEATURE_NAMES = (
    "target_hour_sin",
    "target_hour_cos",
    "target_weekday_sin",
    "target_weekday_cos",
    "avg_speed_mph",
    "vehicle_count",
    "position_count_10min",
    "ratio_window",
    "ratio_now",
    *(f"ratio_lag_{minutes}min" for minutes in LAG_MINUTES),
    *(f"ratio_mean_{minutes}min" for minutes in ROLLING_MINUTES),
    f"ratio_std_{TREND_MINUTES}min",
    f"ratio_min_{TREND_MINUTES}min",
    f"ratio_slope_{TREND_MINUTES}min",
    "ring1_anomaly_now",
    "ring1_anomaly_10min_ago",
    "ring2_anomaly_now",
    "city_anomaly_now",
    "city_anomaly_30min_ago",
    "history_now",
    "history_target",
    "anomaly_now",
    "history_target_plus_anomaly",
    "cell_ratio_mean",
    "cell_ratio_std",
    "cell_ratio_p10",
    "cell_free_flow_mph",
)

#: The features table. ``label`` is an index into ``levels.CLASSES``, null where the target is unknown or not yet seen.
FEATURES = pa.schema(
    [
        ("cell_id", pa.string()),
        ("window_start_utc", UTC_TIMESTAMP),
        *((name, pa.float64()) for name in FEATURE_NAMES),
        ("known_now", pa.bool_()),
        ("label", pa.int64()),
        ("label_ratio", pa.float64()),
        ("date", pa.date32()),
    ]
)


@dataclass(frozen=True)
class CityState:
    """Estimates for each window and cell of a block, shape (windows, cells).

    ``ratio`` is r̂ = (n·r + K·H) / (n + K) over the trailing 10 minutes; ``known`` says whether enough distinct vehicles
    were seen to show it; ``active`` whether any position was.
    """

    block: WindowBlock
    profile: Profile
    free_flow_mph: Floats
    history: Floats
    history_target: Floats
    positions_10min: npt.NDArray[np.int64]
    ratio: Floats
    known: npt.NDArray[np.bool_]
    active: npt.NDArray[np.bool_]

    @property
    def level_index(self) -> npt.NDArray[np.int64]:
        """Index into ``levels.CLASSES``; -1 for unknown."""
        return np.where(self.known, class_index(self.ratio), -1)

    @property
    def anomaly(self) -> Floats:
        """How far each place is from its history; 0 where nothing was seen."""
        return np.where(self.active, self.ratio - self.history, 0.0)


def estimate(block: WindowBlock, profile: Profile) -> CityState:
    """Estimate each place's ratio and level in each window of a block."""
    city = profile.city
    columns = profile.indexes(block.cells)
    free_flow = np.where(columns >= 0, profile.free_flow_mph[columns], profile.city_free_flow_mph)
    history = _history(profile, city, block.first, block.length + city.horizon_steps, columns)
    steps = city.steps(ESTIMATE_MINUTES)
    positions = block.trailing("position_count", steps)
    ratio_sum = block.trailing("speed_sum", steps) / SPEED_STEPS_PER_MPH / free_flow
    now = history[: block.length]
    return CityState(
        block=block,
        profile=profile,
        free_flow_mph=free_flow,
        history=now,
        history_target=history[city.horizon_steps :],
        positions_10min=positions,
        ratio=(ratio_sum + HISTORY_WEIGHT_POSITIONS * now) / (positions + HISTORY_WEIGHT_POSITIONS),
        known=block.distinct_vehicles(steps) >= MIN_VEHICLES,
        active=positions > 0,
    )


def _history(profile: Profile, city: City, first: int, length: int, columns: npt.NDArray[np.int64]) -> Floats:
    """Expected ratio, shape (length, cells), for consecutive windows; the city's mean for unseen cells."""
    rows = np.empty((length, len(columns)))
    for offset in range(length):
        local = window_start(first + offset, city).astimezone(city.zone)
        table = _padded_history(profile, local.toordinal())
        rows[offset] = table[slot_of(local), columns]
    return rows


@lru_cache(maxsize=64)
def _padded_history(profile: Profile, ordinal: int) -> Floats:
    """The profile's history of a day with one more column, reached by index -1: the mean over the cells."""
    table = profile.history(datetime.fromordinal(ordinal).date())
    return np.hstack([table, table.mean(axis=1).reshape(SLOTS, 1)])


def features(state: CityState, first_row: int = 0) -> dict[str, Floats]:
    """Feature arrays of shape (windows from ``first_row``, cells), one for each of ``FEATURE_NAMES``."""
    block, city = state.block, state.profile.city
    rows = slice(first_row, None)
    shape = state.ratio[rows].shape
    anomaly = state.anomaly
    city_anomaly = _weighted_mean(anomaly, state.positions_10min)
    ring1, ring2 = neighbour_rings(block.cells, state.profile)
    columns = state.profile.indexes(block.cells)
    found: dict[str, Floats] = {}

    target = [
        window_start(block.first + first_row + row + city.horizon_steps, city).astimezone(city.zone)
        for row in range(shape[0])
    ]
    hours = np.array([moment.hour + moment.minute / 60 for moment in target])
    weekdays = np.array([float(moment.weekday()) for moment in target])
    for name, angle in (("hour", hours / 24), ("weekday", weekdays / 7)):
        found[f"target_{name}_sin"] = np.broadcast_to(np.sin(2 * np.pi * angle)[:, None], shape)
        found[f"target_{name}_cos"] = np.broadcast_to(np.cos(2 * np.pi * angle)[:, None], shape)

    expected_speed = state.ratio * state.free_flow_mph
    speed = block.avg_speed_mph()
    found["avg_speed_mph"] = np.where(np.isnan(speed), expected_speed, speed)[rows]
    found["vehicle_count"] = block.vehicle_count[rows].astype(np.float64)
    found["position_count_10min"] = state.positions_10min[rows].astype(np.float64)
    found["ratio_window"] = _rolling_ratio(state, 1)[rows]
    found["ratio_now"] = state.ratio[rows]
    for minutes in LAG_MINUTES:
        found[f"ratio_lag_{minutes}min"] = _lag(state.ratio, city.steps(minutes), state.history)[rows]
    for minutes in ROLLING_MINUTES:
        found[f"ratio_mean_{minutes}min"] = _rolling_ratio(state, city.steps(minutes))[rows]
    trend = [_lag(state.ratio, step, state.history)[rows] for step in range(city.steps(TREND_MINUTES))]
    found[f"ratio_std_{TREND_MINUTES}min"] = _std(trend)
    found[f"ratio_min_{TREND_MINUTES}min"] = reduce(np.minimum, trend)
    found[f"ratio_slope_{TREND_MINUTES}min"] = _slope(trend)
    ring1_anomaly = _ring_anomaly(state, ring1)
    found["ring1_anomaly_now"] = ring1_anomaly[rows]
    found["ring1_anomaly_10min_ago"] = _lag(ring1_anomaly, city.steps(10))[rows]
    found["ring2_anomaly_now"] = _ring_anomaly(state, ring2)[rows]
    found["city_anomaly_now"] = np.broadcast_to(city_anomaly[rows, None], shape)
    found["city_anomaly_30min_ago"] = np.broadcast_to(_lag(city_anomaly, city.steps(30))[rows, None], shape)
    found["history_now"] = state.history[rows]
    found["history_target"] = state.history_target[rows]
    found["anomaly_now"] = anomaly[rows]
    found["history_target_plus_anomaly"] = (state.history_target + anomaly)[rows]
    for name in ("ratio_mean", "ratio_std", "ratio_p10"):
        table = getattr(state.profile, name)
        found[f"cell_{name}"] = np.broadcast_to(np.where(columns >= 0, table[columns], table.mean()), shape)
    found["cell_free_flow_mph"] = np.broadcast_to(state.free_flow_mph, shape)
    return found


def feature_table(state: CityState, first_row: int, end_row: int) -> pa.Table:
    """Rows of ``FEATURES`` (but ``date``) for the active cells of the windows ``first_row`` … ``end_row - 1``.

    Labels come from windows of the block after the row's; where the block ends before the target, they are null.
    """
    city, block = state.profile.city, state.block
    chosen = state.active[first_row:end_row]
    at_row, at_cell = np.nonzero(chosen)
    arrays = features(state, first_row)
    label = np.full(chosen.shape, -1, dtype=np.int64)
    label_ratio = np.full(chosen.shape, np.nan)
    ahead = slice(first_row + city.horizon_steps, end_row + city.horizon_steps)
    seen = state.level_index[ahead]
    label[: len(seen)] = seen
    label_ratio[: len(seen)] = state.ratio[ahead]
    labels, ratios = label[at_row, at_cell], label_ratio[at_row, at_cell]
    start_seconds = (block.first + first_row + at_row) * city.window_seconds
    columns: dict[str, pa.Array] = {
        "cell_id": pa.DictionaryArray.from_arrays(at_cell.astype(np.int32), pa.array(block.cells, pa.string())),
        "window_start_utc": pa.array(start_seconds * 1_000_000, pa.int64()).cast(UTC_TIMESTAMP),
        **{name: pa.array(arrays[name][at_row, at_cell], pa.float64()) for name in FEATURE_NAMES},
        "known_now": pa.array(state.known[first_row:end_row][at_row, at_cell]),
        "label": pa.array(labels, pa.int64(), mask=labels < 0),
        "label_ratio": pa.array(ratios, pa.float64(), mask=labels < 0),
    }
    return pa.table(columns)


def matrix(arrays: dict[str, Floats], at: tuple[npt.NDArray[np.intp], ...]) -> Floats:
    """Model input, shape (rows, features), for chosen (window, cell) pairs."""
    return np.column_stack([arrays[name][at] for name in FEATURE_NAMES])


@lru_cache(maxsize=16)
def neighbour_rings(cells: tuple[str, ...], profile: Profile) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Columns of each cell's neighbours, nearer and farther, shape (cells, k), padded with -1."""
    position = {cell: index for index, cell in enumerate(cells)}
    rings: list[Callable[[str], Sequence[str]]]
    if profile.city.place_kind is PlaceKind.H3:
        rings = [lambda cell: neighbours(cell, 1), lambda cell: neighbours(cell, 2)]
    else:
        nearest = _nearest_sensors(profile)
        near, far = SENSOR_NEIGHBOURS
        rings = [lambda cell: nearest.get(cell, [])[:near], lambda cell: nearest.get(cell, [])[near : near + far]]
    padded = []
    for ring in rings:
        found = [[position[other] for other in ring(cell) if other in position] for cell in cells]
        width = max([1, *map(len, found)])
        padded.append(np.array([row + [-1] * (width - len(row)) for row in found], dtype=np.int64).reshape(-1, width))
    return padded[0], padded[1]


def _nearest_sensors(profile: Profile) -> dict[str, list[str]]:
    """Other places by distance (equirectangular, which is exact enough to rank within a city)."""
    x = np.radians(profile.longitude) * np.cos(np.radians(profile.latitude.mean()))
    y = np.radians(profile.latitude)
    distance = np.hypot(x[:, None] - x, y[:, None] - y)
    np.fill_diagonal(distance, np.inf)
    order = np.argsort(distance, axis=1, kind="stable")[:, : sum(SENSOR_NEIGHBOURS)]
    return {
        cell: [profile.cells[o] for o in row if o != i]
        for i, (cell, row) in enumerate(zip(profile.cells, order, strict=True))
    }


def _lag(values: Floats, steps: int, before: Floats | None = None) -> Floats:
    """Values ``steps`` windows earlier; before the block's first window stands ``before``, or 0."""
    shifted = np.zeros_like(values) if before is None else before.copy()
    if steps < len(values):
        shifted[steps:] = values[: len(values) - steps]
    return shifted


def _rolling_ratio(state: CityState, steps: int) -> Floats:
    """Ratio over the trailing ``steps`` windows, drawn to the history where few positions carry it."""
    positions = state.block.trailing("position_count", steps)
    ratio_sum = state.block.trailing("speed_sum", steps) / SPEED_STEPS_PER_MPH / state.free_flow_mph
    prior = HISTORY_WEIGHT_POSITIONS * state.history
    return np.asarray((ratio_sum + prior) / (positions + HISTORY_WEIGHT_POSITIONS))


def _std(values: Sequence[Floats]) -> Floats:
    """Population standard deviation over a sequence of arrays, added up one by one as in ``_slope``."""
    mean = sum(values, np.zeros_like(values[0])) / len(values)
    squares = np.zeros_like(mean)
    for value in values:
        squares += (value - mean) ** 2
    return np.sqrt(squares / len(values))


def _slope(newest_first: Sequence[Floats]) -> Floats:
    """Least-squares slope per window over the last windows; 0 for a single one."""
    steps = len(newest_first)
    if steps == 1:
        return np.zeros_like(newest_first[0])
    time = -np.arange(steps, dtype=np.float64)
    time -= time.mean()
    # Summed one by one: a matrix product's last digits depend on the block's size, and live must equal batch.
    total = np.zeros_like(newest_first[0])
    for moment, values in zip(time, newest_first, strict=True):
        total += moment * values
    return np.asarray(total / float((time**2).sum()))


def _ring_anomaly(state: CityState, ring: npt.NDArray[np.int64]) -> Floats:
    """The anomaly of a place's neighbours taken as one place, drawn to 0 as its own is; 0 where none is active.

    So a neighbour counts by its positions: of two vehicles' noise there is less in it than in a mean over places.
    """
    pad = np.zeros((len(state.ratio), 1))
    positions = state.positions_10min.astype(np.float64)
    # Positions times how far they are from the history: what an anomaly was before it was drawn to 0.
    excess = np.hstack([state.anomaly * (positions + HISTORY_WEIGHT_POSITIONS), pad])
    positions = np.hstack([positions, pad])
    total, count = np.zeros_like(state.ratio), np.zeros_like(state.ratio)
    for column in ring.T:
        total += excess.take(column, axis=1, mode="wrap")
        count += positions.take(column, axis=1, mode="wrap")
    return np.asarray(total / (count + HISTORY_WEIGHT_POSITIONS))


def _weighted_mean(values: Floats, weights: npt.NDArray[np.int64]) -> Floats:
    """Mean over cells, weighted by positions; 0 for a window without any."""
    total = weights.sum(axis=1)
    return np.where(total > 0, (values * weights).sum(axis=1) / np.maximum(total, 1), 0.0)


def window_time(index: int, city: City) -> datetime:
    """End of the window with this number: the time its state is as of."""
    return window_start(index + 1, city).astimezone(UTC)
