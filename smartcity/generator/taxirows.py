"""Driven trips as rows of a taxi file in the schema that TLC published until mid-2016 (with coordinates)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from smartcity.city import City
from smartcity.generator.demand import Demand
from smartcity.generator.drive import Driven
from smartcity.generator.layout import layout_of
from smartcity.localtime import local_seconds

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

SCHEMA = pa.schema(
    [
        ("VendorID", pa.int64()),
        ("tpep_pickup_datetime", pa.timestamp("us")),
        ("tpep_dropoff_datetime", pa.timestamp("us")),
        ("passenger_count", pa.int64()),
        ("trip_distance", pa.float64()),
        ("pickup_longitude", pa.float64()),
        ("pickup_latitude", pa.float64()),
        ("RatecodeID", pa.int64()),
        ("store_and_fwd_flag", pa.string()),
        ("dropoff_longitude", pa.float64()),
        ("dropoff_latitude", pa.float64()),
        ("payment_type", pa.int64()),
        ("fare_amount", pa.float64()),
        ("extra", pa.float64()),
        ("mta_tax", pa.float64()),
        ("tip_amount", pa.float64()),
        ("tolls_amount", pa.float64()),
        ("improvement_surcharge", pa.float64()),
        ("total_amount", pa.float64()),
    ]
)
MONEY = ("fare_amount", "extra", "mta_tax", "tip_amount", "tolls_amount", "improvement_surcharge", "total_amount")

#: The meter of 2016: dollars at the start, per mile and per minute (a fit to its records), surcharges by the rules.
_FARE = (2.0, 1.9, 0.36)
_MTA_TAX, _IMPROVEMENT = 0.5, 0.3
_PASSENGERS = (0.711, 0.14, 0.038, 0.018, 0.058, 0.035)
_PAYMENTS = (0.652, 0.342, 0.004, 0.002)
_VENDOR_1, _STORED = 0.466, 0.005


@dataclass(frozen=True, eq=False)
class TaxiRows:
    """The columns while they may still be changed; times in UTC seconds since 1970."""

    pickup_utc: Ints
    dropoff_utc: Ints
    integers: dict[str, Ints]
    numbers: dict[str, Floats]
    stored: npt.NDArray[np.bool_]

    def table(self, city: City) -> pa.Table:
        """As published: local clock times, no zone."""
        found: dict[str, pa.Array] = {name: pa.array(values) for name, values in self.integers.items()}
        found |= {name: pa.array(values) for name, values in self.numbers.items()}
        for name, utc in (("tpep_pickup_datetime", self.pickup_utc), ("tpep_dropoff_datetime", self.dropoff_utc)):
            found[name] = pa.array(local_seconds(utc, city.zone) * 1_000_000).cast(pa.timestamp("us"))
        found["store_and_fwd_flag"] = pa.array(["N", "Y"]).take(pa.array(self.stored.astype(np.int8)))
        return pa.table([found[name] for name in SCHEMA.names], schema=SCHEMA)


def _choice(rng: np.random.Generator, shares: tuple[float, ...], count: int) -> Ints:
    """1, 2, … with the given shares."""
    return np.minimum(np.searchsorted(np.cumsum(shares), rng.random(count), side="right"), len(shares) - 1) + 1


def _money(pickup_utc: Ints, seconds: Ints, miles: Floats, paid_by_card: npt.NDArray[np.bool_], city: City,
           rng: np.random.Generator) -> dict[str, Floats]:  # fmt: skip
    local = local_seconds(pickup_utc, city.zone)
    hour, weekday = local // 3600 % 24, (local // 86_400 + 3) % 7
    fare = np.rint((_FARE[0] + _FARE[1] * miles + _FARE[2] * seconds / 60) * 2) / 2
    rush = (weekday < 5) & (hour >= 16) & (hour < 20)
    extra = np.where(rush, 1.0, np.where((hour >= 20) | (hour < 6), 0.5, 0.0))
    plain = np.full(len(fare), 1.0)
    tip = np.where(paid_by_card, np.round((fare + extra) * rng.uniform(0.1, 0.3, len(fare)), 2), 0.0)
    tolls = np.where((miles > 8) & (rng.random(len(fare)) < 0.4), 5.54, 0.0)
    total = np.round(fare + extra + _MTA_TAX + tip + tolls + _IMPROVEMENT, 2)
    return dict(zip(MONEY, (fare, extra, plain * _MTA_TAX, tip, tolls, plain * _IMPROVEMENT, total), strict=True))


def taxi_rows(city: City, seed: int, trips: Demand, driven: Driven, rng: np.random.Generator) -> TaxiRows:
    """One row per trip, all of them right."""
    count = len(trips)
    streets, routes = layout_of(city, seed).streets, trips.routes
    start = streets.to_degrees(routes.along, routes.across)
    end = streets.to_degrees(routes.along + routes.delta_along, routes.across + routes.delta_across)
    payment = _choice(rng, _PAYMENTS, count)
    miles = np.maximum(np.round(driven.miles, 2), 0.01)
    numbers = {
        "trip_distance": miles,
        "pickup_latitude": np.round(start[0], 6),
        "pickup_longitude": np.round(start[1], 6),
        "dropoff_latitude": np.round(end[0], 6),
        "dropoff_longitude": np.round(end[1], 6),
        **_money(trips.pickup_utc, driven.seconds, miles, payment == 1, city, rng),
    }
    integers = {
        "VendorID": np.where(rng.random(count) < _VENDOR_1, 1, 2),
        "passenger_count": _choice(rng, _PASSENGERS, count),
        "RatecodeID": np.ones(count, dtype=np.int64),
        "payment_type": payment,
    }
    dropoff = trips.pickup_utc + driven.seconds
    return TaxiRows(trips.pickup_utc.copy(), dropoff, integers, numbers, rng.random(count) < _STORED)
