"""Our producer beside Kafka's own performance tool: the same records, settings and broker, in turns.

    ./traffic bench producer --events 500000 --rounds 3

Ours is the replay as it is: it reads Parquet, encodes JSON, keys by vehicle, waits for each confirmation and saves its
place each second. Kafka's tool sends the same values, read into memory before its clock starts, without a key.
"""

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
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


def ours(world: World) -> float:
    """Events a second of a whole replay, its reading of the lake included."""
    options = parser().parse_args(["--as-recorded", "--speed", "max", "--restart"])
    recording = Recording(world.dataset.positions)
    plan = make_plan(options, world.dataset, recording)
    started = time.monotonic()
    events = Replay(world.settings, plan, recording, threading.Event()).run(restart=True)
    return events / (time.monotonic() - started)


def theirs(world: World, payloads: Path, events: int) -> float:
    """Events a second, as Kafka's tool says."""
    settings = world.settings
    classpath = ":".join(str(jar) for jar in [*jars.broker_jars(settings), *jars.fetch(settings, jars.TOOLS)])
    properties = [f"{name}={value}" for name, value in PROPERTIES.items()]
    command = [
        *(str(java.java_home(settings) / "bin" / "java"), "-Xmx512m"),
        f"-Dlog4j2.configurationFile={kafka.folder(settings) / 'log4j2.properties'}",
        *("-cp", classpath, TOOL, "--bootstrap-server", settings.kafka, "--topic", VEHICLE_POSITIONS.name),
        *("--num-records", str(events), "--payload-file", str(payloads), "--throughput", "-1"),
        *("--command-property", *properties),
    ]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.findall(rf"^{events} records sent, ([\d.]+) records/sec", answer.stdout, re.MULTILINE)
    if answer.returncode or not found:
        raise JobError(f"{TOOL} failed: {(answer.stderr or answer.stdout).strip()[-500:]}")
    return float(found[-1])


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
        "ours_events_per_second": [round(rate) for rate in mine],
        "kafka_events_per_second": [round(rate) for rate in other],
        "ratio_of_medians": round(statistics.median(mine) / statistics.median(other), 3),
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
