"""What follows from a look: going back for a new champion that is worse than persistence, training for an old one."""

from datetime import UTC, datetime, timedelta

from smartcity.model.advice import Advice, Reign, advise, reign
from smartcity.model.drift import MIN_OUTCOMES, Verdict
from smartcity.model.monitor import Look

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
NEW = Reign(NOW - timedelta(hours=3), "gate", before="6")


def seen(macro_f1, scored=MIN_OUTCOMES, drifted=True):
    live = {"scored": scored, "macro_f1": macro_f1, "persistence_macro_f1": 0.7}
    return Look("7", live, {}, Verdict(drifted, ("it drifted",) if drifted else ()))


def test_a_new_champion_below_persistence_is_left():
    said = advise(seen(0.69), NEW, NOW, NOW)
    assert said.roll_back == "live macro-F1 0.690 of version 7 is under persistence's 0.700 over 500 forecasts"
    assert said.retrain is None


def test_one_that_holds_its_own_or_was_hardly_scored_stays():
    assert advise(seen(0.71, drifted=False), NEW, NOW, NOW) == Advice()
    assert advise(seen(0.1, scored=MIN_OUTCOMES - 1, drifted=False), NEW, NOW, NOW) == Advice()


def test_one_that_was_rolled_back_to_is_old_or_replaced_none_is_not_left_again():
    for other in (
        None,
        Reign(NEW.since_utc, "rollback", "8"),
        Reign(NOW - timedelta(days=3), "gate", "6"),
        Reign(NEW.since_utc, "gate", None),
    ):
        assert advise(seen(0.1), other, NOW - timedelta(days=2), NOW) == Advice(retrain="it drifted")


def test_training_is_asked_for_once_a_day():
    assert advise(seen(0.8), NEW, NOW - timedelta(hours=19), NOW) == Advice()
    assert advise(seen(0.8), NEW, NOW - timedelta(hours=21), NOW).retrain == "it drifted"


def test_the_reign_is_the_newest_line_that_made_it_champion():
    lines = [
        {"version": "7", "promoted": False, "decided_utc": NOW, "action": "gate", "champion_before": "6"},
        {"version": "6", "promoted": True, "decided_utc": NOW, "action": "rollback", "champion_before": "7"},
        {"version": "6", "promoted": True, "decided_utc": NOW - timedelta(1), "action": "gate", "champion_before": "5"},
    ]
    assert reign("6", lines) == Reign(NOW, "rollback", "7")
    assert reign("7", lines) is None
