"""Training against a real MLflow server: runs, version, alias, serving; broken versions are refused."""

import argparse
from datetime import date

import pyarrow.compute as pc
import pytest
from click.testing import CliRunner

from smartcity.cli.model import command
from smartcity.errors import ModelError, NoChampionError
from smartcity.live import LiveCity
from smartcity.model import registry
from smartcity.model.monitor import look
from smartcity.model.spec import MODEL_NAME
from smartcity.settings import Settings
from smartcity.store import ledger
from smartcity.store.engine import create_all, create_engine
from smartcity.store.writer import NO_SUMS, WindowSums, upsert_windows, window_row
from spark_jobs import train

pytestmark = pytest.mark.integration

OPTIONS = argparse.Namespace(
    trees=5, depth=6, seed=7, max_rows=20_000, no_register=False, all_steps=False, trials=2, report=None
)


@pytest.fixture(scope="module")
def trained(mlflow_server, spark, small_dataset, tmp_path_factory):
    patch = pytest.MonkeyPatch()
    patch.setenv("TRAFFIC_MLFLOW_TRACKING_URI", mlflow_server)
    patch.setenv("TRAFFIC_HOME", str(tmp_path_factory.mktemp("home")))
    settings = Settings()
    create_all(create_engine(settings))
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
    names = {item.path for item in client.list_artifacts(run.info.run_id)}
    pictures = {"confusion_matrix", "reliability", "feature_importance", "accuracy_by_hour", "errors_by_place"}
    assert {*(f"{name}.png" for name in pictures), "model_card.md", "model"} <= names


def test_each_trial_is_a_run_below_its_training(trained):
    settings, figures = trained
    client = registry.client(settings)
    parent = client.get_run(client.get_model_version(MODEL_NAME, str(figures["version"])).run_id)
    below = client.search_runs(
        [parent.info.experiment_id], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'", order_by=["start_time"]
    )
    losses = [run.data.metrics["validation_log_loss"] for run in below]
    assert len(losses) == 2 and losses == sorted(losses)
    assert below[0].data.params["min_leaf"] == parent.data.params["min_leaf"]


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


def test_the_ledger_has_the_gates_verdict(trained):
    settings, figures = trained
    line = ledger.decisions(create_engine(settings))[-1]
    assert (line["version"], line["action"], line["reason"]) == (str(figures["version"]), "gate", figures["reason"])
    assert line["macro_f1"] == pytest.approx(figures["macro_f1"])


def test_a_roll_back_goes_the_way_that_promotions_came(trained):
    settings, figures = trained
    first = str(figures["version"])
    made = registry.client(settings).get_model_version(MODEL_NAME, first)
    registry.make_champion(settings, first)
    second = registry.register(settings, made.run_id, made.source, made.tags[registry.SPEC_TAG], {}).version
    assert registry.make_champion(settings, second) == first
    assert next(entry.aliases for entry in registry.entries(settings)) == (registry.CHAMPION,)
    run = CliRunner().invoke(command, ["rollback"])
    assert f"version {first} serves again" in run.output, run.output
    assert registry.champion_version(settings) == first
    assert ledger.decisions(create_engine(settings))[0]["action"] == "rollback"
    with pytest.raises(ModelError, match="promote VERSION"):
        registry.roll_back(settings)


def test_a_look_at_the_serving_version_scores_judges_and_tells_mlflow(trained, small_dataset):
    settings, figures = trained
    version, engine = str(figures["version"]), create_engine(settings)
    registry.make_champion(settings, version)
    model = registry.load_version(settings, version)
    live = LiveCity(model.city, model.profile, model)
    day = small_dataset.windows.read(date(2026, 3, 4), date(2026, 3, 4)).sort_by("window_start_utc").slice(0, 4000)
    for start in pc.unique(day["window_start_utc"]):
        windows = live.update(day.filter(pc.equal(day["window_start_utc"], start)))
        sums = {row["cell_id"]: row for row in day.filter(pc.equal(day["window_start_utc"], start)).to_pylist()}
        with engine.begin() as connection:
            upsert_windows(connection, [window_row(w, sums_of(sums.get(w.cell_id))) for w in windows])
    seen = look(settings, engine)
    assert seen.version == version
    assert seen.live["scored"] > 500
    assert seen.live["persistence_accuracy"] != seen.live["accuracy"]
    assert {row["scope"] for scope in ("hour", "place") for row in ledger.live_scores(engine, version, scope)} == {
        "hour",
        "place",
    }
    assert set(seen.stability) > {"ratio_now", "vehicle_count"}
    run = registry.client(settings).get_run(registry.client(settings).get_model_version(MODEL_NAME, version).run_id)
    assert run.data.metrics["live_macro_f1"] == pytest.approx(seen.live["macro_f1"])


def sums_of(row):
    if row is None:
        return NO_SUMS
    return WindowSums(row["speed_sum"], row["speed_square_sum"], row["vehicle_bits"])


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
