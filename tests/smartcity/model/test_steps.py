"""Expected speeds before the horizon: what came is looked up rightly, leaves say the mean of their rows."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from smartcity.columns import UTC_TIMESTAMP
from smartcity.model.ahead import look_ahead
from smartcity.model.evaluation import Rows
from smartcity.model.forest import TreeNode
from smartcity.model.inputs import INPUT_NAMES
from smartcity.model.leaves import LEAF_SHRINK, Trees
from smartcity.model.steps import at_most, step_errors

NOTHING = np.array([0.0])
#: Two trees: one asks twice, the other is a single leaf.
NODES = [
    TreeNode(0, 0, 0, 0.5, 1, 2, NOTHING),
    TreeNode(0, 1, -1, 0.0, -1, -1, NOTHING),
    TreeNode(0, 2, 1, 3.0, 3, 4, NOTHING),
    TreeNode(0, 3, -1, 0.0, -1, -1, NOTHING),
    TreeNode(0, 4, -1, 0.0, -1, -1, NOTHING),
    TreeNode(1, 0, -1, 0.0, -1, -1, NOTHING),
]


@pytest.fixture(scope="module")
def table(small_dataset):
    found = small_dataset.features.read()
    return found.filter(pc.is_valid(found["label"]))


def test_rows_end_in_the_leaf_that_the_thresholds_say_and_a_missing_value_goes_right():
    trees = Trees.of(NODES)
    leaf = trees.leaf(np.array([[0.5, 9.0], [0.6, 3.0], [0.6, 3.1], [np.nan, np.nan]]))
    assert leaf.tolist() == [[1, 3, 4, 4], [5, 5, 5, 5]]


def test_a_leaf_says_the_mean_of_its_rows_drawn_to_that_of_all():
    trees = Trees.of(NODES)
    leaf = trees.leaf(np.array([[0.0, 0.0], [0.0, 0.0], [1.0, 9.0]]))
    filled = trees.refilled(leaf, np.array([1.0, 3.0, 8.0]))
    assert filled[1] == pytest.approx((1 + 3 + LEAF_SHRINK * 4) / (2 + LEAF_SHRINK))
    assert filled[3] == filled[5] == 4.0


def test_what_came_is_the_estimate_of_the_window_so_many_steps_on(small_dataset, table):
    rows = at_most(Rows.of(table), 500)
    ahead = look_ahead(small_dataset, rows)
    # At the horizon it is the label's own ratio; the table ends at midnight, its labels lie after.
    inside = rows.times < rows.times.max() - 3600
    np.testing.assert_array_equal(ahead.ratio[-1, inside], rows.label_ratio[inside])
    every = small_dataset.features.read()
    for row in (0, len(rows.label) // 2, len(rows.label) - 1):
        start = pa.scalar((int(rows.times[row]) + 3 * 120) * 1_000_000, pa.int64()).cast(UTC_TIMESTAMP)
        same = pc.and_(pc.equal(every["cell_id"], rows.cells[row]), pc.equal(every["window_start_utc"], start))
        then = every.filter(same)
        known = then.num_rows and then["known_now"][0].as_py()
        assert known == np.isfinite(ahead.ratio[2, row])
        if known:
            assert ahead.ratio[2, row] == then["ratio_now"][0].as_py()
            assert ahead.history[2, row] == then["history_now"][0].as_py()


def test_every_step_but_the_horizon_has_errors_of_every_forecaster(small_dataset, table):
    rows = Rows.of(table)
    late = rows.times > np.quantile(rows.times, 0.7)
    parts = [rows.at(np.flatnonzero(chosen)) for chosen in (~late, late)]
    now = INPUT_NAMES.index("ratio_now")
    nodes = [TreeNode(0, 0, now, 0.7, 1, 2, NOTHING), *(TreeNode(0, n, -1, 0.0, -1, -1, NOTHING) for n in (1, 2))]
    found = dict(step_errors(Trees.of(nodes), *((part, look_ahead(small_dataset, part)) for part in parts)))
    assert list(found) == list(range(1, small_dataset.city.horizon_steps))
    for errors in found.values():
        assert set(errors) == {"model", "majority", "historical_average", "persistence"}
        assert errors["model"]["rmse_mph"] < errors["persistence"]["rmse_mph"]
