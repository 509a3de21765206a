"""Gate on ``windows``: one row per cell and window, consistent with the positions it was made from."""

from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from great_expectations import expectations as gxe

from expectations.frames import hours_with_rows, local_dates
from expectations.rule import DAYS, ROWS, Frame, Rule
from expectations.span import Span, outdated_sources, row_counts, to_usual, whole_days
from expectations.suite import Suite, complete, schema_rules, unique
from expectations.suites.volume import between, freshness_rules, speed_rules, volume_rules
from expectations.tables import lake_table
from smartcity.city import City, PlaceKind
from smartcity.events import MAX_SPEED_MPH, SPEED_STEPS_PER_MPH
from smartcity.lake import Dataset


def rules(city: City) -> tuple[Rule, ...]:
    """The rules, by what they look at: schema, days, rows."""
    return (
        *schema_rules(),
        *volume_rules(),
        *freshness_rules(),
        *speed_rules(),
        DAYS.fail(
            "windows_hold_the_positions",
            between("positions_in_windows_share", 0.9, 1.0),
            "positions lost or counted twice between the two tables: one of them is of an older run",
        ),
        *complete("cell_id", "window_start_utc", "vehicle_count", "position_count", "avg_speed_mph", "std_speed_mph"),
        ROWS.fail(
            "one_row_per_cell_and_window",
            unique("cell_id", "window_start_utc"),
            "a window twice counts its vehicles twice in every lag",
        ),
        ROWS.fail(
            "windows_start_on_the_grid",
            gxe.ExpectColumnValuesToBeInSet(column="window_offset_seconds", value_set=[0]),
            f"windows tumble every {city.window_minutes} minutes from the epoch; others never meet their lags",
        ),
        ROWS.fail(
            "rows_are_in_their_local_day",
            gxe.ExpectColumnValuesToBeInSet(column="days_off", value_set=[0]),
            "a row in another day's partition is replaced with that day, or never",
        ),
        ROWS.fail(
            "a_window_has_vehicles",
            gxe.ExpectColumnValuesToBeBetween(column="vehicle_count", min_value=1),
            "an empty window must not be stored: absent means unknown",
        ),
        ROWS.fail(
            "vehicles_are_no_more_than_positions",
            gxe.ExpectColumnPairValuesAToBeGreaterThanB(
                column_A="position_count", column_B="vehicle_count", or_equal=True
            ),
            "each vehicle gives at least one position",
        ),
        ROWS.fail(
            "speeds_are_possible",
            gxe.ExpectColumnValuesToBeBetween(column="avg_speed_mph", min_value=0, max_value=MAX_SPEED_MPH),
            "no road vehicle in a city is faster",
        ),
        ROWS.fail(
            "averages_are_those_of_the_sums",
            gxe.ExpectColumnValuesToBeBetween(column="avg_speed_error_mph", min_value=0, max_value=1e-6),
            "the stream merges windows by their sums; batch and stream would differ",
        ),
        *_cell_rules(city),
    )


def _cell_rules(city: City) -> tuple[Rule, ...]:
    if city.place_kind is not PlaceKind.H3:
        return ()
    return (
        ROWS.fail(
            "cells_are_of_the_citys_resolution",
            gxe.ExpectColumnValuesToMatchRegex(column="cell_id", regex=f"^8{city.h3_resolution:x}[0-9a-f]{{13}}$"),
            "cells of another resolution never meet their history",
        ),
    )


def derive(rows: pa.Table, city: City) -> pa.Table:
    """Adds what the row rules check: offset from the grid, days off, and the average against its sums."""
    starts = rows["window_start_utc"]
    seconds = starts.cast(pa.int64()).to_numpy() // 1_000_000
    days_off = pc.subtract(local_dates(starts, city).cast(pa.int32()), rows["date"].cast(pa.int32()))
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = rows["speed_sum"].to_numpy() / rows["position_count"].to_numpy() / SPEED_STEPS_PER_MPH
    error = np.abs(mean - rows["avg_speed_mph"].to_numpy())
    return (
        rows.append_column("window_offset_seconds", pa.array(seconds % city.window_seconds))
        .append_column("days_off", days_off)
        .append_column("avg_speed_error_mph", pa.array(error))
    )


def days(dataset: Dataset, span: Span) -> Frame:
    """One row per day: volume, hours, mean speed against the usual, and positions held."""
    table, city = dataset.windows, dataset.city
    counts = row_counts(table)
    whole = whole_days(dataset, counts)
    positions = row_counts(dataset.positions)
    speed, held, hours = {}, {}, {}
    for day in sorted({*span.days, *span.context}):
        part = table.read(day, day, ["window_start_utc", "position_count", "speed_sum"])
        held[day] = pc.sum(part["position_count"]).as_py() or 0
        speed[day] = (pc.sum(part["speed_sum"]).as_py() or 0) / SPEED_STEPS_PER_MPH / max(held[day], 1)
        hours[day] = hours_with_rows(part["window_start_utc"], city)
    speed = whole_days(dataset, speed)
    outdated = outdated_sources(dataset, table)
    return pd.DataFrame(
        [
            {**_day(day, counts, whole, speed, hours), **_held(day, held, positions), "outdated_sources": outdated[day]}
            for day in span.days
        ]
    )


def _day(
    day: date, counts: dict[date, float], whole: dict[date, float], speed: dict[date, float], hours: dict[date, int]
) -> dict[str, object]:
    return {
        "date": day.isoformat(),
        "rows": counts[day],
        "rows_to_usual": to_usual(day, whole),
        "hours_with_rows": float(hours[day]) if day in whole else float("nan"),
        "speed_to_usual": to_usual(day, speed),
    }


def _held(day: date, held: dict[date, int], positions: dict[date, float]) -> dict[str, object]:
    return {"positions_in_windows_share": held[day] / positions[day] if positions.get(day) else float("nan")}


SUITE = Suite(
    name="windows",
    rules=rules,
    open=lake_table("python -m spark_jobs.windows", lambda dataset: dataset.windows, days, derive),
)
