"""What to replay, from the options: which days, at which times, how fast."""

import argparse
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from smartcity.errors import InputError, MissingDataError
from smartcity.lake import Dataset
from smartcity.profile import Profile
from streaming.course import Course
from streaming.recording import Recording, instant
from streaming.schedule import (
    DAY,
    Leg,
    as_now,
    as_recorded,
    full_days,
    held_out,
    micros,
    midnight_us,
    round_us,
    target_for,
)


@dataclass(frozen=True)
class Plan:
    """One replay. ``key`` identifies it: a replay with the same key goes on where the last one stopped."""

    days: tuple[date, ...]
    zone: ZoneInfo
    now: bool
    speed: float
    max_rate: float
    warm_up: timedelta
    loop: bool
    start_us: int | None
    end_us: int | None
    key: dict[str, Any]

    def course(self, moment: datetime) -> Course:
        """How the tape runs at first. Moved to now, a moment of the tape is sent at its own local time of day."""
        if not self.now:
            return Course(self.speed, self.speed)
        at = micros(moment)
        return Course(self.speed, self.speed, tape_us=at, sent_us=at, stretch=self.speed)

    def find(self, recorded_us: int, at_us: int) -> int:
        """Where a recorded moment is on the tape that has come to ``at_us``.

        Raises: InputError where it is not on it, or where what is sent would go back in time.
        """
        day = datetime.fromtimestamp(recorded_us / 1e6, self.zone).date()
        first, last = self.span_us
        if not first <= recorded_us < last or (self.now and day not in self.days):
            raise InputError(f"{instant(recorded_us).isoformat()} is not in this replay")
        if self.now:
            return recorded_us + midnight_us(target_for(day, self.days), self.zone) - midnight_us(day, self.zone)
        rounds = max(0, -(-(at_us - recorded_us) // round_us(self.days)))
        if rounds and not self.loop:
            raise InputError(f"{instant(recorded_us).isoformat()} has gone by, and times go out as recorded")
        return recorded_us + rounds * round_us(self.days)

    @property
    def span_us(self) -> tuple[int, int]:
        """The first recorded moment that is replayed, and the one after the last."""
        first, last = (midnight_us(day, self.zone) for day in (self.days[0], self.days[-1] + DAY))
        return (first, last) if self.now else (max(first, self.start_us or first), min(last, self.end_us or last))

    def legs(self, after_us: int | None, moment: datetime, course: Course | None = None) -> Iterator[Leg]:
        """The legs from the beginning, or from the moment ``after_us`` of the tape on.

        ``moment``: now. A live replay that was away for longer than its warm-up starts anew at the warm-up.
        """
        if self.now:
            warm = (course or self.course(moment)).tape(micros(moment - self.warm_up))
            yield from as_now(self.days, self.zone, max(warm, after_us or warm))
            return
        for leg in as_recorded(self.days, self.zone, self.start_us, self.end_us, self.loop):
            if after_us is None or leg.end_us + leg.shift_us > after_us:
                start = max(leg.start_us, (after_us or 0) - leg.shift_us)
                yield Leg(leg.day, start, leg.end_us, leg.shift_us)


def parser() -> argparse.ArgumentParser:
    """The options of ``python -m streaming.replay``."""
    arguments = argparse.ArgumentParser(
        prog="traffic replay", description="Stream recorded positions into Kafka, now or as they were."
    )
    add = arguments.add_argument
    add("--dataset", help="name of the data set; default: TRAFFIC_DATASET")
    add("--from", dest="start", help="first day or moment, city time: 2016-01-05 or 2016-01-05T08:00")
    add("--to", dest="end", help="last day (included) or moment (not included), city time")
    add(
        "--speed",
        type=_speed,
        help="seconds of the recording per second, 1 to 3600, or max; default 1, or max as recorded",
    )
    mode = arguments.add_mutually_exclusive_group()
    mode.add_argument(
        "--now", action="store_true", help="move whole days to today (the default unless --speed is given)"
    )
    mode.add_argument("--as-recorded", action="store_true", help="keep the recorded times")
    add("--warm-up", type=float, default=60, metavar="MINUTES", help="with --now: minutes before now sent at once")
    add("--loop", action="store_true", help="as recorded: again and again, each round later by whole weeks")
    add("--max-rate", type=float, default=math.inf, metavar="N", help="never more than N events a second")
    add("--restart", action="store_true", help="start at the beginning, wherever the last replay stopped")
    return arguments


def make_plan(options: argparse.Namespace, dataset: Dataset, recording: Recording) -> Plan:
    """The plan for these options and this data. Raises: InputError, MissingDataError."""
    zone = dataset.city.zone
    now = options.now or not (options.as_recorded or options.speed is not None)
    speed = options.speed if options.speed is not None else 1.0 if now else math.inf
    if now and math.isinf(speed):
        raise InputError("--now runs with the clock: give another --speed than max, or say --as-recorded")
    start, end = _moment(options.start, zone), _moment(options.end, zone, day_after=True)
    rows = {day: count for day, count in recording.rows().items() if count}
    days = _within(rows, zone, start, end)
    if now:
        days = full_days({day: rows[day] for day in days})
        if options.start is None and options.end is None:
            # Else a replay would by and by be one of its own replays.
            days = [day for day in days if day not in recording.archived()] or days
            days = held_out(days, _train_until(dataset), zone)
    if not days:
        raise MissingDataError(
            f"data set {dataset.name!r} has no positions from {options.start or 'the beginning'} to "
            f"{options.end or 'the end'} (it has {_span(rows)}). Make some: ./traffic generate, ./traffic ingest"
        )
    key = {
        "dataset": dataset.uri,
        "days": [day.isoformat() for day in days],
        "runs": {day: run for day, run in sorted(recording.run_ids().items()) if date.fromisoformat(day) in days},
        "now": now,
        "start_us": start,
        "end_us": end,
    }
    warm_up = timedelta(minutes=options.warm_up)
    return Plan(tuple(days), zone, now, speed, options.max_rate, warm_up, options.loop, start, end, key)


def _within(rows: dict[date, int], zone: ZoneInfo, start: int | None, end: int | None) -> list[date]:
    first = datetime.fromtimestamp(start / 1e6, zone).date() if start is not None else date.min
    last = datetime.fromtimestamp((end - 1) / 1e6, zone).date() if end is not None else date.max
    return sorted(day for day in rows if first <= day <= last)


def _train_until(dataset: Dataset) -> datetime | None:
    try:
        return Profile.load(dataset).train_until_utc
    except MissingDataError:
        return None


def _moment(text: str | None, zone: ZoneInfo, day_after: bool = False) -> int | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"{text!r} is no day and no moment; write 2016-01-05 or 2016-01-05T08:00") from error
    if len(text) <= 10 and day_after:
        moment += timedelta(days=1)
    return micros(moment.replace(tzinfo=zone) if moment.tzinfo is None else moment.astimezone(UTC))


def _speed(text: str) -> float:
    value = math.inf if text == "max" else float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError("a speed is above 0, or max")
    return value


def _span(rows: dict[date, int]) -> str:
    return f"{min(rows)} to {max(rows)}" if rows else "none at all"
