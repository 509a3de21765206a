import json

import pytest

from smartcity.city import City
from streaming.checkpoint import Checkpoint, CheckpointError, count_between, definition

TOPIC = "vehicle_positions"


@pytest.fixture
def checkpoint(tmp_path):
    return Checkpoint(tmp_path / "windows", TOPIC)


def plan_batch(checkpoint, batch_id, offsets):
    folder = checkpoint.folder / "offsets"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / str(batch_id)).write_text(f'v1\n{{"batchWatermarkMs":0}}\n{json.dumps({TOPIC: offsets})}')


def test_a_new_folder_is_claimed_and_then_recognised(checkpoint):
    wanted = definition(City(), TOPIC, 2)
    checkpoint.prepare(wanted)
    plan_batch(checkpoint, 0, {"0": 5})
    checkpoint.prepare(wanted)


def test_another_state_is_refused_with_the_command_that_rebuilds_it(checkpoint):
    checkpoint.prepare(definition(City(), TOPIC, 2))
    plan_batch(checkpoint, 0, {"0": 5})
    with pytest.raises(CheckpointError, match=r"window_minutes 2 → 5.*--rebuild"):
        checkpoint.prepare(definition(City(window_minutes=5), TOPIC, 2))


def test_a_checkpoint_without_a_definition_is_refused(checkpoint):
    plan_batch(checkpoint, 0, {"0": 5})
    with pytest.raises(CheckpointError, match="--rebuild"):
        checkpoint.prepare(definition(City(), TOPIC, 2))


def test_a_claim_that_holds_is_not_written_again_as_a_full_disk_would_leave_it_empty(checkpoint):
    wanted = definition(City(), TOPIC, 2)
    checkpoint.prepare(wanted)
    plan_batch(checkpoint, 0, {"0": 5})
    (file,) = checkpoint.folder.glob("definition.json")
    as_it_was = json.dumps(wanted)
    file.write_text(as_it_was)
    checkpoint.prepare(wanted)
    assert file.read_text() == as_it_was


def test_a_claim_before_the_first_batch_may_be_changed(checkpoint):
    checkpoint.prepare(definition(City(), TOPIC, 2))
    checkpoint.prepare(definition(City(window_minutes=5), TOPIC, 2))


def test_a_batch_holds_what_lies_between_its_offsets(checkpoint):
    initial = checkpoint.folder / "sources" / "0"
    initial.mkdir(parents=True)
    (initial / "0").write_bytes(b"\0v1\n" + json.dumps({TOPIC: {"0": 100, "1": 0}}).encode())
    plan_batch(checkpoint, 0, {"0": 110, "1": 5})
    plan_batch(checkpoint, 1, {"0": 110, "1": 9, "2": 3})
    sizes = [count_between(checkpoint.start_offsets(batch), checkpoint.offsets(batch)) for batch in (0, 1)]
    assert sizes == [15, 7]


def test_a_rebuilt_checkpoint_is_fresh_and_remembers_that_it_was_rebuilt(checkpoint):
    plan_batch(checkpoint, 0, {"0": 5})
    assert (checkpoint.is_fresh, checkpoint.is_rebuilt) == (False, False)
    checkpoint.rebuild()
    plan_batch(checkpoint, 0, {"0": 5})
    assert (checkpoint.is_fresh, checkpoint.is_rebuilt) == (False, True)
