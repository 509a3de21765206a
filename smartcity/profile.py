"""What training days taught about each place: free-flow speed, and its history by time of week.

A profile is fitted once on the training days, saved with the data set, and copied into every model version trained on
it, so that batch and live features are computed from the very same numbers.
"""

import hashlib
import io
import json
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from smartcity.city import City
from smartcity.errors import MissingDataError, ModelError
from smartcity.lake import Dataset
from smartcity.localtime import is_weekend

Floats = npt.NDArray[np.float64]

FILE = "profile.npz"
SLOT_MINUTES = 30
SLOTS = 24 * 60 // SLOT_MINUTES
#: Positions in a half hour of a day from which on the day's own mood outweighs the noise of its pings.
DAY_POSITIONS = 4.0
#: Days' worth of trust in the coarser average when a finer one is asked for: how much days differ, over how much places
#: (times of day, kinds of day, weekdays) do. All positions of one day share its mood, so that it is days that count.
LEVEL_DAYS, TIME_DAYS, KIND_DAYS, WEEKDAY_DAYS = 5.0, 3.0, 1.0, 12.0
_ARRAYS = ("free_flow_mph", "ratio_mean", "ratio_std", "ratio_p10", "days", "latitude", "longitude")
#: Of these the archive holds each day apart, and what the days of each weekday add up to.
_DAILY = ("weights", "weighted_ratios")


def slot_of(local: datetime) -> int:
    """Half hour of the local day."""
    return (local.hour * 60 + local.minute) // SLOT_MINUTES


def day_weights(positions: Floats) -> Floats:
    """How much a day counts in the history of a place's half hour: 0 without a position, 1 with very many."""
    return np.asarray(positions / (positions + DAY_POSITIONS))


def _shrunk(total: Floats, weight: Floats, prior: Floats, days: float) -> Floats:
    return np.asarray((total + days * prior) / (weight + days))


