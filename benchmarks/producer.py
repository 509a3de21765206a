"""Our producer beside Kafka's own performance tool: the same records, settings and broker, in turns.

    ./traffic bench producer --events 500000 --rounds 3

Ours is the replay as it is: it reads Parquet, encodes JSON, keys by vehicle, waits for each confirmation and saves its
place each second. Kafka's tool sends the same values, read into memory before its clock starts, without a key.
"""

import argparse
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks import _events as sources
from benchmarks._world import World
from smartcity.errors import JobError, TrafficError
from smartcity.services import jars, java, kafka
from smartcity.settings import Settings
from smartcity.topics import VEHICLE_POSITIONS
from streaming.plan import make_plan, parser
from streaming.recording import Recording
from streaming.replay import Replay

TOOL = "org.apache.kafka.tools.ProducerPerformance"
#: Different values that Kafka's tool draws from.
PAYLOADS = 20_000
#: As ``streaming/sender.py`` sets them.
PROPERTIES = {
    "acks": "all",
    "enable.idempotence": "true",
    "linger.ms": "5",
    "batch.size": "262144",
    "compression.type": "lz4",
    "buffer.memory": "134217728",
}


@dataclass(frozen=True)
class Run:
    """Events a second, and processor time for one event, in microseconds."""

    rate: float
    cpu: float


def _cpu_seconds(whose: int) -> float:
    usage = resource.getrusage(whose)
    return usage.ru_utime + usage.ru_stime


def ours(world: World) -> Run:
    """A whole replay, its reading of the lake included."""
    options = parser().parse_args(["--as-recorded", "--speed", "max", "--restart"])
    recording = Recording(world.dataset.positions)
    plan = make_plan(options, world.dataset, recording)
    started, before = time.monotonic(), _cpu_seconds(resource.RUSAGE_SELF)
    events = Replay(world.settings, plan, recording, threading.Event()).run(restart=True)
    cpu = _cpu_seconds(resource.RUSAGE_SELF) - before
    return Run(events / (time.monotonic() - started), cpu / events * 1e6)


def theirs(world: World, payloads: Path, events: int) -> Run:
    """Kafka's tool: events a second as it says, processor time with its start."""
    settings = world.settings
    classpath = ":".join(str(jar) for jar in [*jars.broker_jars(settings), *jars.fetch(settings, jars.TOOLS)])
    properties = [f"{name}={value}" for name, value in PROPERTIES.items()]
    command = [
        *(str(java.java_home(settings) / "bin" / "java"), "-Xmx512m"),
        f"-Dlog4j2.configurationFile={kafka.embedded(settings).folder / 'log4j2.properties'}",
        *("-cp", classpath, TOOL, "--bootstrap-server", settings.kafka, "--topic", VEHICLE_POSITIONS.name),
        *("--num-records", str(events), "--payload-file", str(payloads), "--throughput", "-1"),
        *("--command-property", *properties),
    ]
    before = _cpu_seconds(resource.RUSAGE_CHILDREN)
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.findall(rf"^{events} records sent, ([\d.]+) records/sec", answer.stdout, re.MULTILINE)
    if answer.returncode or not found:
        raise JobError(f"{TOOL} failed: {(answer.stderr or answer.stdout).strip()[-500:]}")
    return Run(float(found[-1]), (_cpu_seconds(resource.RUSAGE_CHILDREN) - before) / events * 1e6)


def _median(runs: list[Run], name: str) -> float:
    return statistics.median(getattr(run, name) for run in runs)


def measure(settings: Settings, events: int, rounds: int) -> dict[str, object]:
    """Both in turns. Returns: named figures."""
    with tempfile.TemporaryDirectory(prefix="producer-") as name, World(Path(name), settings.jar_folder) as world:
        recorded = sources.positions(events, world.dataset.city)
        world.dataset.positions.write(recorded)
        values = [value for _, value in sources.messages(recorded.slice(0, PAYLOADS))]
        payloads = Path(name) / "payloads"
        payloads.write_bytes(b"\n".join(values))
        mine, other = [], []
        for _ in range(rounds):
            mine.append(ours(world))
            other.append(theirs(world, payloads, events))
    return {
        "benchmark": "producer",
        "events": events,
        "record_bytes": round(statistics.mean(map(len, values))),
        "ours_events_per_second": [round(run.rate) for run in mine],
        "kafka_events_per_second": [round(run.rate) for run in other],
        "ratio_of_medians": round(_median(mine, "rate") / _median(other, "rate"), 3),
        "ours_cpu_microseconds_per_event": round(_median(mine, "cpu"), 1),
        "kafka_cpu_microseconds_per_event": round(_median(other, "cpu"), 1),
        "load_average": round(os.getloadavg()[0], 1),
    }


def main() -> None:
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--events", type=int, default=500_000, help="events of each run")
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--json", action="store_true", help="one JSON object")
    options = arguments.parse_args()
    settings = Settings()
    try:
        jars.fetch(settings, jars.BROKER)
        figures = measure(settings, options.events, options.rounds)
    except TrafficError as error:
        sys.exit(f"producer: {error}")
    if options.json:
        print(json.dumps(figures))
    else:
        for key, value in figures.items():
            print(f"{key:32} {value}")


if __name__ == "__main__":
    main()
