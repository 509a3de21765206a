import numpy as np
import pytest
from sklearn import metrics as reference

from smartcity.model.metrics import calibration_error, confusion, macro_f1, margin_interval, scores


@pytest.fixture
def forecast():
    random = np.random.default_rng(1)
    label = random.choice(3, 4000, p=[0.5, 0.3, 0.2])
    noisy = np.where(random.random(4000) < 0.7, label, random.integers(0, 3, 4000))
    share = np.full((4000, 3), 0.15)
    share[np.arange(4000), noisy] = 0.7
    return label, share


def test_figures_equal_scikit_learns(forecast):
    label, share = forecast
    named = share.argmax(axis=1)
    found = scores(label, share)
    assert found.accuracy == pytest.approx(reference.accuracy_score(label, named))
    assert found.macro_f1 == pytest.approx(reference.f1_score(label, named, average="macro"))
    assert found.log_loss == pytest.approx(reference.log_loss(label, share))
    assert found.recall["high"] == pytest.approx(reference.recall_score(label, named, average=None)[2])
    assert found.precision["low"] == pytest.approx(reference.precision_score(label, named, average=None)[0])
    assert confusion(label, named).tolist() == reference.confusion_matrix(label, named).tolist()


def test_a_forecaster_that_says_what_it_knows_is_calibrated_and_a_boaster_is_not():
    random = np.random.default_rng(2)
    right = random.random(20_000) < 0.8
    label = np.where(right, 0, 1)
    honest = np.tile([0.8, 0.1, 0.1], (20_000, 1))
    boaster = np.tile([0.99, 0.005, 0.005], (20_000, 1))
    assert calibration_error(label, honest) < 0.01
    assert calibration_error(label, boaster) == pytest.approx(0.19, abs=0.01)


def test_a_class_that_never_occurs_does_not_enter_macro_f1():
    assert macro_f1(np.array([[5, 0, 0], [0, 5, 0], [0, 0, 0]])) == 1.0


def test_the_margin_of_equal_forecasters_has_an_interval_around_zero(forecast):
    label, _share = forecast
    random = np.random.default_rng(4)
    one, other = (np.where(random.random(4000) < 0.7, label, random.integers(0, 3, 4000)) for _ in range(2))
    _, low, high = margin_interval(label, one, other, np.arange(4000) // 50)
    assert low < 0 < high


def test_the_margin_of_a_better_forecaster_is_above_zero(forecast):
    label, _ = forecast
    worse = np.where(np.random.default_rng(4).random(4000) < 0.5, label, 0)
    margin, low, _ = margin_interval(label, label, worse, np.arange(4000) // 50)
    assert 0 < low < margin
