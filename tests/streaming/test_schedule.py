from datetime import UTC, date, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

from streaming.schedule import as_now, as_recorded, full_days, held_out, micros, midnight_us, source_for

NEW_YORK = ZoneInfo("America/New_York")
HOUR_US = 3_600_000_000
#: Monday 4 to Sunday 10 January 2016.
WEEK = [date(2016, 1, 4) + timedelta(days=day) for day in range(7)]


def local(micros_, zone=NEW_YORK):
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros_)).astimezone(zone)


def test_a_stub_of_a_day_is_no_day_to_replay():
    assert full_days({WEEK[0]: 1000, WEEK[1]: 900, WEEK[2]: 3}) == WEEK[:2]
    assert full_days({}) == []


def test_days_after_the_training_are_held_out():
    until = datetime(2016, 1, 9, 5, 0, tzinfo=UTC)  # midnight of 9 January in New York
    assert held_out(WEEK, until, NEW_YORK) == WEEK[5:]


def test_where_the_training_saw_every_day_the_last_one_is_taken():
    assert held_out(WEEK, datetime(2016, 1, 10, 18, tzinfo=UTC), NEW_YORK) == WEEK[-1:]
    assert held_out(WEEK, None, NEW_YORK) == WEEK


def test_a_day_is_replayed_as_its_own_weekday_or_its_own_kind():
    saturday, wednesday = date(2026, 11, 28), date(2026, 11, 25)
    assert source_for(saturday, WEEK) == date(2016, 1, 9)
    assert source_for(saturday, [WEEK[0], WEEK[6]]) == WEEK[6]
    assert source_for(wednesday, [WEEK[0], WEEK[6]]) == WEEK[0]
    assert source_for(saturday, WEEK[:1]) == WEEK[0]


def test_days_of_one_weekday_take_turns():
    mondays = [date(2016, 1, 4), date(2016, 1, 11)]
    picked = {source_for(date(2026, 11, 2) + timedelta(weeks=week), mondays) for week in range(2)}
    assert picked == set(mondays)


def test_replayed_now_the_local_time_of_day_stays_in_summer_and_winter():
    july_noon = datetime(2026, 7, 8, 12, 0, tzinfo=NEW_YORK)
    [leg] = islice(as_now(WEEK, NEW_YORK, micros(july_noon)), 1)
    assert local(leg.start_us).hour == 12
    assert local(leg.start_us + leg.shift_us) == july_noon
    assert local(leg.end_us + leg.shift_us) == datetime(2026, 7, 9, tzinfo=NEW_YORK)


def test_replayed_now_the_days_follow_one_another_without_gap_or_overlap():
    legs = list(islice(as_now(WEEK, NEW_YORK, micros(datetime(2026, 11, 21, 23, 30, tzinfo=NEW_YORK))), 5))
    assert [leg.day.weekday() for leg in legs] == [5, 6, 0, 1, 2]
    for before, after in pairwise(legs):
        assert before.end_us + before.shift_us == after.start_us + after.shift_us


def test_the_day_the_clocks_go_forward_never_runs_past_its_midnight():
    legs = list(islice(as_now(WEEK, NEW_YORK, midnight_us(date(2026, 3, 8), NEW_YORK)), 2))
    assert legs[0].end_us - legs[0].start_us == 23 * HOUR_US
    assert legs[0].end_us + legs[0].shift_us == legs[1].start_us + legs[1].shift_us


def test_as_recorded_keeps_times_and_the_span_that_was_asked():
    start = micros(datetime(2016, 1, 4, 8, 0, tzinfo=NEW_YORK))
    end = micros(datetime(2016, 1, 5, 9, 0, tzinfo=NEW_YORK))
    legs = list(as_recorded(WEEK[:2], NEW_YORK, start, end, loop=False))
    assert [(local(leg.start_us).hour, leg.shift_us) for leg in legs] == [(8, 0), (0, 0)]
    assert legs[-1].end_us == end


def test_a_loop_goes_on_in_time_on_the_same_weekday():
    first, second = islice(as_recorded([WEEK[0]], NEW_YORK, None, None, loop=True), 2)
    assert second.shift_us - first.shift_us == 7 * 24 * HOUR_US
