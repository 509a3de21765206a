"""Gate on new trip files, before any of their rows is in the lake."""

from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta

import pandas as pd
from great_expectations import expectations as gxe

from expectations.raw import DaySums, Delivery, read, stored
from expectations.rule import DAYS, SCHEMA, Batch, Frame, Rule
from expectations.span import to_usual
from expectations.suite import Opened, Part, Request, Suite
from expectations.suites.trips import COPY_MIN_ROWS, QUARANTINE_FAIL, QUARANTINE_WARN
from expectations.suites.volume import between, speed_rules, volume_rules
from smartcity import inbox
from smartcity.city import City
from smartcity.errors import InputError, NothingYetError
from smartcity.ledger import Ledger
from smartcity.tripfiles import TripFile, check_files, discover
from smartcity.zones import ZonePlaces, read_zones


def rules(city: City) -> tuple[Rule, ...]:
    """The rules, by what they look at: the files, then the days in them."""
    return (
        SCHEMA.fail(
            "files_are_trip_files",
            gxe.ExpectColumnValuesToBeNull(column="problem"),
            "a changed layout, a missing column, a damaged download: nothing of it can be taken in",
        ),
        SCHEMA.warn(
            "files_are_whole",
            gxe.ExpectColumnValuesToBeNull(column="warning"),
            "a file that breaks off, or is not what its name says",
        ),
        SCHEMA.warn(
            "files_are_new",
            gxe.ExpectColumnValuesToBeInSet(column="known", value_set=[False]),
            "delivered again: nothing is added, but somebody may have meant another file",
        ),
        *(rule for rule in volume_rules() if rule.name not in ("every_day_has_rows", "every_hour_has_rows")),
        *speed_rules(),
        DAYS.fail(
            "no_day_is_a_copy_of_another",
            between("copies", 0, 0),
            "the same trips under another date: a file published or downloaded wrongly",
        ),
        DAYS.fail(
            "most_rows_are_good",
            between("refused_share", 0, QUARANTINE_FAIL),
            "a quarter of the rows unusable: a changed layout, swapped columns, another city's file",
        ),
        DAYS.warn(
            "nearly_all_rows_are_good",
            between("refused_share", 0, QUARANTINE_WARN),
            "look at the reasons: they stand in the frame, and in the quarantine table when the files are taken in",
        ),
    )


def opened(request: Request) -> Opened:
    """The files, by default those in the inbox. Raises: NothingYetError where there is none."""
    waiting = request.files or tuple(map(str, inbox.new_files(request.settings, request.dataset.name)))
    if not waiting:
        raise NothingYetError(f"no new trip file in {inbox.folder(request.settings, request.dataset.name)}")
    ledger = Ledger.load(request.dataset)
    known = frozenset(ledger.files)
    files, described = _look(waiting, known)
    today = date.today()
    first = min((file.period.start.date() for file in files), default=today)
    # A period's end is the first moment after it.
    last = max(((file.period.end - timedelta(microseconds=1)).date() for file in files), default=today)
    return Opened(first, last, _parts(request, files, described, known))


def _look(paths: tuple[str, ...], known: frozenset[str]) -> tuple[list[TripFile], Frame]:
    """The files that can be read, and a row for each file that was given."""
    files, rows = [], []
    for path in paths:
        row: dict[str, object] = {"file": path, "problem": None, "warning": None, "known": False, "rows": 0}
        try:
            checked = check_files(discover([path]))
        except InputError as error:
            rows.append(row | {"problem": str(error)})
            continue
        files += checked.files
        warning = "; ".join(checked.warnings) or None
        for file in checked.files:
            said = {"file": file.name, "warning": warning, "known": file.sha256 in known, "rows": file.rows}
            rows.append(row | said)
    return files, pd.DataFrame(rows)


def _parts(request: Request, files: list[TripFile], described: Frame, known: frozenset[str]) -> Iterator[Part]:
    yield Part(Batch.SCHEMA, described)
    places = ZonePlaces.of(read_zones(request.zones)) if request.zones else None
    fresh = [file for file in files if file.sha256 not in known]
    delivery = read(fresh, request.dataset.city, places)
    if not delivery.days:
        return
    before = stored(request.dataset, set(delivery.days))
    rows = sum(day.rows + day.refused for day in delivery.days.values())
    yield Part(Batch.DAYS, days(delivery, before), rows)


def days(delivery: Delivery, before: dict[date, DaySums]) -> Frame:
    """One row per day of the delivery, beside the days that the lake has."""
    counts = {day: float(sums.rows) for day, sums in before.items()}
    counts |= {day: _expected(sums, before.get(day)) for day, sums in delivery.days.items()}
    speeds = {day: sums.median_speed_mph() for day, sums in {**before, **delivery.days}.items()}
    latest = {**before, **delivery.days}
    prints = Counter(sums.print_ for sums in latest.values() if sums.rows >= COPY_MIN_ROWS)
    reasons = ", ".join(f"{reason} {count:,}" for reason, count in delivery.reasons.most_common(5))
    return pd.DataFrame(
        [
            {
                "date": day.isoformat(),
                "rows": float(sums.rows),
                "rows_to_usual": to_usual(day, counts),
                "speed_to_usual": to_usual(day, speeds) if sums.rows else float("nan"),
                "refused_share": sums.refused / max(sums.rows + sums.refused, 1),
                "reasons": reasons,
                "copies": max(prints[sums.print_] - 1, 0),
            }
            for day, sums in sorted(delivery.days.items())
        ]
    )


def _expected(new: DaySums, old: DaySums | None) -> float:
    """Rows of a day when the delivery is in: a whole day is delivered anew, a small part comes on top."""
    return float(new.rows + (old.rows if old and new.rows < old.rows / 2 else 0))


SUITE = Suite(name="raw", rules=rules, open=opened)
