"""The check before training: what the features table holds must follow from the windows up to then."""

import numpy as np
import pyarrow as pa
import pytest

from smartcity.errors import ModelError
from smartcity.lake import Dataset
from smartcity.profile import Profile
from spark_jobs.causality import check_causal


@pytest.fixture
def leaky(small_dataset, small_city, tmp_path):
    """A copy of the data set whose ``ratio_window`` is that of two windows later."""
    copy = Dataset(str(tmp_path), "leaky", small_city)
    copy.create(small_city)
    copy.windows.write(small_dataset.windows.read())
    rows = small_dataset.features.read().sort_by([("cell_id", "ascending"), ("window_start_utc", "ascending")])
    later = np.roll(rows["ratio_window"].to_numpy(), -2)
    at = rows.schema.get_field_index("ratio_window")
    copy.features.write(rows.set_column(at, "ratio_window", pa.array(later)))
    return copy


def test_features_made_from_the_past_pass(small_dataset):
    assert check_causal(small_dataset, Profile.load(small_dataset)) > 10


def test_a_planted_feature_that_sees_the_future_is_caught_by_its_name(leaky, small_dataset):
    with pytest.raises(ModelError, match=r"feature ratio_window of .* it has seen the future"):
        check_causal(leaky, Profile.load(small_dataset))


def test_features_of_places_that_the_windows_do_not_have_are_refused(small_dataset, small_city, tmp_path):
    copy = Dataset(str(tmp_path), "fewer", small_city)
    copy.create(small_city)
    windows = small_dataset.windows.read()
    gone = windows["cell_id"][0]
    copy.windows.write(windows.filter(pa.compute.not_equal(windows["cell_id"], gone)))
    copy.features.write(small_dataset.features.read())
    with pytest.raises(ModelError, match="other places"):
        check_causal(copy, Profile.load(small_dataset))
