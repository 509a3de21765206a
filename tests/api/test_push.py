"""When a push goes out: with the stream's batches, and without them where there are none."""

import threading
import time

import pytest

from api import push
from api.push import Pusher
from api.state import CityState

#: Seconds between two pieces of a batch.
PIECE = 0.01


class Clock:
    """Time passes only while somebody waits."""

    def __init__(self) -> None:
        self.now = 100.0
        self.waits: list[float] = []


class Waiting(threading.Event):
    """An event whose waits are noted; the first ``answers`` of them are answered soon, later ones never."""

    def __init__(self, clock: Clock, answers: int) -> None:
        super().__init__()
        self._clock = clock
        self._answers = answers

    def wait(self, timeout: float | None = None) -> bool:
        self._clock.waits.append(round(timeout or 0.0, 3))
        self._clock.now += PIECE if self._answers else timeout or 0.0
        self._answers -= 1
        return self._answers >= 0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(push.time, "monotonic", lambda: made.now)
    return made


def pusher(clock: Clock, news: int = 0) -> Pusher:
    made = Pusher(CityState(), None, None, 2.0, lambda: None)  # type: ignore[arg-type]
    made._news = Waiting(clock, news)
    made._ending = Waiting(clock, 0)
    return made


def test_a_push_takes_the_batch_that_comes_in_towards_the_end_of_its_interval(clock: Clock) -> None:
    made, pushed = pusher(clock, news=1), clock.now
    clock.now += 0.9
    made.told()
    clock.now += 0.6
    made._await_windows(pushed)
    assert clock.waits == [1.5, push.QUIET_SECONDS], "the one before was too early; it waits for the next"


def test_a_push_goes_out_at_once_with_a_batch_that_came_late_in_its_interval(clock: Clock) -> None:
    made, pushed = pusher(clock), clock.now
    clock.now += 1.5
    made.told()
    clock.now += 0.01
    made._await_windows(pushed)
    assert clock.waits == [push.QUIET_SECONDS]


def test_all_pieces_of_a_batch_are_waited_for_but_not_for_ever(clock: Clock) -> None:
    made, pushed = pusher(clock, news=3), clock.now
    clock.now += 1.9
    made._await_windows(pushed)
    assert clock.waits == [0.1, *[push.QUIET_SECONDS] * 3], "the batch, two more pieces, and then nothing"
    clock.waits.clear()
    made, pushed = pusher(clock, news=1000), clock.now
    clock.now += 1.9
    made._await_windows(pushed)
    assert clock.now - pushed == pytest.approx(1.9 + PIECE + push.SETTLE_SECONDS)


def test_a_batch_that_does_not_come_is_not_waited_for_for_long(clock: Clock) -> None:
    made, pushed = pusher(clock), clock.now
    made.told()
    clock.now += 1.5
    made._await_windows(pushed)
    assert clock.waits == [1.5], "half an interval longer than the interval"


def test_without_a_stream_pushes_keep_their_beat(clock: Clock) -> None:
    made = pusher(clock)
    made._await_windows(clock.now - 1.5)
    made.told()
    clock.now += 60
    made._await_windows(clock.now - 1.5)
    assert clock.waits == [0.5, 0.5]


def test_windows_that_come_in_while_it_waits_end_the_wait() -> None:
    made = Pusher(CityState(), None, None, 600.0, lambda: None)  # type: ignore[arg-type]
    made.told()
    waiting = threading.Thread(target=made._await_windows, args=[time.monotonic() + 1])
    waiting.start()
    time.sleep(0.05)
    made.told()
    waiting.join(10)
    assert not waiting.is_alive()
