"""Temperature: what it finds, what it keeps, and when it keeps out."""

import numpy as np
import pytest

from smartcity.model.calibration import calibrated, fitted_temperature
from smartcity.model.metrics import calibration_error, scores


@pytest.fixture
def honest():
    random = np.random.default_rng(1)
    shares = random.dirichlet([2, 1, 0.5], 40_000)
    label = (random.random((40_000, 1)) > shares.cumsum(axis=1)).sum(axis=1)
    return label, shares


@pytest.mark.parametrize("temperature", [0.8, 0.9, 1.0, 1.3])
def test_what_made_a_forecaster_too_timid_or_too_bold_is_found_and_taken_back(honest, temperature):
    label, shares = honest
    given = calibrated(shares, 1 / temperature)
    found = fitted_temperature(label, given)
    assert found == pytest.approx(temperature, rel=0.03)
    mended = calibrated(given, found)
    np.testing.assert_allclose(mended, shares, atol=0.02)
    assert calibration_error(label, mended) < 0.01
    assert scores(label, mended).log_loss <= scores(label, given).log_loss


def test_the_order_of_the_classes_stays_and_no_chance_stays_none(honest):
    _, shares = honest
    shares = np.vstack([shares, [0.0, 0.25, 0.75], [1.0, 0.0, 0.0]])
    made = calibrated(shares, 0.7)
    np.testing.assert_array_equal(made.argsort(axis=1)[:-1], shares.argsort(axis=1)[:-1])
    np.testing.assert_allclose(made.sum(axis=1), 1)
    assert made[-2, 0] == 0 and made[-1].tolist() == [1.0, 0.0, 0.0]
    np.testing.assert_allclose(calibrated(shares, 1.0), shares, atol=1e-15)


def test_a_handful_of_rows_changes_nothing(honest):
    label, shares = honest
    assert fitted_temperature(label[:999], calibrated(shares[:999], 2.0)) == 1.0
