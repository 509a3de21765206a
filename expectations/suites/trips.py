"""Gate on ``trips``: what cleaning let through must be whole, inside the city, and as much as on other such days."""

from collections import Counter
from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from great_expectations import expectations as gxe

from expectations.frames import hours_with_rows, local_dates, local_times
from expectations.rule import DAYS, ROWS, Frame, Rule
from expectations.span import Span, days_missing_before, row_counts, to_usual
from expectations.suite import Suite, complete, schema_rules
from expectations.suites.volume import between, speed_rules, volume_rules
from expectations.tables import lake_table
from smartcity.city import City
from smartcity.columns import TRIPS
from smartcity.lake import Dataset
from smartcity.rules import MAX_DISTANCE_MILES, MAX_DURATION_SECONDS, MAX_TRIP_SPEED_MPH, MIN_DURATION_SECONDS

#: Of the rows read, so many do not parse or break a rule in an ordinary month: well below one in twenty.
QUARANTINE_WARN, QUARANTINE_FAIL = 0.05, 0.25
#: Fewer trips than this may repeat by chance; two such days are not called copies.
COPY_MIN_ROWS = 20
#: The same quotient computed in another order differs by less than this.
ROUNDING = 1e-6


def rules(city: City) -> tuple[Rule, ...]:
    """The rules, by what they look at: schema, days, rows."""
    b = city.bounds
    boxes = {"latitude": (b.south, b.north), "longitude": (b.west, b.east)}
    return (
        *schema_rules(),
        *volume_rules(),
        *speed_rules(),
        DAYS.warn(
            "no_day_is_missing_before",
            between("days_missing_before", 0, 0),
            "a delivery that never came: its lags and labels are missing, and so is its weekday in every comparison",
        ),
        DAYS.fail(
            "no_day_is_a_copy_of_another",
            between("copies", 0, 0),
            "the same trips under another date: a file published or downloaded wrongly",
        ),
        DAYS.fail(
            "quarantine_is_small",
            between("quarantine_share", 0, QUARANTINE_FAIL),
            "a quarter of the rows unusable: a changed layout, swapped columns, another city's file",
        ),
        DAYS.warn(
            "quarantine_is_as_usual",
            between("quarantine_share", 0, QUARANTINE_WARN),
            "look at the reasons in the quarantine table",
        ),
        *complete(*(name for name in TRIPS.names if not name.startswith("source_"))),
        ROWS.fail(
            "a_trip_is_there_once",
            gxe.ExpectColumnValuesToBeUnique(column="trip_id"),
            "a trip twice counts its vehicle twice in every window it crosses",
        ),
        ROWS.fail(
            "dropoff_is_after_pickup",
            gxe.ExpectColumnPairValuesAToBeGreaterThanB(column_A="dropoff_utc", column_B="pickup_utc"),
            "times in the wrong order, or the columns swapped",
        ),
        ROWS.fail(
            "distance_is_possible",
            gxe.ExpectColumnValuesToBeBetween(
                column="trip_distance_miles", min_value=0, strict_min=True, max_value=MAX_DISTANCE_MILES
            ),
            "a trip that goes nowhere, or out of town, says nothing about speed here",
        ),
        ROWS.fail(
            "duration_is_possible",
            gxe.ExpectColumnValuesToBeBetween(
                column="duration_seconds", min_value=MIN_DURATION_SECONDS, max_value=MAX_DURATION_SECONDS
            ),
            "a meter switched on and off, or left on",
        ),
        ROWS.fail(
            "mean_speed_is_possible",
            gxe.ExpectColumnValuesToBeBetween(
                column="mean_speed_mph", min_value=0, max_value=MAX_TRIP_SPEED_MPH + ROUNDING
            ),
            "no trip through a city averages more",
        ),
        *(
            ROWS.fail(
                f"{end}_{axis}_is_in_the_city",
                gxe.ExpectColumnValuesToBeBetween(column=f"{end}_{axis}", min_value=low, max_value=high),
                "outside the bounds: swapped coordinates, or another city's file",
            )
            for end in ("pickup", "dropoff")
            for axis, (low, high) in boxes.items()
        ),
        ROWS.fail(
            "rows_are_in_their_local_day",
            gxe.ExpectColumnValuesToBeInSet(column="days_off", value_set=[0]),
            "a row in another day's partition is replaced with that day, or never",
        ),
    )