def _archive_id(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


@dataclass(frozen=True, eq=False)
class Profile:
    """Tables over C cells, D training days and S half-hour slots.

    ``weights`` (``day_weights``) and ``weighted_ratios`` (weight × mean speed / free-flow) have shape (D, S, C). Kept
    per day so that a training row's history can leave its own day out.
    """

    city: City
    train_until_utc: datetime
    cells: tuple[str, ...]
    free_flow_mph: Floats
    ratio_mean: Floats
    ratio_std: Floats
    ratio_p10: Floats
    latitude: Floats
    longitude: Floats
    days: npt.NDArray[np.int64]
    weights: Floats
    weighted_ratios: Floats
    #: The days whose history can be asked for, as ordinals; None: any day's.
    kept: frozenset[int] | None = None

    def for_days(self, days: Collection[date]) -> "Profile":
        """The same profile for the history of these local days only: months of sums shrink to those of seven weekdays.

        It is what a task needs of it, and what travels to the workers; it can't be saved.
        """
        kept = frozenset(day.toordinal() for day in days)
        own = np.isin(self.days, list(kept))
        daily = {name: getattr(self, name)[own] for name in _DAILY}
        small = replace(self, days=self.days[own], kept=kept, **daily)
        for name in ("profile_id", "_weekday_sums"):
            small.__dict__[name] = getattr(self, name)
        return small

    @cached_property
    def profile_id(self) -> str:
        """Hash of the archive; features computed with another profile are other features."""
        return _archive_id(self.to_bytes())

    @cached_property
    def city_free_flow_mph(self) -> float:
        """Median free-flow speed, for a place the training days did not show."""
        return float(np.median(self.free_flow_mph))

    @cached_property
    def _city_ratio(self) -> float:
        weights, weighted_ratios = self._weekday_sums
        return float(weighted_ratios.sum() / weights.sum())

    @cached_property
    def _weekday_sums(self) -> tuple[Floats, Floats]:
        """``weights`` and ``weighted_ratios`` by weekday, shape (7, S, C): summing up all days for each is slow."""
        weekday = np.array([date.fromordinal(int(ordinal)).weekday() for ordinal in self.days], dtype=np.int64)
        weights, weighted_ratios = (
            np.stack([sums[weekday == number].sum(axis=0) for number in range(7)])
            for sums in (self.weights, self.weighted_ratios)
        )
        return weights, weighted_ratios

    def history(self, day: date) -> Floats:
        """Expected ratio on a local day, shape (S, C), from the other training days.

        Each finer average is shrunk towards the coarser one where few days carry it: city < cell < time of day <
        weekday or weekend < day of the week. Raises: ValueError where the profile is cut down to other days.
        """
        if self.kept is not None and day.toordinal() not in self.kept:
            raise ValueError(f"this profile is cut down to other days than {day}")
        own = np.flatnonzero(self.days == day.toordinal())
        same_kind = [weekday for weekday in range(7) if (weekday >= 5) == is_weekend(day)]

        def sums(weekdays: list[int]) -> tuple[Floats, Floats]:
            """Sums over the training days of these weekdays but the day itself, which is one of them."""
            weights, weighted_ratios = (sums[weekdays].sum(axis=0) for sums in self._weekday_sums)
            return weighted_ratios - self.weighted_ratios[own].sum(axis=0), weights - self.weights[own].sum(axis=0)

        total, weight = sums(list(range(7)))
        # With one training day only there is no other to take it from.
        city = np.array(total.sum() / weight.sum() if weight.sum() > 0 else self._city_ratio)
        level = _shrunk(total.sum(axis=0), weight.sum(axis=0), city, LEVEL_DAYS)
        # The city's own rhythm carries cells that few vehicles visit at that time.
        rhythm = _shrunk(total.sum(axis=1), weight.sum(axis=1), city, LEVEL_DAYS)
        expected = _shrunk(total, weight, level[None, :] * rhythm[:, None] / city, TIME_DAYS)
        expected = _shrunk(*sums(same_kind), expected, KIND_DAYS)
        return _shrunk(*sums([day.weekday()]), expected, WEEKDAY_DAYS)

    def indexes(self, cells: tuple[str, ...]) -> npt.NDArray[np.int64]:
        """Column of each cell in the tables; -1 where the training days did not show it."""
        position = {cell: index for index, cell in enumerate(self.cells)}
        return np.array([position.get(cell, -1) for cell in cells], dtype=np.int64)

    def to_bytes(self) -> bytes:
        """NumPy's own archive, plain arrays only. Raises: ValueError where it is cut down to some days."""
        if self.kept is not None:
            raise ValueError("a profile cut down to some days can't be saved")
        header = {
            "city": self.city.model_dump(mode="json"),
            "train_until_utc": self.train_until_utc.isoformat(),
            "cells": list(self.cells),
        }
        buffer = io.BytesIO()
        arrays: dict[str, Any] = {name: getattr(self, name) for name in _ARRAYS}
        for name, by_weekday in zip(_DAILY, self._weekday_sums, strict=True):
            arrays[f"{name}/weekdays"] = by_weekday
            arrays |= {f"{name}/{day}": sums for day, sums in zip(self.days, getattr(self, name), strict=True)}
        np.savez_compressed(buffer, header=np.frombuffer(json.dumps(header).encode(), dtype=np.uint8), **arrays)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes, days: Collection[date] | None = None) -> "Profile":
        """Read an archive; with ``days``, only what ``for_days`` would leave of it: months take seconds to unpack.

        Raises: ModelError where it is not one of ours.
        """
        kept = None if days is None else frozenset(day.toordinal() for day in days)
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as archive:
                header = json.loads(archive["header"].tobytes())
                arrays = {name: archive[name] for name in _ARRAYS}
                if kept is not None:
                    arrays["days"] = arrays["days"][np.isin(arrays["days"], list(kept))]
                weekday_sums = tuple(archive[f"{name}/weekdays"] for name in _DAILY)
                for name in _DAILY:
                    arrays[name] = np.empty((len(arrays["days"]), *weekday_sums[0].shape[1:]))
                    for number, day in enumerate(arrays["days"]):
                        arrays[name][number] = archive[f"{name}/{day}"]
            found = cls(
                city=City.model_validate(header["city"]),
                train_until_utc=datetime.fromisoformat(header["train_until_utc"]),
                cells=tuple(header["cells"]),
                kept=kept,
                **arrays,
            )
        except (OSError, ValueError, KeyError) as error:
            raise ModelError(f"not a profile of this version: {error}") from error
        # Packing months of it anew, only to ask for its name, would take longer than a day's features.
        found.__dict__.update(profile_id=_archive_id(content), _weekday_sums=weekday_sums)
        return found

    def save(self, dataset: Dataset) -> None:
        """Keep it with the data set, replacing an earlier one atomically."""
        dataset.put_bytes(FILE, self.to_bytes())

    @classmethod
    def load(cls, dataset: Dataset, days: Collection[date] | None = None) -> "Profile":
        """The data set's profile, whole or as ``for_days``.

        Raises: MissingDataError where none was fitted yet, ModelError where another version of this program wrote it.
        """
        content = dataset.get_bytes(FILE)
        if content is None:
            raise MissingDataError(
                f"{dataset.uri} has no profile yet. Make it with: "
                f"python -m spark_jobs.features --dataset {dataset.name} (traffic ingest runs it)"
            )
        try:
            return cls.from_bytes(content, days)
        except ModelError as error:
            way_out = f"python -m spark_jobs.features --dataset {dataset.name} --refit-profile"
            raise ModelError(f"{dataset.uri}/{FILE}: {error}. Fit it anew with: {way_out}") from error
