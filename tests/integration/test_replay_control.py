"""A replay that is paused, moved and sped up while it is killed again and again sends each of its positions once."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from smartcity import columns
from smartcity.lake import Dataset
from smartcity.services import kafka
from smartcity.store.engine import create_engine
from smartcity.store.replay import PAUSE, RESUME, SEEK, SPEED, ask, replay_row
from smartcity.topics import VEHICLE_POSITIONS
from tests.integration.processes import broker, wait_for
from tests.integration.streams import consume, kill, log_of, own_settings, started

pytestmark = pytest.mark.integration

START = datetime(2024, 3, 4, 12, 0, tzinfo=UTC)
SECONDS, VEHICLES = 1200, 20
REPLAY = "streaming.replay"


@pytest.fixture(scope="module")
def settings(tmp_path_factory, service_settings, broker_jars):
    own = own_settings(tmp_path_factory.mktemp("replay"), service_settings.jars)
    with broker(own):
        kafka.create_topics(own)
        yield own


def test_wishes_outlive_kills_and_nothing_is_sent_twice(settings):
    dataset = Dataset.of(settings)
    dataset.create(dataset.city)
    positions = [
        {
            "vehicle_id": f"v{vehicle}",
            "timestamp_utc": START + timedelta(seconds=second),
            "latitude": 40.72,
            "longitude": -73.99,
            "speed_mph": 12.5,
            "cell_id": "882a100d65fffff",
            "date": START.date(),
        }
        for second in range(SECONDS)
        for vehicle in range(VEHICLES)
    ]
    dataset.positions.write(pa.Table.from_pylist(positions, columns.POSITIONS))
    engine, log = create_engine(settings), log_of(settings, REPLAY)
    arguments = ("--as-recorded", "--from", "2024-03-04T07:00", "--to", "2024-03-04T07:20", "--speed", "20")

    def state():
        row = replay_row(engine)
        return row and (row["state"], row["speed"], row["done_number"] == row["wish_number"])

    def sent():
        return len(consume(settings, VEHICLE_POSITIONS.name))

    def wish(action, **how):
        ask(engine, action, dataset.city.zone, **how)

    with started(settings, REPLAY, *arguments) as process:
        wait_for(lambda: sent() > 500, process, log)
        wish(PAUSE)
        wait_for(lambda: state() == ("paused", 20.0, True), process, log)
        kill(process)
    at_pause = sent()
    # Wished while nobody runs: carried out by whoever starts next, still paused.
    wish(SPEED, speed=40.0)
    with started(settings, REPLAY, *arguments) as process:
        wait_for(lambda: state() == ("paused", 40.0, True), process, log)
        assert sent() == at_pause, "a replay that was killed while it was paused is paused"
        wish(RESUME)
        wait_for(lambda: sent() > at_pause + 500, process, log)
        kill(process)
    skipped_from = max(json.loads(value)["timestamp"] for _, value in consume(settings, VEHICLE_POSITIONS.name))
    target = START + timedelta(seconds=SECONDS - 60)
    wish(SEEK, to=target)
    with started(settings, REPLAY, *arguments) as process:
        assert process.wait(120) == 0, log.read_text()[-2000:]

    events = [json.loads(value) for _, value in consume(settings, VEHICLE_POSITIONS.name)]
    times = Counter(event["timestamp"] for event in events)
    recorded = {(START + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%SZ") for second in range(SECONDS)}
    assert set(times) <= recorded
    whole = {moment for moment, count in times.items() if count == VEHICLES}
    # Where it was killed before the seek, a moment may have gone out in part; no vehicle is ever there twice.
    assert len({(event["vehicle_id"], event["timestamp"]) for event in events}) == len(events)
    assert set(times) - whole <= {skipped_from}
    before = {moment for moment in recorded if moment < skipped_from}
    after = {moment for moment in recorded if moment >= target.strftime("%Y-%m-%dT%H:%M:%SZ")}
    assert whole - {skipped_from} == before | after
    assert state()[0] == "ended"
