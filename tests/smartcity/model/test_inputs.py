import numpy as np

from smartcity.features import FEATURE_NAMES
from smartcity.model.inputs import DIFFERENCES, INPUT_NAMES, inputs


def test_each_difference_is_that_of_the_features_it_names_and_follows_them():
    features = np.random.default_rng(1).normal(size=(50, len(FEATURE_NAMES)))
    given = inputs(features)
    assert given.shape == (50, len(INPUT_NAMES))
    np.testing.assert_array_equal(given[:, : len(FEATURE_NAMES)], features)
    for name, minuend, subtrahend in DIFFERENCES:
        expected = features[:, FEATURE_NAMES.index(minuend)] - features[:, FEATURE_NAMES.index(subtrahend)]
        np.testing.assert_array_equal(given[:, INPUT_NAMES.index(name)], expected)


def test_what_is_missing_stays_missing():
    features = np.zeros((1, len(FEATURE_NAMES)))
    features[0, FEATURE_NAMES.index("ratio_now")] = np.nan
    assert np.isnan(inputs(features)).sum() == 1 + sum("ratio_now" in pair for _, *pair in DIFFERENCES)
