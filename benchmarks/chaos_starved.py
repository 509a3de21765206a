"""Scenarios that take away what the stream needs: room on its disk, and a registry with a sound model."""

import shutil
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import make_url

from benchmarks import _events as sources
from benchmarks._world import World
from benchmarks.chaos_scenarios import Outcome, Request, judge
from smartcity.errors import ServiceError
from smartcity.model.registry import CHAMPION
from smartcity.model.registry import client as registry_client
from smartcity.model.spec import MODEL_NAME

if TYPE_CHECKING:
    from mlflow import MlflowClient

#: Enough for the checkpoint and the database of a scenario.
DISK = "128m"
FULL_SECONDS = 10.0


def full_disk(request: Request) -> Outcome:
    """The disk of checkpoint and database fills up while events come in, and is freed again."""
    outcome = Outcome("disk")
    small = request.folder / "disk" / "small"
    small.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "none", str(small)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        outcome.note = f"skipped: no small disk can be mounted here ({mounted.stderr.strip()})"
        return outcome
    try:
        with World(small.parent, request.jars) as world:
            _move_to(small, world)
            good = sources.positions(request.events, world.dataset.city)
            sent = sources.messages(good)
            third = len(sent) // 3
            world.start("stream")
            world.produce(sent[:third], request.rate)
            world.wait(lambda: world.read() == third)
            ballast = small / "ballast"
            with suppress(OSError), ballast.open("wb", buffering=0) as output:
                while True:
                    output.write(bytes(1 << 16))
            world.produce(sent[third : 2 * third], request.rate)
            with suppress(ServiceError):
                world.wait(lambda: False, FULL_SECONDS)
            if world.read() == (known := world.in_topic()):
                outcome.problems.append("the full disk did not stop the stream: nothing was tried")
            started = time.monotonic()
            ballast.unlink()
            world.wait(lambda: world.read() >= known)
            outcome.recovered(started)
            world.produce(sent[2 * third :], request.rate)
            outcome.note = f"the stream was started anew {world.revived} times"
            return judge(world, outcome, good)
    finally:
        subprocess.run(["umount", "-l", str(small)], check=False)


def _move_to(disk: Path, world: World) -> None:
    """Checkpoints and database lie on ``disk`` from now on."""
    (disk / "checkpoints").mkdir()
    (world.home / "checkpoints").symlink_to(disk / "checkpoints")
    world.engine.dispose()
    file = Path(make_url(world.settings.database).database or "")
    shutil.move(file, disk / file.name)
    file.symlink_to(disk / file.name)


def registry(request: Request) -> Outcome:
    """No registry at the start; then one whose champion is no model; then that one is killed."""
    outcome = Outcome("registry")
    with World(request.folder / "registry", request.jars) as world:
        good = sources.positions(request.events, world.dataset.city)
        sent = sources.messages(good)
        third = len(sent) // 3
        log = world.home / "stream.log"
        world.start("stream")
        world.produce(sent[:third], request.rate)
        world.wait(lambda: world.read() > 0)
        world.start("registry")
        client = registry_client(world.settings)
        world.wait(lambda: _promote_no_model(client, world.home))
        world.produce(sent[third : 2 * third], request.rate)
        world.wait(lambda: "is not ours" in log.read_text(), 60)
        known, started = world.in_topic(), time.monotonic()
        world.kill("registry")
        outcome.kills = 1
        world.produce(sent[2 * third : 2 * third + request.rate], request.rate)
        world.wait(lambda: world.read() >= known + request.rate)
        outcome.recovered(started)
        world.produce(sent[2 * third + request.rate :], request.rate)
        return judge(world, outcome, good)


def _promote_no_model(client: "MlflowClient", folder: Path) -> bool:
    """Register a version that is no model, and make it the champion. Returns: whether the registry took it."""
    from mlflow import MlflowException

    note = folder / "notes.txt"
    note.write_text("not a model")
    with suppress(MlflowException):
        run = client.create_run(client.create_experiment(f"no-model-{time.time()}"))
        client.log_artifact(run.info.run_id, str(note), "model")
        client.create_registered_model(MODEL_NAME)
        version = client.create_model_version(MODEL_NAME, f"{run.info.artifact_uri}/model", run.info.run_id)
        client.set_registered_model_alias(MODEL_NAME, CHAMPION, version.version)
        return True
    return False
