"""When a profile is due to be fitted anew."""

from datetime import date, timedelta
from pathlib import Path

from smartcity.city import City
from smartcity.fitted import is_due, note_fit
from smartcity.lake import Dataset

FIRST = date(2025, 2, 3)


def days(count: int, start: date = FIRST) -> list[date]:
    return [start + timedelta(days=number) for number in range(count)]


def test_due_with_a_week_of_new_days_wherever_they_lie(tmp_path: Path) -> None:
    dataset = Dataset(str(tmp_path), "city", City())
    assert not is_due(dataset, days(30), 7), "nothing is known of a fit"
    note_fit(dataset, days(14))
    assert not is_due(dataset, days(14), 7)
    assert not is_due(dataset, days(20), 7)
    assert is_due(dataset, days(21), 7)
    assert is_due(dataset, days(17) + days(4, date(2024, 1, 1)), 7)
    assert not is_due(dataset, days(99), 0), "only by hand"
    note_fit(dataset, days(21))
    assert not is_due(dataset, days(21), 7)


def test_of_many_days_a_tenth_has_to_be_new(tmp_path: Path) -> None:
    dataset = Dataset(str(tmp_path), "city", City())
    note_fit(dataset, days(200))
    assert not is_due(dataset, days(219), 7)
    assert is_due(dataset, days(220), 7)
