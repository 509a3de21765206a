"""What the watchdog complains about, and what it leaves alone."""

import dataclasses

import pytest

from smartcity.services.ports import free_port
from smartcity.settings import Settings
from smartcity.store.age import DataAge
from smartcity.watch import Limits, Observed, complaints, observe

LIMITS = Limits(silent_minutes=10, lag_events=1000)
STREAM = DataAge(progress_seconds=2, newest_event_seconds=3, events_per_second=500, lag_events=10, model_version="1")
SOUND = Observed(broker_answers=True, topic_silent_seconds=1, stream=STREAM)


def test_a_live_stream_gives_no_reason_to_complain() -> None:
    assert complaints(SOUND, LIMITS) == []
    at_the_limit = dataclasses.replace(STREAM, progress_seconds=600, lag_events=1000)
    assert complaints(Observed(True, 600, at_the_limit), LIMITS) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"topic_silent_seconds": 660}, "no event came into vehicle_positions for 11 minutes (allowed: 10)"),
        ({"topic_silent_seconds": None}, "vehicle_positions holds no event"),
        ({"stream": None}, "the stream has scored nothing yet"),
        ({"stream": dataclasses.replace(STREAM, progress_seconds=900)}, "last batch ended 15 minutes ago"),
        ({"stream": dataclasses.replace(STREAM, lag_events=1001)}, "1,001 events wait to be scored (allowed: 1,000)"),
    ],
)
def test_each_fault_is_named_alone(changed: dict[str, object], said: str) -> None:
    found = complaints(dataclasses.replace(SOUND, **changed), LIMITS)
    assert len(found) == 1 and said in found[0]


def test_a_stopped_feed_and_a_stopped_stream_are_both_named() -> None:
    stopped = dataclasses.replace(STREAM, progress_seconds=900)
    assert len(complaints(Observed(True, 900, stopped), LIMITS)) == 2


def test_without_a_broker_nothing_else_is_to_blame() -> None:
    found = complaints(Observed(False, None, None), LIMITS)
    assert len(found) == 1 and "Kafka does not answer" in found[0]


def test_no_broker_and_no_database_are_seen_as_such(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smartcity.watch.TIMEOUT_SECONDS", 1)
    observed = observe(Settings(home=tmp_path, kafka_port=free_port(), _env_file=None))
    assert observed == Observed(broker_answers=False, topic_silent_seconds=None, stream=None)
