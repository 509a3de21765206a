from streaming.lag import Ends, Lag


def test_lag_is_what_is_not_read_and_since_when_it_is_there():
    ends = Ends()
    ends.note({0: 100, 1: 50}, at=10.0)
    ends.note({0: 140, 1: 50}, at=12.0)
    ends.note({0: 180, 1: 50}, at=14.0)
    assert ends.lag({0: 120, 1: 50}, at=15.0) == {0: Lag(60, 3.0), 1: Lag(0, 0.0)}


def test_a_silent_broker_does_not_make_the_lag_vanish():
    ends = Ends()
    ends.note({0: 100}, at=10.0)
    assert ends.lag({0: 40}, at=70.0) == {0: Lag(60, 60.0)}


def test_a_new_partition_is_read_from_its_beginning():
    ends = Ends()
    ends.note({0: 10, 1: 7}, at=1.0)
    assert ends.lag({0: 10}, at=2.0)[1] == Lag(7, 1.0)


def test_the_stream_may_be_ahead_of_the_last_answer():
    ends = Ends()
    ends.note({0: 10}, at=1.0)
    assert ends.lag({0: 15}, at=2.0) == {0: Lag(0, 0.0)}
