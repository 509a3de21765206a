from streaming.pacing import MAX, Pace


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def test_event_time_runs_as_many_times_as_fast_as_asked():
    clock = Clock()
    pace = Pace(60.0, clock=clock)
    assert pace.due_us(1_000_000) == 1_000_000
    clock.now += 2
    assert pace.due_us(1_000_000) == 121_000_000


def test_as_fast_as_it_can_everything_is_due():
    assert Pace(MAX, clock=Clock()).due_us(5) > 5


def test_the_warm_up_is_due_at_once_and_the_clock_goes_on_from_its_end():
    clock = Clock()
    pace = Pace(1.0, catch_up_us=3_600_000_000, clock=clock)
    assert pace.due_us(0) == 3_600_000_000
    clock.now += 1
    assert pace.due_us(0) == 3_601_000_000


def test_never_more_than_the_rate():
    clock = Clock()
    pace = Pace(MAX, max_rate=1000, clock=clock)
    sent = 0
    for _ in range(100):
        sent += pace.allowed(10_000)
        clock.now += 0.01
    assert 990 <= sent <= 1100


def test_a_pause_is_not_made_up_for_by_a_burst():
    clock = Clock()
    pace = Pace(MAX, max_rate=1000, clock=clock)
    pace.allowed(10_000)
    clock.now += 60
    assert pace.allowed(10_000) <= 100
