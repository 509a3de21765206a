"""Which recorded day is replayed as which: the legs of a replay, each a stretch of one day and how far it is moved.

Times are microseconds since the epoch. A leg is a pure value, so a replay that was killed finds its place again.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from statistics import median
from zoneinfo import ZoneInfo

from smartcity.localtime import is_weekend

DAY = timedelta(days=1)
#: A day with fewer positions than this share of the median day is a stub: trips that ran past the last midnight.
FULL_DAY_SHARE = 0.5


@dataclass(frozen=True)
class Leg:
    """Positions of the local day ``day`` from ``start_us`` (included) to ``end_us`` (not), moved by ``shift_us``."""

    day: date
    start_us: int
    end_us: int
    shift_us: int


def micros(moment: datetime) -> int:
    """Microseconds since the epoch, exact."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def midnight_us(day: date, zone: ZoneInfo) -> int:
    """Start of a local day."""
    return micros(datetime(day.year, day.month, day.day, tzinfo=zone))


def full_days(rows: dict[date, int]) -> list[date]:
    """Days that are not stubs, ascending. ``rows``: positions by day."""
    if not rows:
        return []
    least = median(rows.values()) * FULL_DAY_SHARE
    return sorted(day for day, count in rows.items() if count >= least)


def held_out(days: Sequence[date], train_until_utc: datetime | None, zone: ZoneInfo) -> list[date]:
    """Days that no model was trained on; where there is none, the last one, of which least was seen."""
    if train_until_utc is None:
        return list(days)
    fresh = [day for day in days if midnight_us(day, zone) >= micros(train_until_utc)]
    return fresh or list(days[-1:])


def source_for(target: date, days: Sequence[date]) -> date:
    """The day replayed as ``target``: one of the same weekday, else of the same kind of day, else any; in turn."""
    same_weekday = [day for day in days if day.weekday() == target.weekday()]
    if same_weekday:
        return same_weekday[target.toordinal() // 7 % len(same_weekday)]
    same_kind = [day for day in days if is_weekend(day) == is_weekend(target)]
    chosen = same_kind or list(days)
    return chosen[target.toordinal() % len(chosen)]


def target_for(day: date, days: Sequence[date]) -> date:
    """The first day from ``day`` on as which ``day`` itself, one of ``days``, is replayed."""
    targets = (day + timedelta(weeks=week) for week in range(len(days)))
    return next(target for target in targets if source_for(target, days) == day)


def as_now(days: Sequence[date], zone: ZoneInfo, from_us: int) -> Iterator[Leg]:
    """Legs without end whose moved times start at ``from_us`` and keep the local time of day.

    Each local day is moved from midnight to midnight, so that the clock on the wall agrees in winter and summer time;
    on the two days a year on which the clocks change, the hours after the change are off by that hour.
    """
    target = datetime.fromtimestamp(from_us / 1e6, zone).date()
    while True:
        source = source_for(target, days)
        start, end = midnight_us(target, zone), midnight_us(target + DAY, zone)
        shift = start - midnight_us(source, zone)
        yield Leg(source, max(start, from_us) - shift, min(end - shift, midnight_us(source + DAY, zone)), shift)
        target += DAY


def as_recorded(
    days: Sequence[date], zone: ZoneInfo, start_us: int | None, end_us: int | None, loop: bool
) -> Iterator[Leg]:
    """Each day once, at its own time; with ``loop`` again and again, each round moved on by whole weeks.

    Moved, because event time that went back would be late for the stream.
    """
    shift = 0
    while True:
        for day in days:
            start, end = midnight_us(day, zone), midnight_us(day + DAY, zone)
            start, end = max(start, start_us or start), min(end, end_us or end)
            if start < end:
                yield Leg(day, start, end, shift)
        if not loop:
            return
        shift += round_us(days)


def round_us(days: Sequence[date]) -> int:
    """By how much later each round of a loop is: whole weeks that hold all its days."""
    span = (max(days) - min(days)).days + 1
    return -(-span // 7) * 7 * DAY // timedelta(microseconds=1)
