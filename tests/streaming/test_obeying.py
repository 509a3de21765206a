from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from smartcity.errors import InputError
from smartcity.store.replay import Wish
from streaming.course import Course
from streaming.obeying import At, obey, with_speed
from streaming.plan import Plan
from streaming.schedule import micros

ZONE = ZoneInfo("America/New_York")
#: Monday and Tuesday.
DAYS = (date(2016, 1, 4), date(2016, 1, 5))
NOW = datetime(2026, 11, 24, 17, 0, tzinfo=UTC)
SECOND = 1_000_000


def plan(now=True, speed=1.0, loop=False):
    return Plan(DAYS, ZONE, now, speed, float("inf"), timedelta(minutes=60), loop, None, None, {})


def recorded(day, hour):
    return datetime(2016, 1, day, hour, tzinfo=ZONE)


def wish(number=1, paused=False, speed=None, seek=None):
    return Wish(number, paused, speed, 1 if seek else 0, seek)


def test_a_pause_moves_the_rest_of_the_tape_on_by_its_length():
    made = plan()
    at = At(micros(NOW), 3)
    paused, at, _ = obey(made, made.course(NOW), at, wish(1, paused=True), micros(NOW))
    later = micros(NOW) + 90 * SECOND
    course, at, _ = obey(made, paused, at, wish(2), later)
    assert (paused.paused, course.paused, at) == (True, False, At(micros(NOW), 3))
    assert course.sent(micros(NOW)) == later
    assert course.sent(micros(NOW) + SECOND) == later + SECOND


def test_moved_to_now_a_seek_goes_back_on_the_tape_and_on_in_time():
    made, at = plan(), At(micros(NOW), 0)
    course, at, refused = obey(made, made.course(NOW), at, wish(seek=recorded(4, 8)), micros(NOW))
    [first] = [leg for leg, _ in zip(made.legs(at.until_us, NOW, course), "1", strict=False)]
    assert refused is None
    assert (first.day, first.start_us) == (DAYS[0], micros(recorded(4, 8)))
    assert course.sent(at.until_us) == micros(NOW)


def test_a_seek_while_paused_stays_paused():
    made = plan()
    course, at, _ = obey(made, made.course(NOW), At(micros(NOW), 0), wish(1, True, seek=recorded(5, 8)), micros(NOW))
    assert course.paused
    later = micros(NOW) + 3600 * SECOND
    course, at, _ = obey(made, course, at, Wish(2, False, None, 1, recorded(5, 8)), later)
    assert course.sent(at.until_us) == later


def test_the_same_wish_again_changes_nothing():
    made = plan()
    once = obey(made, made.course(NOW), At(micros(NOW), 0), wish(seek=recorded(4, 8)), micros(NOW))
    assert obey(made, once[0], once[1], wish(seek=recorded(4, 8)), micros(NOW) + 5 * SECOND)[:2] == once[:2]


def test_moved_to_now_a_speed_stretches_the_tape_and_leaves_no_gap_in_what_is_sent():
    made, at = plan(), At(micros(NOW), 0)
    course, at, _ = obey(made, made.course(NOW), at, wish(speed=60.0), micros(NOW))
    assert course.sent(at.until_us) == micros(NOW)
    assert course.sent(at.until_us + 60 * SECOND) == micros(NOW) + SECOND
    assert course.tape(micros(NOW) + SECOND) == at.until_us + 60 * SECOND


def test_times_sent_of_a_slice_are_those_of_its_events_one_by_one():
    course = Course(7.3, 7.3, tape_us=10**15, sent_us=2 * 10**15, stretch=7.3)
    times = 10**15 + np.array([0, 1, 999_999, 10**11 + 7], np.int64)
    assert course.sent_all(times).tolist() == [course.sent(int(one)) for one in times]


def test_as_recorded_a_seek_goes_forward_and_is_refused_backward():
    made, at = plan(now=False), At(micros(recorded(4, 12)), 2)
    course, on, refused = obey(made, made.course(NOW), at, wish(seek=recorded(5, 9)), micros(NOW))
    assert (on, refused, course.sent(on.until_us)) == (At(micros(recorded(5, 9)), 0), None, micros(recorded(5, 9)))
    course, stays, refused = obey(made, made.course(NOW), at, wish(seek=recorded(4, 9)), micros(NOW))
    assert stays == at
    assert "has gone by" in refused
    assert (course.wish, course.seek) == (1, 1)


def test_in_a_loop_a_backward_seek_goes_into_the_next_round():
    made, at = plan(now=False, loop=True), At(micros(recorded(4, 12)), 0)
    _, at, _ = obey(made, made.course(NOW), at, wish(seek=recorded(4, 9)), micros(NOW))
    assert at.until_us == micros(recorded(4, 9) + timedelta(weeks=1))
    first = next(made.legs(at.until_us, NOW))
    assert (first.day, first.start_us) == (DAYS[0], micros(recorded(4, 9)))


@pytest.mark.parametrize("moment", [recorded(3, 9), recorded(6, 0)])
def test_what_is_not_recorded_cannot_be_gone_to(moment):
    with pytest.raises(InputError, match="not in this replay"):
        plan().find(micros(moment), 0)


def test_started_at_another_speed_a_replay_goes_on_where_it_was_at_the_new_one():
    at = At(micros(NOW), 0)
    course = with_speed(plan(speed=10.0), plan().course(NOW), at)
    assert (course.speed, course.sent(at.until_us)) == (10.0, micros(NOW))
    assert course.sent(at.until_us + 10 * SECOND) == micros(NOW) + SECOND
