"""Stream recorded positions into Kafka: ``python -m streaming.replay [OPTIONS]`` (``--help`` lists them).

Nothing confirmed is sent twice: the place is saved once everything before it is confirmed, and after ``kill -9`` the
end of the topic is read to see which of the events behind that place had arrived all the same.
"""

import argparse
import logging
import signal
import sys
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from smartcity.errors import ServiceError, TrafficError
from smartcity.events import decode, encode_fields
from smartcity.lake import Dataset
from smartcity.settings import Settings
from smartcity.topics import VEHICLE_POSITIONS
from streaming.checkpoint import Offsets
from streaming.pacing import TICK_SECONDS, Pace
from streaming.place import Place, Places, Sent, TopicEnd
from streaming.plan import Plan, make_plan, parser
from streaming.readings import recording_of
from streaming.recording import Recording, Slice, instant
from streaming.reporting import Reporter
from streaming.schedule import micros
from streaming.sender import Sender

SAVE_SECONDS = 1.0
#: Events between two looks at the clock.
BURST = 5_000
log = logging.getLogger("replay")


@dataclass(frozen=True)
class At:
    """How far a replay came: all before the moved time ``until_us``, and ``of_moment`` events of that moment."""

    until_us: int
    of_moment: int


def _at(part: Slice, position: int) -> At:
    """How far a replay came that has sent ``position`` events of a slice."""
    if position == len(part):
        return At(part.until_us, 0)
    moment = int(part.times_us[position])
    return At(moment, position - int(part.times_us.searchsorted(moment, "left")))


class Replay:
    """One run of a plan, from its place to its end or until ``stop`` is set."""

    def __init__(self, settings: Settings, plan: Plan, recording: Recording, stop: threading.Event) -> None:
        self._settings = settings
        self._plan = plan
        self._recording = recording
        self._stop = stop
        self._places = Places(settings)
        self._end = TopicEnd(settings, VEHICLE_POSITIONS.name)
        self._sent_before: Sent = set()
        self._sent_until_us = 0
        self._look_from: Offsets | None = None
        self._events = 0
        self._saved = time.monotonic()
        self._reporter = Reporter()

    def run(self, restart: bool) -> int:
        """Replay. Returns: events sent. Raises: ServiceError where Kafka cannot go on with this producer."""
        with self._places.locked():
            place = None if restart else self._places.load(self._plan.key)
            sender = Sender(self._settings, VEHICLE_POSITIONS.name)
            try:
                self._replay(sender, place)
            finally:
                sender.close()
                self._reporter.close()
        return self._events

    def _replay(self, sender: Sender, place: Place | None) -> None:
        after = self._resume(place)
        at = At(after, place.of_moment) if place is not None and after is not None else None
        moment = datetime.now(UTC)
        pace = Pace(self._plan.speed, self._plan.max_rate, micros(moment) if self._plan.now else None)
        for leg in self._plan.legs(after, moment):
            if at is None:
                # Before the first event: a replay killed within its first second finds its beginning as well.
                at = At(leg.start_us + leg.shift_us, 0)
                self._save(sender, at)
            for part in self._recording.slices(leg):
                at = self._send(sender, pace, part, at)
                if self._stop.is_set():
                    break
            if self._stop.is_set():
                break
            self._wait(sender, pace, leg.end_us + leg.shift_us)
        if at is not None:
            self._save(sender, at)

    def _resume(self, place: Place | None) -> int | None:
        """The moved time to go on from; what arrived behind it is remembered, so as not to be sent again."""
        if place is None:
            return None
        self._events = place.events
        for _, value in self._end.keys_and_values(place.offsets):
            try:
                event = decode(value)
            except ValueError:
                continue
            self._sent_before.add((event.vehicle_id, micros(event.timestamp)))
        if self._sent_before:
            self._look_from = place.offsets
            self._sent_until_us = max(moment for _, moment in self._sent_before)
        log.info(
            "going on at %s after %d events; %d behind that had arrived",
            *(instant(place.until_us).isoformat(), place.events, len(self._sent_before)),
        )
        return place.until_us

    def _send(self, sender: Sender, pace: Pace, part: Slice, at: At | None) -> At:
        """Send a slice as its events fall due, but what ``at`` says was sent. Returns: how far it came."""
        resumed = at is not None and at.of_moment and len(part) and int(part.times_us[0]) == at.until_us
        position, count = (at.of_moment if at is not None and resumed else 0), len(part)
        at = _at(part, position)
        while position < count and not self._stop.is_set():
            due = pace.due_us(int(part.times_us[position]))
            ready = min(int(part.times_us.searchsorted(due, "right")), position + BURST)
            granted = pace.allowed(ready - position) if ready > position else 0
            self._produce(sender, part, position, position + granted)
            position += granted
            at = _at(part, position)
            sender.serve()
            self._save_at_times(sender, at)
            self._reporter.show(self._events, at.until_us, sender)
            if granted == 0:
                self._stop.wait(TICK_SECONDS)
        return at

    def _produce(self, sender: Sender, part: Slice, start: int, end: int) -> None:
        times = part.times_us[start:end].tolist()
        for index, micros_ in enumerate(times, start):
            vehicle = part.vehicle_ids[index]
            if self._sent_before and (vehicle, micros_) in self._sent_before:
                self._sent_before.discard((vehicle, micros_))
            else:
                value = encode_fields(
                    vehicle,
                    instant(micros_),
                    part.latitudes[index],
                    part.longitudes[index],
                    part.speeds_mph[index],
                    part.trip_ids[index],
                )
                sender.send(vehicle.encode(), value)
            self._events += 1

    def _wait(self, sender: Sender, pace: Pace, until_us: int) -> None:
        """Until the clock reaches the end of a leg whose last events were sent."""
        while not self._stop.is_set() and pace.due_us(until_us) < until_us:
            self._stop.wait(TICK_SECONDS)
            sender.serve()

    def _save_at_times(self, sender: Sender, at: At) -> None:
        if time.monotonic() - self._saved >= SAVE_SECONDS:
            self._save(sender, at)

    def _save(self, sender: Sender, at: At) -> None:
        while not sender.flush(2.0):
            self._reporter.show(self._events, at.until_us, sender)
            if self._stop.is_set() and not sender.flush(20.0):
                return
        if self._look_from is not None and at.until_us > self._sent_until_us:
            self._look_from = None
            self._sent_before.clear()
        # Until all that had arrived is passed, it would have to be found again from where it was found this time.
        offsets = self._end.offsets() if self._look_from is None else self._look_from
        self._places.save(Place(self._plan.key, at.until_us, at.of_moment, self._events, offsets))
        self._saved = time.monotonic()


def main(argv: list[str] | None = None) -> None:
    """Run until the plan's end, SIGTERM or SIGINT."""
    options = parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        _run(options, stop)
    except TrafficError as error:
        sys.exit(f"replay: {error}")


def _run(options: argparse.Namespace, stop: threading.Event) -> None:
    settings = Settings()
    dataset = Dataset.of(settings, options.dataset)
    recording = recording_of(dataset)
    plan = make_plan(options, dataset, recording)
    restart = options.restart
    while not stop.is_set():
        try:
            events = Replay(settings, plan, recording, stop).run(restart)
            log.info("%s after %d events", "stopped" if stop.is_set() else "finished", events)
            return
        except ServiceError as error:
            if "running already" in str(error):
                raise
            log.warning("%s; trying again from the last confirmed place", error)
            restart = False
            stop.wait(3.0)


if __name__ == "__main__":
    main()
