import numpy as np
import pytest

from smartcity.levels import CLASSES, Level, class_index, level_of


@pytest.mark.parametrize(
    ("ratio", "level"),
    [(1.2, "low"), (0.75, "low"), (0.7499, "medium"), (0.5, "medium"), (0.4999, "high"), (0.0, "high")],
)
def test_thresholds_belong_to_the_faster_level(ratio, level):
    assert level_of(int(class_index(np.array([ratio]))[0])) == level


def test_no_ratio_is_unknown_never_guessed():
    assert level_of(int(class_index(np.array([np.nan]))[0])) is Level.UNKNOWN


def test_unknown_is_no_class_of_the_model():
    assert Level.UNKNOWN not in CLASSES
