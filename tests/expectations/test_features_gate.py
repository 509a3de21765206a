"""The features gate: complete rows, labels by the thresholds, and no fewer rows than windows."""

import pyarrow as pa
import pytest

from expectations.outcome import Outcome
from expectations.runner import run
from expectations.suites import load
from smartcity.features import FEATURE_NAMES, FEATURES
from smartcity.held import held_days
from smartcity.lake import Dataset
from smartcity.settings import Settings
from tests.expectations import rows

Rows = list[dict[str, object]]


@pytest.fixture
def features(windows: Rows) -> Rows:
    return [
        dict.fromkeys(FEATURE_NAMES, 0.5)
        | {
            "cell_id": row["cell_id"],
            "window_start_utc": row["window_start_utc"],
            "known_now": True,
            "label": number % 3,
            "label_ratio": (0.9, 0.6, 0.4)[number % 3],
            "date": row["date"],
        }
        for number, row in enumerate(windows)
    ]


def check(dataset: Dataset, settings: Settings, features: Rows) -> Outcome:
    dataset.features.write(pa.Table.from_pylist(features, schema=FEATURES))
    return run(load("features"), dataset, settings)


def test_passes_sound_features(dataset: Dataset, settings: Settings, features: Rows) -> None:
    assert check(dataset, settings, features).findings == []


def test_catches_a_feature_that_is_not_a_number(dataset: Dataset, settings: Settings, features: Rows) -> None:
    features[7]["ratio_now"] = float("nan")
    assert check(dataset, settings, features).names("FAIL") == ["ratio_now_is_complete"]


def test_days_that_fail_are_held_back_until_they_pass_are_accepted_or_made_anew(
    dataset: Dataset, settings: Settings, features: Rows
) -> None:
    check(dataset, settings, features)
    assert held_days(dataset) == []
    days = dataset.features.dates()
    sound, features[7]["ratio_now"] = features[7]["ratio_now"], float("nan")
    check(dataset, settings, features)
    assert held_days(dataset) == days
    # The first days were not to blame, and say so when they are judged alone.
    run(load("features"), dataset, settings, days[1], days[-1])
    assert days[0] in held_days(dataset)
    run(load("features"), dataset, settings, accept=["ratio_now_is_complete"])
    assert held_days(dataset) == []
    run(load("features"), dataset, settings)
    assert held_days(dataset) == days
    features[7]["ratio_now"] = sound
    dataset.features.write(pa.Table.from_pylist(features, schema=FEATURES))
    assert held_days(dataset) == []


def test_catches_a_label_made_with_other_thresholds(dataset: Dataset, settings: Settings, features: Rows) -> None:
    features[0]["label_ratio"] = 0.7
    assert check(dataset, settings, features).names("FAIL") == ["labels_follow_the_thresholds"]


def test_catches_features_without_labels(dataset: Dataset, settings: Settings, features: Rows) -> None:
    for row in features:
        row["label"] = row["label_ratio"] = None
    assert check(dataset, settings, features).names("FAIL") == ["some_rows_are_labelled"]


def test_catches_windows_that_have_no_features(
    dataset: Dataset, settings: Settings, features: Rows, windows: Rows
) -> None:
    dataset.windows.write(rows.window_table(windows))
    assert check(dataset, settings, features[1:]).names("FAIL") == ["every_window_has_features"]


def test_catches_features_that_are_of_an_older_run_than_their_windows(
    dataset: Dataset, settings: Settings, features: Rows, windows: Rows
) -> None:
    dataset.windows.write(rows.window_table(windows))
    made_from = dataset.windows.versions(rows.days())
    dataset.features.write(pa.Table.from_pylist(features, schema=FEATURES), {"profile": "1", **made_from})
    assert run(load("features"), dataset, settings).findings == []
    dataset.windows.write(rows.window_table(windows))
    assert run(load("features"), dataset, settings).names("FAIL") == ["days_are_made_from_what_is_there"]


def test_warns_when_one_level_swallows_the_others(dataset: Dataset, settings: Settings, features: Rows) -> None:
    for row in features:
        row["label"], row["label_ratio"] = 0, 0.9
    found = check(dataset, settings, features)
    assert found.status == "warned"
    assert found.names("WARN") == ["no_level_swallows_the_others"]
