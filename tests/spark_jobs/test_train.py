"""Training on real Spark: export, parity, evaluation, refusal."""

import argparse
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import numpy as np
import pytest
from pyspark.sql import functions as F

from smartcity.errors import MissingDataError, ModelError
from smartcity.features import FEATURE_NAMES
from smartcity.model.calibration import calibrated
from smartcity.model.evaluation import Rows, evaluate
from smartcity.model.publish import model_card
from smartcity.model.serving import ServingModel
from smartcity.model.spec import LEVEL_FILE
from smartcity.profile import Profile
from smartcity.settings import Settings
from smartcity.spark.tables import read_table
from smartcity.spark.training import ForestParameters, fit_forests, score_in_spark, split_rows, thin
from spark_jobs.train import export, gate, train, without

OPTIONS = argparse.Namespace(
    trees=5, depth=5, seed=7, max_rows=20_000, no_register=True, all_steps=True, trials=1, report=None
)


@pytest.fixture(scope="module")
def rows(spark, small_dataset):
    return read_table(spark, small_dataset.features, None, None, "").persist()


@pytest.fixture(scope="module")
def trained(spark, small_dataset, rows, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    profile = Profile.load(small_dataset)
    forests = fit_forests(split_rows(rows, profile)[0], ForestParameters(trees=5, depth=6))
    export(forests, profile, small_dataset, folder)
    return forests, folder


def test_training_ends_before_the_test_begins(small_dataset, rows):
    profile = Profile.load(small_dataset)
    training, testing = split_rows(rows, profile)
    last = training.agg(F.max("window_start_utc")).collect()[0][0]
    first = testing.agg(F.min("window_start_utc")).collect()[0][0]
    assert (first - last).total_seconds() >= profile.city.horizon_steps * profile.city.window_seconds


def test_the_export_agrees_with_spark_also_on_nulls_and_extremes(spark, rows, trained):
    forests, folder = trained
    model = ServingModel.load(folder, "test")
    random = np.random.default_rng(0)
    some = rows.select(*FEATURE_NAMES).toPandas().sample(20_000, replace=True, random_state=1)
    mask = random.random(some.shape)
    wild = some.mask(mask < 0.05, 1e12).mask((mask > 0.05) & (mask < 0.1), -1e12).mask(mask > 0.95, None)
    features, shares, changes = score_in_spark(forests, spark.createDataFrame(wild))
    assert len(features) == 20_000 and np.isnan(features).any()
    assert np.abs(model.probabilities(features) - shares).max() < 1e-6
    assert np.abs(model.ratio_change(features) - changes).max() < 1e-6


def test_a_version_scores_at_its_temperature(small_dataset, rows, trained, tmp_path):
    forests, folder = trained
    export(forests, Profile.load(small_dataset), small_dataset, tmp_path, temperature=0.8)
    features = Rows.of(rows.where("label is not null").limit(500).toArrow()).features
    plain, surer = (ServingModel.load(each, "test").probabilities(features) for each in (folder, tmp_path))
    np.testing.assert_allclose(surer, calibrated(plain, 0.8), rtol=0, atol=1e-12)
    assert surer.max(axis=1).mean() > plain.max(axis=1).mean()


def test_a_version_with_a_changed_file_is_refused(trained, tmp_path):
    for item in trained[1].iterdir():
        if item.is_file():
            (tmp_path / item.name).write_bytes(item.read_bytes())
    ServingModel.load(tmp_path, "whole")
    (tmp_path / LEVEL_FILE).write_bytes((tmp_path / LEVEL_FILE).read_bytes()[:-1] + b"x")
    with pytest.raises(ModelError, match="checksum"):
        ServingModel.load(tmp_path, "broken")


@pytest.fixture(scope="module")
def run(spark, small_dataset, tmp_path_factory):
    return train(spark, small_dataset, OPTIONS, tmp_path_factory.mktemp("run"))


def test_a_run_reports_the_model_beside_each_baseline(run):
    report, figures = run
    assert set(report.table()) == {"model", "majority", "historical_average", "persistence"}
    assert {"accuracy", "macro_f1", "log_loss", "ece"} <= set(report.table()["persistence"])
    assert report.table()["model"]["accuracy"] > report.table()["majority"]["accuracy"]
    assert figures["onnx_parity_gap"] < 1e-6


def test_speed_errors_are_told_for_each_step_up_to_the_horizon_and_their_mean(run):
    report, _ = run
    for figures in report.as_json()["models"].values():
        by_step = figures["rmse_mph_by_minutes_ahead"]
        assert set(by_step) == {"2", "4", "6", "8", "10", "12", "14", "16"}
        assert figures["rmse_mph"] == pytest.approx(np.mean(list(by_step.values())))
    # Ten minutes are shared by most of a target so near: what is, stays.
    near = report.speed_by_step[2]
    assert near["persistence"]["rmse_mph"] < near["majority"]["rmse_mph"]


def test_a_level_that_training_does_not_show_is_named_and_gets_no_chance(spark, small_dataset, rows, tmp_path):
    profile = Profile.load(small_dataset)
    training, testing = split_rows(rows, profile)
    training = training.where("label != 2").persist()
    forests = fit_forests(training, ForestParameters(trees=3, depth=4))
    export(forests, profile, small_dataset, tmp_path)
    model = ServingModel.load(tmp_path, "test")
    before, after = (Rows.of(part.toArrow()) for part in (training, testing))
    report = evaluate(model, before, after)
    assert (after.label == 2).any() and report.absent_levels == ("high",)
    assert report.probabilities.shape == (len(after.label), 3)
    assert not report.probabilities[:, 2].any()
    assert all(np.isfinite(value) for value in report.metrics().values())
    assert "No training row is `high`" in model_card(model.spec, profile, report)


def test_the_champion_is_compared_on_rows_that_it_has_not_learnt_from(small_dataset, rows, trained, run, monkeypatch):
    report, _ = run
    model = ServingModel.load(trained[1], "candidate")
    test = Rows.of(thin(split_rows(rows, Profile.load(small_dataset))[1], OPTIONS.max_rows).toArrow())
    seen = []

    def told(features):
        seen.append(len(features))
        return model.probabilities(features)

    def champion_until(moment):
        profile = replace(model.profile, train_until_utc=datetime.fromtimestamp(int(moment), UTC))
        scoring = SimpleNamespace(spec=model.spec, profile=profile, probabilities=told)
        monkeypatch.setattr("spark_jobs.train.registry.load_champion", lambda settings: scoring)
        return gate(Settings(), report, model, test)

    middle = np.median(test.times)
    decision = champion_until(middle)
    assert seen == [int((test.times >= middle).sum())]
    assert not decision.promote and "does not beat" in decision.reason
    assert "has learnt from the hold-out days" in champion_until(test.times.max() + 1).reason
    assert len(seen) == 1


def test_days_whose_features_a_gate_refused_are_left_out(spark, small_dataset, rows, tmp_path, monkeypatch, capsys):
    first, *others = small_dataset.features.dates()
    left = {row.date for row in without(rows, [first]).select("date").distinct().collect()}
    assert left == set(others)
    monkeypatch.setattr("spark_jobs.train.held_days", lambda dataset: dataset.features.dates())
    with pytest.raises(MissingDataError, match="labelled rows to train on"):
        train(spark, small_dataset, OPTIONS, tmp_path)
    assert f"left out, as the gate refused their features: {first}" in capsys.readouterr().err


def test_next_to_nothing_is_refused_with_the_counts(spark, small_dataset, tmp_path, monkeypatch):
    monkeypatch.setattr("smartcity.model.evaluation.MIN_TRAINING_ROWS", 10**9)
    with pytest.raises(MissingDataError, match="labelled rows to train on"):
        train(spark, small_dataset, OPTIONS, tmp_path)
