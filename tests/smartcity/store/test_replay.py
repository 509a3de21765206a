import math
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from smartcity.errors import InputError, ServiceError
from smartcity.settings import Settings
from smartcity.store.engine import create_all, create_engine
from smartcity.store.replay import ENDED, NONE, RUNNING, Wish, ask, begin, replay_row, report, state_of, wish_of
from tests.replays import NOON, figures

ZONE = ZoneInfo("America/New_York")
NOTHING = Wish(0, False, None, 0, None)


@pytest.fixture
def engine(tmp_path):
    engine = create_engine(Settings(home=tmp_path, _env_file=None))
    create_all(engine)
    yield engine
    engine.dispose()


def test_a_wish_is_counted_once_however_often_it_is_wished(engine):
    begin(engine, NOTHING, figures(), keep=False)
    for action in ("pause", "pause", "resume", "resume"):
        ask(engine, action, ZONE)
    ask(engine, "speed", ZONE, speed=60.0)
    ask(engine, "speed", ZONE, speed=60.0)
    assert wish_of(engine) == Wish(3, False, 60.0, 0, None)


def test_what_was_wished_while_the_replay_was_away_is_wished_of_it_when_it_goes_on(engine):
    begin(engine, NOTHING, figures(), keep=False)
    ask(engine, "pause", ZONE)
    ask(engine, "seek", ZONE, to=NOON - timedelta(hours=2))
    assert begin(engine, NOTHING, figures(), keep=True) == Wish(2, True, None, 1, NOON - timedelta(hours=2))


def test_another_replay_starts_without_wishes(engine):
    begin(engine, NOTHING, figures(), keep=False)
    ask(engine, "pause", ZONE)
    assert begin(engine, NOTHING, figures(), keep=False) == Wish(1, False, None, 0, None)
    assert replay_row(engine)["done_number"] == 1


def test_a_database_made_anew_takes_what_the_replay_remembers(engine):
    remembered = Wish(4, True, 60.0, 2, None)
    assert begin(engine, remembered, figures(), keep=True) == remembered


def test_reports_leave_wishes_alone(engine):
    begin(engine, NOTHING, figures(), keep=False)
    ask(engine, "pause", ZONE)
    report(engine, {"events_sent": 9, "done_number": 1, "updated_utc": NOON})
    assert (replay_row(engine)["events_sent"], wish_of(engine).paused) == (9, True)


def test_one_that_says_nothing_any_more_does_not_run(engine):
    begin(engine, NOTHING, figures(updated_utc=NOON), keep=False)
    row = replay_row(engine)
    assert state_of(row, NOON + timedelta(seconds=5)) == RUNNING
    assert state_of(row, NOON + timedelta(seconds=60)) == NONE


def test_without_a_replay_nothing_can_be_asked_of_it(engine):
    with pytest.raises(ServiceError, match="traffic replay"):
        ask(engine, "pause", ZONE)
    begin(engine, NOTHING, figures(state=ENDED), keep=False)
    with pytest.raises(ServiceError, match="traffic replay"):
        ask(engine, "pause", ZONE)


@pytest.mark.parametrize(
    ("changes", "order", "message"),
    [
        ({}, {"action": "seek", "to": NOON - timedelta(days=3)}, "not in this replay"),
        ({"from_utc": NOON - timedelta(days=9)}, {"action": "seek", "to": NOON - timedelta(days=3)}, "its days: 2016"),
        (
            {"moved_to_now": False, "loop": False},
            {"action": "seek", "to": NOON - timedelta(hours=1)},
            "drop all of them as late",
        ),
        ({}, {"action": "speed", "speed": 0.0}, "from 0.1 to 3600"),
        ({}, {"action": "speed", "speed": math.nan}, "from 0.1 to 3600"),
        ({}, {"action": "speed", "speed": math.inf}, "runs with the clock"),
        ({}, {"action": "rewind"}, "pause, resume, seek or speed"),
    ],
)
def test_what_a_replay_cannot_do_is_said_with_the_way_out(engine, changes, order, message):
    begin(engine, NOTHING, figures(**changes), keep=False)
    with pytest.raises(InputError, match=message):
        ask(engine, order.pop("action"), ZONE, **order)
    assert wish_of(engine).number == 0
