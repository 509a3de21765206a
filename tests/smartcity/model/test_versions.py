"""Promotion, roll-back and the look at the serving version, on MLflow's own store and versions made by hand."""

from datetime import timedelta

import mlflow
import numpy as np
import pytest
from click.testing import CliRunner

from smartcity.cli.model import command
from smartcity.errors import ModelError, NoChampionError, RegistryError
from smartcity.features import FEATURE_NAMES
from smartcity.hashing import file_sha256
from smartcity.model import registry
from smartcity.model.drift import Reference
from smartcity.model.forest import TreeNode, to_onnx
from smartcity.model.inputs import INPUT_NAMES
from smartcity.model.monitor import look
from smartcity.model.spec import CHANGE_FILE, LEVEL_FILE, PROFILE_FILE, SERVED_FILES, SPEC_FILE, ModelSpec
from smartcity.services.ports import free_port
from smartcity.settings import Settings
from smartcity.store import ledger
from smartcity.store.engine import create_all, create_engine
from smartcity.store.writer import WindowSums, upsert_windows, window_row
from tests.smartcity.model.test_livescore import HORIZON, LOW, NOON, WINDOW, scored
from tests.streaming.profiles import even_profile

CELL = "882a100d67fffff"
#: Five positions at 10 mph, of five vehicles.
SUMS = WindowSums(speed_sum=5_000, speed_square_sum=5_000_000, vehicle_bits=0b11111)


def a_version(settings, folder, macro_f1):
    """A version whose forest has one leaf: always low, no change of speed."""
    profile = even_profile(settings.city, (CELL,), NOON - timedelta(days=1))
    for name, values in ((LEVEL_FILE, [0.8, 0.1, 0.1]), (CHANGE_FILE, [0.0])):
        leaf = TreeNode(0, 0, -1, 0.0, -1, -1, np.array(values))
        (folder / name).write_bytes(to_onnx([leaf], len(INPUT_NAMES)))
    (folder / PROFILE_FILE).write_bytes(profile.to_bytes())
    spec = ModelSpec(
        city=settings.city,
        dataset="hand-made",
        profile_id=profile.profile_id,
        reference=Reference.of(np.random.default_rng(1).normal(5, 1, (500, len(FEATURE_NAMES)))),
        sha256={name: file_sha256(folder / name) for name in SERVED_FILES},
    )
    (folder / SPEC_FILE).write_text(spec.model_dump_json())
    mlflow.set_tracking_uri(settings.mlflow)
    # The experiment that an earlier test chose in this process is none of this store's.
    mlflow.set_experiment("hand-made")
    with mlflow.start_run() as run:
        mlflow.log_artifacts(str(folder), "model")
    sha256 = file_sha256(folder / SPEC_FILE)
    source = f"{run.info.artifact_uri}/model"
    return registry.register(settings, run.info.run_id, source, sha256, {"macro_f1": str(macro_f1)}).version


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    home = tmp_path_factory.mktemp("registry")
    patch = pytest.MonkeyPatch()
    patch.chdir(home)
    patch.setenv("TRAFFIC_MLFLOW_TRACKING_URI", f"sqlite:///{home}/mlflow.db")
    patch.setenv("TRAFFIC_HOME", str(home))
    made = Settings(_env_file=None)
    create_all(create_engine(made))
    yield made
    patch.undo()
    mlflow.set_tracking_uri(None)


def test_versions_are_promoted_rolled_back_the_way_they_came_and_watched(settings, tmp_path):
    with pytest.raises(NoChampionError, match="nothing to roll back"):
        registry.roll_back(settings)
    first, second = (a_version(settings, tmp_path, score) for score in (0.9, 0.8))
    registry.record_decision(settings, first, True, "first model")
    run = CliRunner().invoke(command, ["promote", second, "--reason", "a trial"])
    assert run.stdout == f"version {second} serves; before: {first}\n", run.stderr
    newest, oldest = registry.entries(settings)
    assert (newest.version, newest.aliases, newest.tags[registry.REPLACED_TAG]) == (second, ("champion",), first)
    assert oldest.aliases == ()

    run = CliRunner().invoke(command, ["rollback", "--if-serving", first])
    assert run.stdout == f"version {second} serves, not {first}: nothing to do\n", run.stderr
    run = CliRunner().invoke(command, ["rollback", "--if-serving", second])
    assert run.stdout == f"version {first} serves again; version {second} left\n", run.stderr
    assert registry.champion_version(settings) == first
    with pytest.raises(ModelError, match="promote VERSION"):
        registry.roll_back(settings)
    back, trial = ledger.decisions(create_engine(settings))
    assert (back["action"], back["version"], back["champion_before"]) == ("rollback", first, second)
    assert (trial["action"], trial["reason"]) == ("promote", "a trial")

    engine = create_engine(settings)
    with engine.begin() as connection:
        windows = [scored(CELL, step, LOW, LOW, first) for step in range(600)]
        upsert_windows(connection, [window_row(window, SUMS) for window in windows])
    seen = look(settings, engine)
    assert (seen.version, seen.live["scored"], seen.live["accuracy"]) == (first, 600 - HORIZON // WINDOW - 1, 1.0)
    assert [row["name"] for row in ledger.live_scores(engine, first, "place")] == [CELL]
    # The reference is of another world, and so is every feature.
    assert seen.verdict.drifted and seen.stability["ratio_now"] > 1
    run_id = registry.client(settings).get_model_version("congestion", first).run_id
    assert registry.client(settings).get_run(run_id).data.metrics["live_macro_f1"] == 1.0


def test_a_registry_that_does_not_answer_is_no_broken_version(tmp_path, monkeypatch):
    """Else the gate would promote over a champion that nobody could ask for."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    gone = Settings(home=tmp_path, mlflow_tracking_uri=f"http://127.0.0.1:{free_port()}", _env_file=None)
    with pytest.raises(RegistryError, match="does not answer"):
        registry.load_version(gone, "1")
