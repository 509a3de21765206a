"""Gate on what the stream has foretold: fresh, whole, possible, and by versions that the registry knows."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
from great_expectations import expectations as gxe

from expectations.rule import DAYS, ROWS, Batch, Frame, Rule
from expectations.span import to_usual, usual
from expectations.suite import Opened, Part, Request, Suite, complete, schema_rules, unique
from expectations.suites.volume import between, volume_rules
from expectations.tables import rows_frame
from smartcity.city import City
from smartcity.errors import NothingYetError
from smartcity.events import MAX_SPEED_MPH
from smartcity.levels import CLASSES, Level, class_index
from smartcity.live import PERSISTENCE
from smartcity.settings import Settings
from smartcity.store import predictions
from smartcity.store.engine import Engine, open_engine

#: What figures are of, and with how many such stretches before they are compared.
DAY, DAYS_BEFORE = timedelta(days=1), 28
_HOUR = timedelta(hours=1)
_HOURS = DAY // _HOUR
#: Every row of the newest stretch is looked at: the gate runs hourly, and each row is then seen twice.
ROWS_OF = timedelta(hours=2)
FRESH_FAIL_MINUTES, FRESH_WARN_MINUTES = 60, 10
#: Shares of a forecast add up to 1 but for rounding.
ROUNDING = 1e-6
PROBABILITIES = tuple(f"probability_{level}" for level in CLASSES)


def rules(city: City) -> tuple[Rule, ...]:
    """The rules, by what they look at: schema, the last day, rows."""
    return (
        *schema_rules(),
        *volume_rules(),
        DAYS.fail(
            "predictions_are_fresh",
            between("minutes_old", 0, FRESH_FAIL_MINUTES),
            "the stream stands still: what is shown is the past, and scores of it say nothing of now",
        ),
        DAYS.warn(
            "predictions_are_recent",
            between("minutes_old", 0, FRESH_WARN_MINUTES),
            "the stream lags, or it is being restarted",
        ),
        DAYS.fail(
            "known_places_have_a_forecast",
            between("foretold_share", 0.5, 1),
            "the model does not score: without a forecast nothing is foretold, and nothing can be judged",
        ),
        DAYS.fail(
            "versions_are_in_the_registry",
            between("unknown_versions", 0, 0),
            "a forecast by a version that nobody can look up",
        ),
        DAYS.warn(
            "levels_foretold_are_spread_as_those_that_come",
            between("high_foretold_from_now", -0.15, 0.15),
            "the model sees jams that do not come, or misses those that do",
        ),
        DAYS.warn(
            "congestion_is_near_the_usual",
            between("high_share_from_usual", -0.25, 0.25),
            "a drift of the city: snow, a feed in another unit, or a free-flow speed gone wrong",
        ),
        *complete("cell_id", "window_start_utc", "level", "updated_utc"),
        ROWS.fail(
            "one_row_per_cell_and_window",
            unique("cell_id", "window_start_utc"),
            "a window twice is scored twice",
        ),
        *(
            ROWS.fail(
                f"{name}_is_a_level",
                gxe.ExpectColumnValuesToBeInSet(column=name, value_set=[*map(str, Level)]),
                "the map and the scores know these levels only",
            )
            for name in ("level", "forecast_level")
        ),
        ROWS.fail(
            "levels_follow_the_thresholds",
            gxe.ExpectColumnValuesToBeInSet(column="level_error", value_set=[0]),
            "a level that its own ratio does not have: other thresholds than those shown on the map",
        ),
        *(
            ROWS.fail(
                f"{name}_is_a_share",
                gxe.ExpectColumnValuesToBeBetween(column=name, min_value=0, max_value=1),
                "a probability",
            )
            for name in PROBABILITIES
        ),
        ROWS.fail(
            "probabilities_add_up",
            gxe.ExpectColumnValuesToBeBetween(column="probability_sum", min_value=1 - ROUNDING, max_value=1 + ROUNDING),
            "one of the levels must come",
        ),
        *(
            ROWS.fail(
                f"{name}_is_possible",
                gxe.ExpectColumnValuesToBeBetween(column=name, min_value=0, max_value=MAX_SPEED_MPH),
                "no road vehicle in a city is faster",
            )
            for name in ("avg_speed_mph", "expected_speed_mph")
        ),
        ROWS.fail(
            "forecasts_are_for_the_horizon",
            gxe.ExpectColumnValuesToBeInSet(column="horizon_error_seconds", value_set=[0]),
            "a forecast for another moment is compared with the wrong window",
        ),
    )


def derive(rows: pa.Table, city: City) -> pa.Table:
    """Adds the sum of probabilities, and how far levels and horizons are off; NaN or 0 where there is no forecast."""
    shares = np.column_stack([_numbers(rows, name) for name in PROBABILITIES])
    ratio = _numbers(rows, "ratio")
    given = np.array([CLASSES.index(Level(level)) if level in CLASSES else -1 for level in rows["level"].to_pylist()])
    error = np.where((given < 0) | np.isnan(ratio), 0, np.abs(class_index(ratio) - given))
    ahead = [
        0.0 if target is None else (target - end).total_seconds() - city.horizon_steps * city.window_seconds
        for target, end in zip(rows["forecast_for_utc"].to_pylist(), rows["window_end_utc"].to_pylist(), strict=True)
    ]
    return (
        rows.append_column("probability_sum", pa.array(shares.sum(axis=1)))
        .append_column("level_error", pa.array(error))
        .append_column("horizon_error_seconds", pa.array(ahead))
    )


def _numbers(rows: pa.Table, name: str) -> np.ndarray:
    return np.asarray(rows[name].cast(pa.float64()).fill_null(float("nan")).to_numpy())


def opened(request: Request) -> Opened:
    """The last day of the serving database. Raises: NothingYetError before the stream has scored a window."""
    engine = open_engine(request.settings)
    span = predictions.time_span(engine)
    if span is None:
        raise NothingYetError("no window was ever scored: start the live side with ./traffic up")
    oldest, newest, written = span
    first = max(oldest, newest - DAY)
    return Opened(first.date(), newest.date(), _parts(engine, request, oldest, newest, written))


def _parts(engine: Engine, request: Request, oldest: datetime, newest: datetime, written: datetime) -> Iterator[Part]:
    found = predictions.columns(engine)
    yield Part(Batch.SCHEMA, pd.DataFrame(found, columns=["column", "expected_type", "found_type"]))
    yield Part(Batch.DAYS, day(engine, request.settings, oldest, newest, written))
    rows = predictions.rows(engine, newest - ROWS_OF, newest)
    yield Part(Batch.ROWS, rows_frame(derive(rows, request.dataset.city)), rows.num_rows)


def day(engine: Engine, settings: Settings, oldest: datetime, newest: datetime, written: datetime) -> Frame:
    """One row: the last day in figures, beside the days before it as far as they are whole."""
    whole_days = min((newest - oldest) // DAY, DAYS_BEFORE + 1)
    found = predictions.counts(engine, newest - DAY * max(whole_days, 1), newest)
    days, hours = _summed(found, newest, DAY), _summed(found, newest, _HOUR)
    today, whole = days[0], whole_days > 0
    before = {(newest - DAY * back).date(): days[back] for back in range(1, whole_days) if back in days}
    rows = {date: float(found.windows) for date, found in before.items()}
    high = {date: found.high_now / max(found.known, 1) for date, found in before.items()}
    share = today.high_now / max(today.known, 1)
    return pd.DataFrame(
        [
            {
                "until_utc": newest.isoformat(),
                "rows": float(today.windows),
                "rows_to_usual": to_usual(newest.date(), rows | {newest.date(): float(today.windows)})
                if whole
                else float("nan"),
                "hours_with_rows": float(sum(back < _HOURS for back in hours)) if whole else float("nan"),
                "minutes_old": max((datetime.now(UTC) - written).total_seconds() / 60, 0.0),
                "foretold_share": today.foretold / today.known if today.known else float("nan"),
                "unknown_versions": float(len(_unknown(engine, settings, newest))),
                "high_foretold_from_now": today.high_foretold / today.foretold - share
                if today.foretold
                else float("nan"),
                "high_share_from_usual": share - usual(newest.date(), high) if whole else float("nan"),
            }
        ]
    )


def _summed(
    found: Mapping[datetime, predictions.Counts], until: datetime, length: timedelta
) -> dict[int, predictions.Counts]:
    """Counts by how many stretches of ``length`` they lie back from ``until``: 0 is the last one."""
    sums: dict[int, predictions.Counts] = {}
    for start, counts in found.items():
        back = (until - start) // length
        before = sums.get(back)
        sums[back] = predictions.Counts(*map(sum, zip(before, counts, strict=True))) if before else counts
    return sums


def _unknown(engine: Engine, settings: Settings, newest: datetime) -> set[str]:
    """Versions that foretold something and that the registry does not have. Raises: ModelError where it is down."""
    said = predictions.versions(engine, newest - DAY, newest) - {PERSISTENCE}
    if not said:
        return set()
    # MLflow takes seconds to import: only where a model scored.
    from smartcity.model import registry

    return said - {entry.version for entry in registry.entries(settings)}


SUITE = Suite(name="predictions", rules=rules, open=opened)
