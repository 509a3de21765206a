"""Training against a real MLflow server: runs, version, alias, serving; broken versions are refused."""

import argparse
import os
import subprocess
import sys

import pytest

from api.background import trainings
from smartcity.errors import ModelError, NoChampionError
from smartcity.model import registry
from smartcity.model.spec import MODEL_NAME
from smartcity.services.ports import free_port
from smartcity.settings import ROOT, Settings
from spark_jobs import train
from tests.integration.processes import registry_server

pytestmark = pytest.mark.integration

OPTIONS = argparse.Namespace(
    trees=5, depth=6, seed=7, max_rows=20_000, no_register=False, hold=False, all_steps=False, trials=2, report=None
)


@pytest.fixture(scope="module")
def trained(spark, small_dataset, tmp_path_factory):
    # A registry of its own: the one that other tests share has a champion of theirs.
    own = Settings(home=tmp_path_factory.mktemp("home"), mlflow_port=free_port(), _env_file=None)
    patch = pytest.MonkeyPatch()
    patch.setenv("TRAFFIC_MLFLOW_TRACKING_URI", own.mlflow)
    patch.setenv("TRAFFIC_HOME", str(own.home))
    with registry_server(own):
        settings = Settings()
        with pytest.raises(NoChampionError, match="traffic train"):
            registry.load_champion(settings)
        _, figures = train.train(spark, small_dataset, OPTIONS, tmp_path_factory.mktemp("train"))
        yield settings, figures
    patch.undo()


def test_a_run_logs_figures_and_pictures(trained):
    settings, figures = trained
    client = registry.client(settings)
    run = client.get_run(client.get_model_version(MODEL_NAME, str(figures["version"])).run_id)
    assert {"accuracy", "macro_f1", "persistence_macro_f1", "majority_accuracy", "ece"} <= set(run.data.metrics)
    assert run.data.params["trees"] == "5"
    assert figures["run"].startswith(trainings(settings.mlflow).partition("?")[0])
    names = {item.path for item in client.list_artifacts(run.info.run_id)}
    assert {"confusion_matrix.png", "reliability.png", "feature_importance.png", "model_card.md", "model"} <= names


def test_each_trial_is_a_run_below_its_training(trained):
    settings, figures = trained
    client = registry.client(settings)
    parent = client.get_run(client.get_model_version(MODEL_NAME, str(figures["version"])).run_id)
    below = client.search_runs([parent.info.experiment_id], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'")
    tried = {(run.data.params["depth"], run.data.params["min_leaf"]) for run in below}
    losses = [run.data.metrics["validation_log_loss"] for run in below]
    assert len(tried) == 2 and {run.info.status for run in below} == {"FINISHED"}
    assert (parent.data.params["depth"], parent.data.params["min_leaf"]) in tried
    assert parent.data.metrics["best_validation_log_loss"] == min(losses)
    progress = client.get_metric_history(parent.info.run_id, "trials_done")
    assert [point.value for point in progress] == [1, 2]


def test_the_gate_leaves_its_reason_on_the_version(trained):
    settings, figures = trained
    tags = registry.client(settings).get_model_version(MODEL_NAME, str(figures["version"])).tags
    assert tags[registry.REASON_TAG] == figures["reason"]


def test_serving_loads_the_champion_from_the_registry(trained, small_dataset):
    settings, figures = trained
    registry.record_decision(settings, str(figures["version"]), True, "by hand, for this test")
    model = registry.load_champion(settings)
    assert (model.version, model.city) == (str(figures["version"]), small_dataset.city)
    assert registry.champion_version(settings) == model.version


def test_a_foreign_version_is_refused(trained, tmp_path):
    settings, figures = trained
    client = registry.client(settings)
    run_id = client.get_model_version(MODEL_NAME, str(figures["version"])).run_id
    (tmp_path / "notes.txt").write_text("not a model")
    client.log_artifacts(run_id, str(tmp_path), "foreign")
    source = f"{client.get_run(run_id).info.artifact_uri}/foreign"
    foreign = client.create_model_version(MODEL_NAME, source, run_id)
    with pytest.raises(ModelError, match="not ours"):
        registry.load_version(settings, foreign.version)


def test_a_registry_that_does_not_answer_is_a_model_error():
    silent = Settings(mlflow_tracking_uri="http://127.0.0.1:9")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        with pytest.raises(ModelError, match="does not answer"):
            registry.champion_version(silent)


def test_a_training_without_a_registry_ends_before_it_begins_and_says_why(small_dataset, tmp_path):
    environment = {
        **os.environ,
        "TRAFFIC_HOME": str(tmp_path),
        "TRAFFIC_LAKE": small_dataset.uri.rpartition("/")[0],
        "TRAFFIC_MLFLOW_TRACKING_URI": "http://127.0.0.1:9",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    }
    command = [sys.executable, "-m", "spark_jobs.train", "--dataset", small_dataset.name]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 1
    assert "registry http://127.0.0.1:9 does not answer" in done.stderr
    assert "Traceback" not in done.stderr
    assert "fitting" not in done.stderr, "minutes of work would be lost"
