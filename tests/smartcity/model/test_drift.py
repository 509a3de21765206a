import numpy as np
import pytest

from smartcity.features import FEATURE_NAMES
from smartcity.model.drift import MIN_OUTCOMES, LiveFigures, Reference, Thresholds, judge, stability

THRESHOLDS = Thresholds(stability=0.25, macro_f1_drop=0.05)
SLOWED = FEATURE_NAMES.index("ratio_now")


@pytest.fixture
def training():
    return np.random.default_rng(1).normal(0.7, 0.2, (20_000, len(FEATURE_NAMES)))


def test_the_same_spread_is_no_drift(training):
    index = stability(Reference.of(training), training[::2])
    assert max(index.values()) < 0.01
    assert judge(index, None, THRESHOLDS).drifted is False


def test_a_feature_that_moved_is_named(training):
    moved = training.copy()
    moved[:, SLOWED] -= 0.15
    index = stability(Reference.of(training), moved)
    # Two normals half a deviation and more apart: (0.75)² in the limit of fine bins.
    assert index["ratio_now"] == pytest.approx(0.75**2, rel=0.15)
    verdict = judge(index, None, THRESHOLDS)
    assert verdict.drifted
    assert len(verdict.reasons) == 1 and "feature ratio_now" in verdict.reasons[0]


def test_a_constant_feature_and_missing_values_have_an_index(training):
    training[:, SLOWED] = 1.0
    training[::3, 0] = np.nan
    assert np.isfinite(list(stability(Reference.of(training), training).values())).all()


def test_the_reference_survives_being_written(training):
    reference = Reference.of(training)
    assert Reference.model_validate_json(reference.model_dump_json()) == reference


@pytest.mark.parametrize(
    ("live", "reason"),
    [
        (LiveFigures(MIN_OUTCOMES, 0.70, 0.65, 0.71), None),
        (LiveFigures(MIN_OUTCOMES, 0.60, 0.55, 0.71), "under that of the hold-out days"),
        (LiveFigures(MIN_OUTCOMES, 0.70, 0.72, 0.71), "under persistence's"),
        (LiveFigures(MIN_OUTCOMES - 1, 0.10, 0.72, 0.71), None),
    ],
)
def test_a_live_score_that_falls_is_drift_once_there_are_enough_outcomes(live, reason):
    verdict = judge({}, live, THRESHOLDS)
    assert verdict.drifted is (reason is not None)
    assert all(reason in said for said in verdict.reasons)
