from streaming.balance import Balance


def test_what_is_neither_good_nor_rejected_was_late():
    balance = Balance()
    balance.windows({0: 10}, read=10, good=7)
    assert balance.rejected({0: 10}, rejected=2) == 1


def test_rejected_events_do_not_count_as_late_until_they_are_known():
    balance = Balance()
    assert balance.windows({0: 10, 1: 5}, read=15, good=9) == 0
    assert balance.rejected({0: 10, 1: 4}, rejected=5) == 0
    assert balance.rejected({0: 10, 1: 5}, rejected=6) == 0


def test_late_events_never_become_fewer():
    balance = Balance()
    balance.windows({0: 10}, read=10, good=7)
    seen = [balance.rejected({0: 10}, rejected=1)]
    seen.append(balance.windows({0: 20}, read=20, good=10))
    seen.append(balance.rejected({0: 20}, rejected=8))
    seen.append(balance.windows({0: 30}, read=30, good=20))
    assert seen == [2, 2, 2, 2]


def test_rejected_events_of_later_batches_make_it_too_low_never_too_high():
    balance = Balance()
    balance.windows({0: 10}, read=10, good=7)
    assert balance.rejected({0: 40}, rejected=20) == 0
    assert balance.windows({0: 40}, read=40, good=17) == 3


def test_after_a_restart_it_goes_on_from_what_was_recorded():
    assert Balance(late=5).windows({0: 1}, read=1, good=1) == 5
