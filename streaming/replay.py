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
from dataclasses import replace
from datetime import UTC, datetime

from smartcity.errors import ServiceError, TrafficError
from smartcity.events import decode, encode_columns
from smartcity.lake import Dataset
from smartcity.settings import Settings
from smartcity.store.replay import ENDED, NONE, PAUSED, RUNNING, Wish
from smartcity.topics import VEHICLE_POSITIONS
from streaming.checkpoint import Offsets
from streaming.control import Control, Standing
from streaming.obeying import At, at_position, obey, with_speed
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
        self._course = plan.course(datetime.now(UTC))
        self._new_speed = False
        self._control: Control | None = None

    def run(self, restart: bool) -> int:
        """Replay. Returns: events sent. Raises: ServiceError where Kafka cannot go on with this producer."""
        with self._places.locked():
            place = None if restart else self._places.load(self._plan.key)
            sender = Sender(self._settings, VEHICLE_POSITIONS.name, self._stop)
            state = NONE
            try:
                at = self._resume(place)
                self._control = self._controlled(keep=place is not None)
                state = self._replay(sender, at)
            finally:
                sender.close()
                self._reporter.close()
                if self._control is not None:
                    self._control.close(state=state)
        return self._events

    def _controlled(self, keep: bool) -> Control:
        """The line on which wishes come in; those that came while the replay was away are carried out first."""
        plan, course = self._plan, self._course
        span = {
            "moved_to_now": plan.now,
            "loop": plan.loop or plan.now,
            "days": [day.isoformat() for day in plan.days],
            "from_utc": instant(plan.span_us[0]),
            "to_utc": instant(plan.span_us[1]),
        }
        before = Wish(course.wish, course.paused, course.speed, course.seek, None)
        control = Control(self._settings, span, before, keep, self._new_speed)
        standing = Standing(PAUSED if course.paused else RUNNING, course.speed, events=self._events, done=course.wish)
        wish = control.start(standing)
        if not keep:
            self._course = replace(course, wish=wish.number, seek=wish.seek_number)
        return control

    def _replay(self, sender: Sender, at: At | None) -> str:
        """Until the end, or ``stop``. Returns: the state in which it was left."""
        while not self._stop.is_set():
            if self._wished:
                at = self._obey(sender, at)
            if self._course.paused:
                self._rest(sender)
                continue
            at, ended = self._play(sender, at)
            if ended:
                break
        if at is not None:
            self._save(sender, at)
        return NONE if self._stop.is_set() else ENDED

    @property
    def _wished(self) -> bool:
        return self._control is not None and self._control.wish.number != self._course.wish

    @property
    def _interrupted(self) -> bool:
        return self._stop.is_set() or self._wished

    def _play(self, sender: Sender, at: At | None) -> tuple[At | None, bool]:
        """Send until the end or an interruption. Returns: how far it came, and whether that is the end."""
        moment = datetime.now(UTC)
        pace = Pace(
            1.0 if self._plan.now else self._course.speed,
            self._plan.max_rate,
            micros(moment) if self._plan.now else None,
        )
        for leg in self._plan.legs(at.until_us if at is not None else None, moment, self._course):
            if at is None:
                # Before the first event: a replay killed within its first second finds its beginning as well.
                at = At(leg.start_us + leg.shift_us, 0)
                self._save(sender, at)
            for part in self._recording.slices(leg):
                at = self._send(sender, pace, part, at, leg.shift_us)
                if self._interrupted:
                    return at, False
            self._wait(sender, pace, leg.end_us + leg.shift_us)
            if self._interrupted:
                return at, False
        return at, True

    def _beginning(self) -> At:
        leg = next(self._plan.legs(None, datetime.now(UTC), self._course))
        return At(leg.start_us + leg.shift_us, 0)

    def _rest(self, sender: Sender) -> None:
        """While paused: until something is wished, or ``stop``."""
        while not self._interrupted:
            sender.serve()
            self._stop.wait(TICK_SECONDS)

    def _obey(self, sender: Sender, at: At | None) -> At | None:
        """Carry out what is wished, and remember it before anything is sent that follows from it."""
        if self._control is None:
            return at
        wish = self._control.wish
        now = micros(datetime.now(UTC))
        at = at or self._beginning()
        course, at, refused = obey(self._plan, self._course, at, wish, now)
        self._course = course
        log.info(
            "%s at ×%g, from %s%s",
            *("pausing" if course.paused else "running", course.speed, instant(at.until_us).isoformat()),
            f" (refused: {refused})" if refused else "",
        )
        self._save(sender, at)
        state = PAUSED if course.paused else RUNNING
        self._control.say(state=state, speed=course.speed, done=course.wish, refused=refused, events=self._events)
        for leg in self._plan.legs(at.until_us, datetime.now(UTC), course):
            self._say_place(at, leg.shift_us)
            break
        return at

    def _resume(self, place: Place | None) -> At | None:
        """How far it was; what arrived behind that is remembered, so as not to be sent again."""
        if place is None:
            return None
        self._events = place.events
        at = At(place.until_us, place.of_moment)
        self._new_speed = place.course is not None and place.course.started != self._plan.speed
        self._course = with_speed(self._plan, place.course, at) if place.course else self._course
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
        return at

    def _send(self, sender: Sender, pace: Pace, part: Slice, at: At, shift_us: int) -> At:
        """Send a slice as its events fall due, but what ``at`` says was sent. Returns: how far it came."""
        resumed = at.of_moment and len(part) and int(part.times_us[0]) == at.until_us
        position, count = (at.of_moment if resumed else 0), len(part)
        at = at_position(part, position)
        while position < count and not self._interrupted:
            due = self._due(pace, int(part.times_us[position]))
            ready = min(int(part.times_us.searchsorted(due, "right")), position + BURST)
            granted = pace.allowed(ready - position) if ready > position else 0
            position = self._produce(sender, part, position, position + granted)
            at = at_position(part, position)
            sender.serve()
            self._save_at_times(sender, at)
            self._show(sender, at, shift_us)
            if granted == 0:
                self._stop.wait(TICK_SECONDS)
        return at

    def _due(self, pace: Pace, next_us: int) -> int:
        """The moment of the tape that is due, given the next one that has an event."""
        if self._plan.now:
            return self._course.tape(pace.due_us(self._course.sent(next_us)))
        return pace.due_us(next_us)

    def _produce(self, sender: Sender, part: Slice, start: int, end: int) -> int:
        """Send the events of a slice from ``start`` to ``end``. Returns: the first that was not sent."""
        times_us, vehicles = self._course.sent_all(part.times_us[start:end]), part.vehicle_ids[start:end]
        places = part.latitudes[start:end], part.longitudes[start:end]
        values = encode_columns(vehicles, times_us, *places, part.speeds_mph[start:end], part.trip_ids[start:end])
        for index, (vehicle, value) in enumerate(zip(vehicles, values, strict=True)):
            if self._sent_before and (event := (vehicle, int(times_us[index]))) in self._sent_before:
                self._sent_before.discard(event)
            elif not sender.send(vehicle.encode(), value):
                return start + index
            self._events += 1
        return end

    def _show(self, sender: Sender, at: At, shift_us: int) -> None:
        self._reporter.show(self._events, self._course.sent(at.until_us), sender)
        self._say_place(at, shift_us)

    def _say_place(self, at: At, shift_us: int) -> None:
        if self._control is not None:
            sent, recorded = self._course.sent(at.until_us), at.until_us - shift_us
            self._control.say(position_us=recorded, shift_us=sent - recorded, events=self._events)

    def _wait(self, sender: Sender, pace: Pace, until_us: int) -> None:
        """Until the clock reaches the end of a leg whose last events were sent."""
        while not self._interrupted and self._due(pace, until_us) < until_us:
            self._stop.wait(TICK_SECONDS)
            sender.serve()

    def _save_at_times(self, sender: Sender, at: At) -> None:
        if time.monotonic() - self._saved >= SAVE_SECONDS:
            self._save(sender, at)

    def _save(self, sender: Sender, at: At) -> None:
        while not sender.flush(2.0):
            self._reporter.show(self._events, self._course.sent(at.until_us), sender)
            if self._stop.is_set() and not sender.flush(20.0):
                return
        if self._look_from is not None and self._course.sent(at.until_us) > self._sent_until_us:
            self._look_from = None
            self._sent_before.clear()
        # Until all that had arrived is passed, it would have to be found again from where it was found this time.
        offsets = self._end.offsets() if self._look_from is None else self._look_from
        self._places.save(Place(self._plan.key, at.until_us, at.of_moment, self._events, offsets, self._course))
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
