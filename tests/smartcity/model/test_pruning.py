"""What serves, what served before it and what is new stays; the rest may go."""

from datetime import UTC, datetime

from smartcity.model.pruning import superfluous
from smartcity.model.registry import Entry


def version(number, replaced=None, aliases=()):
    return Entry(
        str(number), aliases, datetime(2026, 3, number, tzinfo=UTC), {"replaced": replaced} if replaced else {}
    )


def test_the_newest_the_champion_and_its_predecessors_stay():
    found = [
        version(9),
        version(8),
        version(7, aliases=("challenger",)),
        version(6),
        version(5, replaced="2", aliases=("champion",)),
        version(4),
        version(3),
        version(2, replaced="1"),
        version(1),
    ]
    assert superfluous(found, 2) == ["3", "4", "6"]
    assert superfluous(found, 3) == ["3", "4", "6"]
    assert superfluous(found, 9) == []


def test_a_predecessor_that_is_gone_ends_the_way_back():
    assert superfluous([version(4, replaced="1", aliases=("champion",)), version(3), version(2)], 1) == ["2", "3"]
