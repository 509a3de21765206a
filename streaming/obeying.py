"""How far a replay came, and what a wish makes of that: pure, so that a wish carried out twice is the same as once."""

from dataclasses import dataclass, replace

from smartcity.errors import InputError
from smartcity.store.replay import Wish
from streaming.course import Course
from streaming.plan import Plan
from streaming.recording import Slice
from streaming.schedule import micros


@dataclass(frozen=True)
class At:
    """How far a replay came: all before ``until_us`` of the tape, and ``of_moment`` events of that very moment."""

    until_us: int
    of_moment: int


def at_position(part: Slice, position: int) -> At:
    """How far a replay came that has sent ``position`` events of a slice."""
    if position == len(part):
        return At(part.until_us, 0)
    moment = int(part.times_us[position])
    return At(moment, position - int(part.times_us.searchsorted(moment, "left")))


def obey(plan: Plan, course: Course, at: At, wish: Wish, now_us: int) -> tuple[Course, At, str | None]:
    """Carry out a wish. Returns: the course and the place to go on with, and why a seek was refused.

    What is sent never goes back in time. Moved to now, the tape goes on where it stopped with the time that it is by
    then: after a pause or a seek it is shifted further forward. A change of speed leaves no gap.
    """
    refused = None
    starts_us = course.sent(at.until_us)
    if course.paused and not wish.paused:
        starts_us = max(starts_us, now_us)
    if wish.seek_number != course.seek and wish.seek_utc is not None:
        try:
            at, starts_us = At(plan.find(micros(wish.seek_utc), at.until_us), 0), now_us
        except InputError as error:
            refused = str(error)
    speed = course.speed if wish.speed is None else wish.speed
    if plan.now:
        course = replace(course, tape_us=at.until_us, sent_us=starts_us, stretch=speed)
    return replace(course, paused=wish.paused, speed=speed, wish=wish.number, seek=wish.seek_number), at, refused


def with_speed(plan: Plan, course: Course, at: At) -> Course:
    """The course of a place where the replay was started at another speed before: the one asked for now counts."""
    if course.started == plan.speed:
        return course
    if plan.now:
        course = replace(course, tape_us=at.until_us, sent_us=course.sent(at.until_us), stretch=plan.speed)
    return replace(course, speed=plan.speed, started=plan.speed)
