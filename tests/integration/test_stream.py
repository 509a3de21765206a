"""The stream against a real broker, and a plain count of the same events: equal, key by key, also after kill -9."""

import json
import os
import random
import signal
import time
from argparse import Namespace
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import h3
import mlflow
import numpy as np
import onnx
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from onnx import TensorProto, helper, numpy_helper

from benchmarks._events import from_tomorrow, poison
from benchmarks._oracle import MEASURES, differences, expected, stored
from smartcity import columns
from smartcity.events import encode_fields
from smartcity.features import FEATURE_NAMES
from smartcity.grid import CellGrid
from smartcity.hashing import file_sha256
from smartcity.lake import Dataset
from smartcity.levels import CLASSES, Level
from smartcity.messages import ScoredWindow
from smartcity.model import registry
from smartcity.model.forest import IR_VERSION, OPSET
from smartcity.model.inputs import INPUT_NAMES
from smartcity.model.serving import ServingModel
from smartcity.model.spec import CHANGE_FILE, LEVEL_FILE, PROFILE_FILE, SERVED_FILES, SPEC_FILE, ModelSpec
from smartcity.services import kafka
from smartcity.store.engine import create_all, create_engine
from smartcity.store.reader import progress, scored_windows
from smartcity.topics import DASHBOARD_EVENTS, VEHICLE_POSITIONS, VEHICLE_POSITIONS_REJECTED
from spark_jobs import features, windows
from spark_jobs.archive import run_archive
from spark_jobs.job import Span
from tests.integration.processes import broker, wait_for
from tests.integration.streams import consume, kill, log_of, metric, own_settings, produce, started
from tests.streaming.profiles import even_profile

pytestmark = pytest.mark.integration

START = datetime(2024, 3, 4, 12, 0, tzinfo=UTC)
#: Longer than the features look back.
SECONDS = 112 * 60
#: Sent when their windows are long closed.
LATE = [(f"late{number}", START - timedelta(hours=2, seconds=number), 40.72, -73.99, 10.0) for number in range(3)]


@pytest.fixture(scope="module")
def settings(tmp_path_factory, service_settings, broker_jars):
    """A broker, a data set and a database of this module's own: nobody else's events are counted here."""
    own = own_settings(tmp_path_factory.mktemp("stream"), service_settings.jars, spark_master="local[2]")
    own = own.model_copy(update={"mlflow_tracking_uri": f"sqlite:///{own.home}/mlflow.db"})
    with broker(own):
        kafka.create_topics(own)
        yield own
    mlflow.set_tracking_uri(None)


def fit_a_profile(dataset):
    """A profile whose places differ; of one of those that the events visit it knows nothing."""
    dataset.create(dataset.city)
    cells = sorted({h3.latlng_to_cell(*row[2:4], dataset.city.h3_resolution) for row in events()})[1:]
    chance = np.random.default_rng(1)
    even = even_profile(dataset.city, tuple(cells), START - timedelta(days=1))
    profile = replace(
        even,
        free_flow_mph=chance.uniform(25, 45, len(cells)),
        ratio_mean=chance.uniform(0.5, 0.9, len(cells)),
        weights=chance.uniform(0, 1, even.weights.shape),
        weighted_ratios=chance.uniform(0, 0.8, even.weighted_ratios.shape),
    )
    profile.save(dataset)
    return profile


def projection(targets, seed, offset):
    """A model whose outputs are random sums of all its inputs: no input can differ without them."""
    weights = np.random.default_rng(seed).normal(0, 0.002, (len(INPUT_NAMES), targets))
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["features", "weights"], ["sum"]),
            helper.make_node("Add", ["sum", "b"], ["values"]),
        ],
        "projection",
        [helper.make_tensor_value_info("features", TensorProto.DOUBLE, [None, len(INPUT_NAMES)])],
        [helper.make_tensor_value_info("values", TensorProto.DOUBLE, [None, targets])],
        [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(np.array(offset), "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def a_champion(settings, dataset, profile):
    """Register it, as a training does, and let it serve. Returns: the same version, loaded for the batch."""
    folder = settings.home / "version"
    folder.mkdir()
    (folder / LEVEL_FILE).write_bytes(projection(len(CLASSES), 3, 1.0))
    (folder / CHANGE_FILE).write_bytes(projection(1, 4, 0.0))
    (folder / PROFILE_FILE).write_bytes(profile.to_bytes())
    spec = ModelSpec(
        city=dataset.city,
        dataset=dataset.name,
        profile_id=profile.profile_id,
        sha256={name: file_sha256(folder / name) for name in SERVED_FILES},
    )
    (folder / SPEC_FILE).write_text(spec.model_dump_json())
    mlflow.set_tracking_uri(settings.mlflow)
    experiment = mlflow.create_experiment("stream", artifact_location=(settings.home / "artifacts").as_uri())
    with mlflow.start_run(experiment_id=experiment) as run:
        mlflow.log_artifacts(str(folder), "model")
    sha256 = file_sha256(folder / SPEC_FILE)
    made = registry.register(settings, run.info.run_id, f"{run.info.artifact_uri}/model", sha256, {"macro_f1": "0.5"})
    registry.record_decision(settings, made.version, True, "for this test")
    return ServingModel.load(folder, made.version)


def events():
    """Positions of 40 vehicles, one in five shuffled by up to three minutes."""
    chance = random.Random(7)
    rows = []
    for second in range(SECONDS):
        for vehicle in range(second % 60, 40, 60):
            moment = START + timedelta(seconds=second, microseconds=chance.randrange(1_000_000))
            at = (40.70 + chance.random() * 0.05, -74.01 + chance.random() * 0.05)
            delay = chance.randrange(180) if chance.random() < 0.2 else 0
            rows.append((second + delay, f"v{vehicle}", moment, *at, round(chance.random() * 60, 2)))
    return [row[1:] for row in sorted(rows)]


def as_table(rows):
    names = ("vehicle_id", "timestamp_utc", "latitude", "longitude", "speed_mph")
    return pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))