def derive(rows: pa.Table, city: City) -> pa.Table:
    """Adds duration, mean speed over the whole trip, and how many days the partition is off."""
    days_off = pc.subtract(local_dates(rows["pickup_utc"], city).cast(pa.int32()), rows["date"].cast(pa.int32()))
    return (
        rows.append_column("duration_seconds", pa.array(_seconds(rows)))
        .append_column("mean_speed_mph", pa.array(_speeds(rows)))
        .append_column("days_off", days_off)
    )


def _seconds(rows: pa.Table) -> npt.NDArray[np.float64]:
    """Duration; NaN where an end is missing."""
    micros = pc.subtract(rows["dropoff_utc"].cast(pa.int64()), rows["pickup_utc"].cast(pa.int64()))
    seconds: npt.NDArray[np.float64] = micros.cast(pa.float64(), safe=False).fill_null(float("nan")).to_numpy() / 1e6
    return seconds


def _speeds(rows: pa.Table) -> npt.NDArray[np.float64]:
    """Distance over duration in mph; NaN where the trip takes no time."""
    hours = _seconds(rows) / 3600
    miles = rows["trip_distance_miles"].fill_null(float("nan")).to_numpy()
    speeds: npt.NDArray[np.float64] = np.divide(miles, hours, out=np.full(len(hours), np.nan), where=hours > 0)
    return speeds


def days(dataset: Dataset, span: Span) -> Frame:
    """One row per day: volume, hours, median speed against the usual, quarantine share, and copies of other days."""
    city = dataset.city
    counts = row_counts(dataset.trips)
    refused = row_counts(dataset.quarantine)
    speed: dict[date, float] = {}
    hours: dict[date, int] = {}
    prints: dict[date, int] = {}
    for day in sorted({*span.days, *span.context}):
        part = dataset.trips.read(day, day, ["pickup_utc", "dropoff_utc", "trip_distance_miles"])
        speeds = _speeds(part)
        speed[day] = float(np.nanmedian(speeds)) if np.isfinite(speeds).any() else float("nan")
        hours[day] = hours_with_rows(part["pickup_utc"], city)
        prints[day] = _fingerprint(part, city)
    seen = Counter(print_ for day, print_ in prints.items() if counts[day] >= COPY_MIN_ROWS)
    return pd.DataFrame(
        [
            {
                "date": day.isoformat(),
                "rows": counts[day],
                "rows_to_usual": to_usual(day, counts),
                "hours_with_rows": float(hours[day]),
                "speed_to_usual": to_usual(day, speed),
                "quarantine_share": refused.get(day, 0.0) / max(refused.get(day, 0.0) + counts[day], 1),
                "days_missing_before": days_missing_before(day, counts),
                "copies": max(seen[prints[day]] - 1, 0),
            }
            for day in span.days
        ]
    )


def _fingerprint(part: pa.Table, city: City) -> int:
    """A hash of the day's trips that does not know the date: time of day, duration and distance, in any order."""
    local = local_times(part["pickup_utc"], city).cast(pa.int64()).to_numpy()
    duration = pc.subtract(part["dropoff_utc"].cast(pa.int64()), part["pickup_utc"].cast(pa.int64())).to_numpy()
    hundredths = np.rint(part["trip_distance_miles"].to_numpy() * 100)
    rows = np.column_stack([local % 86_400_000_000, duration, hundredths]).astype(np.int64)
    return hash(rows[np.lexsort(rows.T)].tobytes())


SUITE = Suite(
    name="trips",
    rules=rules,
    open=lake_table("python -m spark_jobs.clean", lambda dataset: dataset.trips, days, derive),
)
