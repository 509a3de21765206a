from smartcity.spark.search import DEPTHS, LEAVES, candidates
from smartcity.spark.training import ForestParameters


def test_the_parameters_asked_for_are_tried_first_and_none_twice():
    asked = ForestParameters(trees=50, depth=12)
    found = candidates(asked, 6)
    assert found[0] == asked
    assert len(found) == len(set(found)) == 6
    assert found == candidates(asked, 6)


def test_the_budget_is_not_exceeded_nor_the_grid():
    asked = ForestParameters(trees=50, depth=3)
    assert len(candidates(asked, 2)) == 2
    assert len(candidates(asked, 100)) == len(DEPTHS) * len(LEAVES) + 1
