"""Gate on ``features``: complete, possible, labelled by the thresholds, and as many as the windows they come from."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from great_expectations import expectations as gxe

from expectations.frames import hours_with_rows, local_dates
from expectations.rule import DAYS, ROWS, Frame, Rule
from expectations.span import Span, outdated_sources, row_counts, to_usual, usual, whole_days
from expectations.suite import Suite, complete, schema_rules, unique
from expectations.suites.volume import between, freshness_rules, volume_rules
from expectations.tables import lake_table
from smartcity.city import City
from smartcity.features import FEATURE_NAMES
from smartcity.lake import Dataset
from smartcity.levels import CLASSES, Level, class_index

#: Speed as a share of free-flow: no place is ten times as fast as its own free-flow speed.
MAX_RATIO = 10.0
RATIOS = tuple(name for name in FEATURE_NAMES if name.startswith("ratio_") and not name.endswith(("slope_30min",)))
CYCLES = tuple(name for name in FEATURE_NAMES if name.endswith(("_sin", "_cos")))


def rules(city: City) -> tuple[Rule, ...]:
    """The rules, by what they look at: schema, days, rows."""
    return (
        *schema_rules(),
        *volume_rules(),
        *freshness_rules(),
        DAYS.fail(
            "every_window_has_features",
            between("windows_to_rows", 0, 1.0),
            "windows without features: the features are of an older run than the windows",
        ),
        DAYS.fail(
            "some_rows_are_labelled",
            between("labelled_share", 1e-9, 1),
            "a day without a label teaches nothing; windows after it may be missing",
        ),
        DAYS.warn(
            "enough_rows_are_labelled",
            between("labelled_share", 0.05, 1),
            "few places have enough vehicles: the forecast will mostly say unknown",
        ),
        DAYS.warn(
            "no_level_swallows_the_others",
            between("largest_class_share", 0, 0.98),
            "with one level only, any model is right and none is worth having",
        ),
        DAYS.warn(
            "congestion_is_near_the_usual",
            between("high_share_from_usual", -0.25, 0.25),
            "a drift of the label: snow, a feed in another unit, or a free-flow speed gone wrong",
        ),
        *complete("cell_id", "window_start_utc", *FEATURE_NAMES, "known_now"),
        ROWS.fail(
            "one_row_per_cell_and_window",
            unique("cell_id", "window_start_utc"),
            "a row twice weighs twice in training",
        ),
        ROWS.fail(
            "rows_are_in_their_local_day",
            gxe.ExpectColumnValuesToBeInSet(column="days_off", value_set=[0]),
            "the time split is by day: a row in the wrong one may leak",
        ),
        ROWS.fail(
            "labels_are_levels",
            gxe.ExpectColumnValuesToBeInSet(column="label", value_set=list(range(len(CLASSES)))),
            "an index into the list of levels; null where the target is unknown",
        ),
        ROWS.fail(
            "labels_follow_the_thresholds",
            gxe.ExpectColumnValuesToBeInSet(column="label_error", value_set=[0]),
            "a label made with other thresholds than those shown on the map",
        ),
        *(
            ROWS.fail(
                f"{name}_is_possible",
                gxe.ExpectColumnValuesToBeBetween(column=name, min_value=0, max_value=MAX_RATIO),
                "speed as a share of free-flow; beyond it a sum or a free-flow speed is wrong",
            )
            for name in (*RATIOS, "history_now", "history_target")
        ),
        *(
            ROWS.fail(
                f"{name}_is_a_cycle",
                gxe.ExpectColumnValuesToBeBetween(column=name, min_value=-1, max_value=1),
                "a sine or cosine",
            )
            for name in CYCLES
        ),
    )


def derive(rows: pa.Table, city: City) -> pa.Table:
    """Adds days off, and by how much a label differs from the level of its own ratio (0 where there is none)."""
    label = rows["label"].cast(pa.float64()).fill_null(float("nan")).to_numpy()
    ratio = rows["label_ratio"].fill_null(float("nan")).to_numpy()
    error = np.where(np.isnan(label), 0, np.abs(class_index(ratio) - label))
    days_off = pc.subtract(local_dates(rows["window_start_utc"], city).cast(pa.int32()), rows["date"].cast(pa.int32()))
    return rows.append_column("days_off", days_off).append_column("label_error", pa.array(error))


def days(dataset: Dataset, span: Span) -> Frame:
    """One row per day: volume, hours, labels, and the level's shares against the usual."""
    table, city = dataset.features, dataset.city
    counts = row_counts(table)
    whole = whole_days(dataset, counts)
    windows = row_counts(dataset.windows)
    high_index = CLASSES.index(Level.HIGH)
    outdated = outdated_sources(dataset, table)
    high, rows = {}, []
    for day in sorted({*span.days, *span.context}):
        labels = table.read(day, day, ["label"])["label"].drop_null().to_numpy()
        high[day] = float((labels == high_index).mean()) if len(labels) else float("nan")
    for day in span.days:
        part = table.read(day, day, ["window_start_utc", "label"])
        labels = part["label"].drop_null().to_numpy()
        shares = np.bincount(labels, minlength=len(CLASSES)) / max(len(labels), 1)
        judged = day in whole and counts[day] > 0
        rows.append(
            {
                "date": day.isoformat(),
                "rows": counts[day],
                "rows_to_usual": to_usual(day, whole),
                "hours_with_rows": float(hours_with_rows(part["window_start_utc"], city)) if judged else float("nan"),
                "outdated_sources": outdated[day],
                "windows_to_rows": windows.get(day, float("nan")) / max(counts[day], 1),
                "labelled_share": len(labels) / counts[day] if judged else float("nan"),
                "largest_class_share": float(shares.max()) if len(labels) else float("nan"),
                "high_share_from_usual": high[day] - usual(day, high) if judged else float("nan"),
            }
        )
    return pd.DataFrame(rows)


SUITE = Suite(
    name="features",
    rules=rules,
    open=lake_table("python -m spark_jobs.features", lambda dataset: dataset.features, days, derive),
)
