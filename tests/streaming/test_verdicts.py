import threading
import time
from types import SimpleNamespace

import pytest

from streaming.verdicts import Judged, VerdictListener, Verdicts


def verdicts(*batches, patience=0.0):
    made = Verdicts(patience)
    for start, end, rejected in batches:
        made.add(Judged(start, end, rejected))
    return made


GOOD = [({}, {0: 10, 1: 4}, 0), ({0: 10, 1: 4}, {0: 25, 1: 9}, 0)]


def test_events_of_good_batches_are_good_wherever_the_other_query_cuts():
    made = verdicts(*GOOD)
    assert made.all_good({}, {0: 25, 1: 9})
    assert made.all_good({0: 3, 1: 4}, {0: 11, 1: 8})
    assert made.all_good({0: 25, 1: 9}, {0: 25, 1: 9})


def test_a_rejected_event_spoils_its_own_batch_only():
    made = verdicts(*GOOD, ({0: 25, 1: 9}, {0: 40, 1: 9}, 1), ({0: 40, 1: 9}, {0: 50, 1: 9}, 0))
    assert made.all_good({}, {0: 25, 1: 9})
    assert not made.all_good({0: 3}, {0: 26, 1: 9})
    assert not made.all_good({0: 39, 1: 9}, {0: 45, 1: 9})
    assert made.all_good({0: 40, 1: 9}, {0: 50, 1: 9})


@pytest.mark.parametrize(
    ("start", "end"), [({0: 10, 1: 4}, {0: 26, 1: 9}), ({0: 10, 1: 4}, {0: 12, 1: 9, 2: 1})], ids=["later", "new"]
)
def test_what_was_not_judged_yet_is_not_good(start, end):
    assert not verdicts(*GOOD).all_good(start, end)
    assert not verdicts().all_good(start, end)


def test_what_came_before_the_first_batch_is_not_known():
    made = verdicts(GOOD[1])
    assert not made.all_good({0: 9, 1: 4}, {0: 25, 1: 9})
    assert made.all_good({0: 10, 1: 4}, {0: 25, 1: 9})


def test_a_batch_that_was_missed_may_have_held_a_rejected_event():
    made = verdicts(GOOD[0], ({0: 12, 1: 4}, {0: 25, 1: 9}, 0))
    assert not made.all_good({}, {0: 25, 1: 9})
    assert made.all_good({0: 12, 1: 4}, {0: 25, 1: 9})


def test_the_other_query_waits_until_its_last_event_is_judged():
    made = verdicts(GOOD[0], patience=60)
    judged = threading.Timer(0.2, made.add, [Judged(*GOOD[1])])
    judged.start()
    assert made.all_good({}, {0: 25, 1: 9})
    judged.join()


@pytest.mark.parametrize("way_out", ["close", "rejected"])
def test_it_does_not_wait_for_what_cannot_help(way_out):
    made = verdicts(GOOD[0], patience=60)
    act = made.close if way_out == "close" else lambda: made.add(Judged({0: 10, 1: 4}, {0: 11, 1: 4}, 1))
    threading.Timer(0.1, act).start()
    started = time.monotonic()
    assert not made.all_good({}, {0: 25, 1: 9})
    assert time.monotonic() - started < 30, "well before its patience ends"


@pytest.mark.parametrize("before_the_first", ["None", "null"])
def test_spark_tells_of_each_batch_the_first_one_too(before_the_first):
    made = verdicts()
    listener = VerdictListener(made, "windows", "vehicle_positions")

    def tell(start, end, rejected, name="windows"):
        source = SimpleNamespace(startOffset=start, endOffset=end)
        observed = {"judged": {"rejected": rejected}}
        progress = SimpleNamespace(name=name, sources=[source], observedMetrics=observed)
        listener.onQueryProgress(SimpleNamespace(progress=progress))

    tell(before_the_first, '{"vehicle_positions":{"0":5,"1":7}}', 0)
    tell("None", '{"vehicle_positions":{"0":9,"1":9}}', 3, name="rejected")
    tell('{"vehicle_positions":{"0":5,"1":7}}', '{"vehicle_positions":{"0":6,"1":7}}', 1)
    assert made.all_good({}, {0: 5, 1: 7})
    assert not made.all_good({}, {0: 6, 1: 7})