def batch_of(spark, dataset, rows):
    """Features of the same positions by the nightly jobs: (cell, window) by row, and the rows."""
    vehicle, moment, latitude, longitude, speed = zip(*rows, strict=True)
    positions = {
        "vehicle_id": vehicle,
        "trip_id": pa.nulls(len(rows), pa.string()),
        "timestamp_utc": pa.array(moment, columns.UTC_TIMESTAMP),
        "latitude": latitude,
        "longitude": longitude,
        "speed_mph": speed,
        "cell_id": CellGrid.of(dataset.city).cells(np.array(latitude), np.array(longitude)),
        "date": [START.date()] * len(rows),
    }
    dataset.positions.write(pa.table(positions))
    options = Namespace(refit_profile=False)
    windows.job(spark, dataset, Span(), options)
    features.job(spark, dataset, Span(), options)
    made = dataset.features.read()
    # Live ends with the newest event, a day of the batch at midnight.
    newest = max(dataset.windows.read()["window_start_utc"].to_pylist())
    made = made.filter(pc.less_equal(made["window_start_utc"], pa.scalar(newest, columns.UTC_TIMESTAMP)))
    return made


def assert_scored_alike(live, made, model):
    """The same keys; and sums over all features, so the features too, within 1e-9 each."""
    keys = list(zip(made["cell_id"].to_pylist(), made["window_start_utc"].to_pylist(), strict=True))
    assert {(window.cell_id, window.window_start_utc) for window in live} == set(keys)
    by_key = {(window.cell_id, window.window_start_utc): window for window in live}
    given = np.column_stack([made[name].to_numpy() for name in FEATURE_NAMES])
    forecasts = [by_key[key].forecast for key in keys]
    assert {forecast.model_version for forecast in forecasts} == {model.version}
    shares = np.array([[f.probability_low, f.probability_medium, f.probability_high] for f in forecasts])
    # The weights are 0.002: a feature that is off by 1e-9 moves a sum by 2e-12.
    np.testing.assert_allclose(shares, model.probabilities(given), rtol=0, atol=2e-12)
    ratio, free_flow = made["ratio_now"].to_numpy(), made["cell_free_flow_mph"].to_numpy()
    speeds = np.maximum(ratio + model.ratio_change(given), 0) * free_flow
    np.testing.assert_allclose([f.expected_speed_mph for f in forecasts], speeds, rtol=0, atol=1e-10)
    np.testing.assert_allclose([by_key[key].ratio for key in keys], ratio, rtol=0, atol=1e-12)
    known = [by_key[key].level is not Level.UNKNOWN for key in keys]
    assert known == made["known_now"].to_pylist() and any(known) and not all(known)


def assert_archived(spark, dataset, rows, engine):
    """Positions made from the archive give the stream's windows; each event is there once, whatever was killed.

    Late events are there too, in windows that the stream had closed.
    """
    figures = run_archive(spark, dataset, Span())
    assert (figures.rows_kept, figures.rows_duplicate) == (len(rows) + len(LATE), 0)
    found = dataset.positions.read()
    is_late = pc.starts_with(found["vehicle_id"], "late")
    assert sorted(found.filter(is_late)["vehicle_id"].to_pylist()) == [row[0] for row in LATE]
    assert not differences(expected(found.filter(pc.invert(is_late)), dataset.city), stored(engine))
    windows.job(spark, dataset, Span(), Namespace())
    counted = {
        (row["cell_id"], row["window_start_utc"]): tuple(row[name] for name in MEASURES)
        for row in dataset.windows.read().to_pylist()
        if row["window_start_utc"] >= START
    }
    assert not differences(counted, stored(engine))
    assert run_archive(spark, dataset, Span()).files == 0, "a day is taken once"


