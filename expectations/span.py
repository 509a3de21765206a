"""The days a gate looks at, and what is usual for such a day."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median

from smartcity.errors import MissingDataError
from smartcity.lake import Dataset, Table

#: A day is compared with days at most this far away: traffic changes with the seasons.
COMPARE_WITHIN = timedelta(days=28)
#: Fewer days to compare with than this say nothing about what is usual.
MIN_DAYS = 2


@dataclass(frozen=True)
class Span:
    """The published days of a table that are judged (``days``), and those they are compared with (``context``)."""

    days: tuple[date, ...]
    context: tuple[date, ...]

    @classmethod
    def of(cls, table: Table, start: date | None, end: date | None, maker: str) -> "Span":
        """The span ``start`` … ``end`` of a table. Raises: MissingDataError where it has no published day."""
        published = table.dates()
        days = [day for day in published if (start is None or day >= start) and (end is None or day <= end)]
        if not days:
            between = f"from {start or 'the beginning'} to {end or 'the end'}"
            raise MissingDataError(f"{table.uri()} has no day {between}. Make it with: {maker}")
        near = [day for day in published if days[0] - COMPARE_WITHIN <= day <= days[-1] + COMPARE_WITHIN]
        return cls(tuple(days), tuple(near))


def usual(day: date, figures: Mapping[date, float]) -> float:
    """Median of a figure over the same weekdays near ``day``, without ``day`` itself.

    Over all days near it where there are fewer than two such weekdays; NaN, which no rule judges, where there is too
    little to compare with.
    """
    others = {d: v for d, v in figures.items() if d != day and abs(d - day) <= COMPARE_WITHIN and v == v}
    same = [value for d, value in others.items() if d.weekday() == day.weekday()]
    values = same if len(same) >= MIN_DAYS else list(others.values())
    return median(values) if len(values) >= MIN_DAYS else float("nan")


def to_usual(day: date, figures: Mapping[date, float]) -> float:
    """A day's figure as a share of what is usual; NaN where that is unknown or 0."""
    expected = usual(day, figures)
    return figures[day] / expected if expected and expected == expected and day in figures else float("nan")


def row_counts(table: Table) -> dict[date, float]:
    """Published rows per day, from the manifest."""
    return {date.fromisoformat(day): float(part.rows) for day, part in table.manifest().partitions.items()}


def outdated_sources(dataset: Dataset, table: Table) -> dict[date, float]:
    """Of each day of a table, how many of the days that it was made from have been made anew since, or are gone."""
    found: dict[date, float] = {}
    versions: dict[str, str] = {}
    for source in (dataset.trips, dataset.positions, dataset.windows):
        versions |= source.versions(source.dates())
    names = tuple(f"{name}/" for name in ("trips", "positions", "windows"))
    for day, partition in table.manifest().partitions.items():
        made_from = {name: run for name, run in partition.made_from.items() if name.startswith(names)}
        found[date.fromisoformat(day)] = float(sum(versions.get(name) != run for name, run in made_from.items()))
    return found


def days_missing_before(day: date, published: Collection[date]) -> float:
    """How many days lie between ``day`` and the published one before it; 0 where there is none near."""
    before = [other for other in published if day - COMPARE_WITHIN <= other < day]
    return float((day - max(before)).days - 1) if before else 0.0


def whole_days(dataset: Dataset, counts: Mapping[date, float]) -> dict[date, float]:
    """``counts`` without days that only hold the night's left-overs.

    Vehicles under way at midnight reach into a day that may have no trips of its own. Data sets without trips (probes,
    sensors) keep all days.
    """
    trips = set(dataset.trips.dates())
    return {day: value for day, value in counts.items() if not trips or day in trips}
