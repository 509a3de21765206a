"""Rules on how much came, shared by the suites: rows against the same weekday, hours covered, days delivered twice."""

from great_expectations import expectations as gxe

from expectations.rule import DAYS, Rule

#: Less than half of the usual rows, or nearly twice as many, is a broken delivery and not a quiet or a busy day.
FAIL_BELOW, FAIL_ABOVE = 0.55, 1.8
WARN_BELOW, WARN_ABOVE = 0.8, 1.25
#: Speeds in km/h instead of mph are 1.61 times too high; the worst real day of a year is within a quarter.
SPEED_FAIL_BELOW, SPEED_FAIL_ABOVE = 0.65, 1.45
SPEED_WARN_BELOW, SPEED_WARN_ABOVE = 0.85, 1.15


def between(column: str, low: float | None, high: float | None) -> gxe.ExpectColumnValuesToBeBetween:
    """Every day's figure is in [low, high]; a day without the figure is not judged."""
    return gxe.ExpectColumnValuesToBeBetween(column=column, min_value=low, max_value=high)


def volume_rules() -> tuple[Rule, ...]:
    """Columns ``rows``, ``rows_to_usual`` and ``hours_with_rows`` of the day frame."""
    return (
        DAYS.fail("every_day_has_rows", between("rows", 1, None), "an empty day trains the model on silence"),
        DAYS.fail(
            "rows_are_as_many_as_usual",
            between("rows_to_usual", FAIL_BELOW, FAIL_ABOVE),
            "half of a day missing, or a day delivered twice, shifts every count",
        ),
        DAYS.warn(
            "rows_are_near_the_usual",
            between("rows_to_usual", WARN_BELOW, WARN_ABOVE),
            "a holiday, a storm, or a delivery with gaps: look which",
        ),
        DAYS.warn(
            "every_hour_has_rows",
            between("hours_with_rows", 24, 24),
            "an hour without rows is a gap in the lags; normal only in small data sets and at clock changes",
        ),
    )


def freshness_rules() -> tuple[Rule, ...]:
    """Column ``outdated_sources`` of the day frame."""
    return (
        DAYS.fail(
            "days_are_made_from_what_is_there",
            between("outdated_sources", 0, 0),
            "the table is of a run before the one that made its source: it shows what is not true any more",
        ),
    )


def speed_rules() -> tuple[Rule, ...]:
    """Column ``speed_to_usual`` of the day frame."""
    return (
        DAYS.fail(
            "speed_is_in_the_usual_unit",
            between("speed_to_usual", SPEED_FAIL_BELOW, SPEED_FAIL_ABOVE),
            "kilometres for miles are 1.61 times too much, and everything would look free-flowing",
        ),
        DAYS.warn(
            "speed_is_near_the_usual",
            between("speed_to_usual", SPEED_WARN_BELOW, SPEED_WARN_ABOVE),
            "snow, a holiday, or a drift in the feed: look which",
        ),
    )