def test_the_database_equals_a_plain_count_and_the_batch_also_after_the_stream_was_killed(settings, spark):
    dataset, engine = Dataset.of(settings), create_engine(settings)
    # The file is there before its tables are: who asks between the two finds none.
    create_all(engine)
    model = a_champion(settings, dataset, fit_a_profile(dataset))
    rows, log = events(), log_of(settings, "streaming.stream")
    messages = [(row[0].encode(), encode_fields(*row, None)) for row in rows]
    broken = poison()
    for number, (payload, _) in enumerate(broken):
        messages.insert(number * len(messages) // len(broken), (b"poison", payload))
    # Were it believed, the watermark would drop all that comes after it.
    messages.insert(len(messages) // 4, from_tomorrow())
    reasons = sorted([reason for _, reason in broken] + ["from_the_future"])
    half = len(messages) // 2

    def read(query):
        found = progress(engine).get(query)
        return found["total_read"] if found else 0

    with started(settings, "streaming.stream") as process:
        produce(settings, messages[:half])
        wait_for(lambda: read("windows") > 0, process, log)
        # In its stride: events keep coming while it is killed, so that a batch is under way.
        produce(settings, messages[half : half + 300])
        time.sleep(1.0)
        kill(process)
    produce(settings, messages[half + 300 :])
    with started(settings, "streaming.stream") as process:
        wait_for(lambda: read("windows") == read("rejected") == len(messages), process, log)
        messages += [(row[0].encode(), encode_fields(*row, None)) for row in LATE]
        produce(settings, messages[-len(LATE) :])
        wait_for(lambda: read("windows") == read("rejected") == len(messages), process, log)
        # Late ones break no rule: the windows' query said so, and the other one took its word.
        read_twice = metric(settings, 'traffic_stream_events_total{query="rejected"}')
        assert metric(settings, "traffic_stream_judged_again_total") == read_twice - len(LATE)
        os.killpg(process.pid, signal.SIGTERM)
        assert process.wait(60) == 0

    assert not differences(stored(engine), expected(as_table(rows), dataset.city))
    figures = progress(engine)["windows"]
    counts = tuple(figures[name] for name in ("total_read", "total_good", "total_rejected", "total_late"))
    assert counts == (len(messages), len(rows), len(reasons), len(LATE))
    assert figures["model_version"] == model.version
    assert_archived(spark, dataset, rows, engine)
    made = batch_of(spark, dataset, rows)
    assert_scored_alike(scored_windows(engine, START - timedelta(days=1)), made, model)

    told = {key: json.loads(value) for key, value in consume(settings, VEHICLE_POSITIONS_REJECTED.name)}
    assert sorted(message["reason"] for message in told.values()) == reasons
    last = {}
    for key, value in consume(settings, DASHBOARD_EVENTS.name):
        window = ScoredWindow.model_validate_json(value)
        assert key.decode() == window.cell_id
        last[window.cell_id, window.window_start_utc] = window
    for window in scored_windows(engine, START - timedelta(days=1)):
        said = last[window.cell_id, window.window_start_utc]
        assert (said.position_count, said.level, said.forecast) == (
            window.position_count,
            window.level,
            window.forecast,
        )


def test_a_checkpoint_of_another_state_is_refused_by_the_stream(settings):
    definition = settings.home / "checkpoints" / "windows-city" / "definition.json"
    content = definition.read_text()
    definition.write_text(content.replace('"window_minutes": 2', '"window_minutes": 5'))
    try:
        with started(settings, "streaming.stream") as process:
            assert process.wait(120) == 1
        assert "--rebuild" in log_of(settings, "streaming.stream").read_text()[-2000:]
    finally:
        definition.write_text(content)


def test_a_replay_killed_and_started_again_sends_each_position_once(settings):
    dataset = Dataset.of(settings, "recorded")
    dataset.create(dataset.city)
    day = START.date()
    positions = [
        {
            "vehicle_id": f"r{vehicle}",
            "trip_id": f"t{vehicle}",
            "timestamp_utc": START + timedelta(seconds=second),
            "latitude": 40.72,
            "longitude": -73.99,
            "speed_mph": 12.5,
            "cell_id": "882a100d65fffff",
            "date": day,
        }
        for second in range(600)
        for vehicle in range(50)
    ]
    dataset.positions.write(pa.Table.from_pylist(positions, columns.POSITIONS))
    before = len(consume(settings, VEHICLE_POSITIONS.name))
    arguments = ("--dataset", "recorded", "--as-recorded", "--speed", "max", "--max-rate", "4000")
    log = log_of(settings, "streaming.replay")
    for _ in range(3):
        with started(settings, "streaming.replay", *arguments) as process:
            at_start = len(consume(settings, VEHICLE_POSITIONS.name))
            wait_for(lambda: len(consume(settings, VEHICLE_POSITIONS.name)) > at_start + 500, process, log)  # noqa: B023
            kill(process)
    with started(settings, "streaming.replay", *arguments) as process:
        assert process.wait(300) == 0, log.read_text()[-2000:]
    sent = [value for _, value in consume(settings, VEHICLE_POSITIONS.name) if value.startswith(b'{"vehicle_id":"r')]
    mine = [(event["vehicle_id"], event["timestamp"]) for event in map(json.loads, sent)]
    assert len(mine) == len(set(mine)) == len(positions)
    assert len(consume(settings, VEHICLE_POSITIONS.name)) == before + len(positions)
