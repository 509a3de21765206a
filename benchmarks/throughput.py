"""Sustained throughput: events of now at an even rate, and how far the stream lags behind them, second by second.

    ./traffic bench throughput --rate 20000 --seconds 600

By default on a broker, a stream and an API of its own; with ``--running`` on the platform that runs. The lag is bounded
where the last fifth of the time lags no further behind than the fifth before it, and by less than ten seconds' worth.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks._events import messages, positions
from benchmarks._watched import Watched
from benchmarks._world import World
from smartcity.errors import TrafficError
from smartcity.services import jars, processes, programs
from smartcity.settings import ROOT, Settings

WARM_UP_SECONDS = 30


@dataclass
class Load:
    """What one load did: figures of the time after the warm-up."""

    rate: int
    cells: int
    seconds: float
    read_per_second: float = 0.0
    lag_events: list[int] = field(default_factory=list)
    cores: dict[str, float] = field(default_factory=dict)
    memory_mb: dict[str, int] = field(default_factory=dict)
    batch_seconds: float = 0.0
    load_average: float = 0.0

    @property
    def bounded(self) -> bool:
        """Whether the stream keeps up."""
        fifth = max(len(self.lag_events) // 5, 1)
        last, before = self.lag_events[-fifth:], self.lag_events[-2 * fifth : -fifth] or self.lag_events[:1]
        return bool(
            self.lag_events
            and statistics.median(last) <= 1.2 * statistics.median(before) + self.rate
            and statistics.median(last) < 10 * self.rate
        )

    @property
    def cpu_microseconds_per_event(self) -> dict[str, float]:
        """Processor time of each service for one event that was taken in."""
        return {name: round(cores / max(self.read_per_second, 1) * 1e6, 1) for name, cores in self.cores.items()}

    def summary(self) -> dict[str, object]:
        """Named figures; the lag at twenty moments, evenly spaced."""
        step = max(len(self.lag_events) // 20, 1)
        return {
            "rate_events_per_second": self.rate,
            "cells": self.cells,
            "seconds": self.seconds,
            "read_events_per_second": round(self.read_per_second),
            "bounded": self.bounded,
            "lag_events_median": round(statistics.median(self.lag_events)) if self.lag_events else None,
            "lag_events_max": max(self.lag_events, default=None),
            "lag_events_over_time": self.lag_events[::step],
            "batch_seconds_median": self.batch_seconds,
            "cores": self.cores,
            "memory_mb": self.memory_mb,
            "cpu_microseconds_per_event": self.cpu_microseconds_per_event,
            "load_average": self.load_average,
        }


def _usage(settings: Settings) -> dict[str, tuple[float, int]]:
    """Processor seconds and bytes of memory of each service so far."""
    services: dict[str, list[psutil.Process]] = defaultdict(list)
    for process, service in processes.ours(settings).values():
        services[service.split("-")[0]].append(process)
    return {name: (_cpu_seconds(family), processes.memory_bytes(family)) for name, family in services.items()}


def _cpu_seconds(family: list[psutil.Process]) -> float:
    total = 0.0
    for process in family:
        with suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system
    return total


@contextmanager
def _firehose(watched: Watched, rate: int, cells: int) -> Iterator[None]:
    """Events come in while the context lasts."""
    settings = watched.settings
    command = [sys.executable, "-m", "benchmarks._firehose", "--rate", str(rate), "--cells", str(cells)]
    command += ["--kafka", settings.kafka, "--resolution", str(watched.dataset.city.h3_resolution)]
    marks = {programs.SERVICE_MARK: "firehose", programs.HOME_MARK: str(settings.home)}
    with subprocess.Popen(command, cwd=ROOT, env={**os.environ, **marks}) as process:
        try:
            yield
        finally:
            process.terminate()


def drive(watched: Watched, rate: int, cells: int, seconds: float) -> Load:
    """Put a load on a platform that runs, and measure after a warm-up. Raises: ServiceError where no broker answers."""
    load = Load(rate, cells, seconds)
    with _firehose(watched, rate, cells):
        time.sleep(WARM_UP_SECONDS)
        started, read = time.monotonic(), watched.read()
        before, batches = _usage(watched.settings), list[float]()
        while time.monotonic() - started < seconds:
            time.sleep(1.0)
            load.lag_events.append(watched.lag())
            batches.append(float(watched.figures()["batch_seconds"]))
        took, load.load_average = time.monotonic() - started, round(os.getloadavg()[0], 1)
        load.read_per_second = (watched.read() - read) / took
        load.batch_seconds = round(statistics.median(batches), 3)
        for name, (cpu, memory) in _usage(watched.settings).items():
            load.cores[name] = round((cpu - before.get(name, (0.0, 0))[0]) / took, 3)
            load.memory_mb[name] = memory // 2**20
    return load


def drive_alone(rate: int, cells: int, seconds: float) -> Load:
    """As ``drive``, on a broker, a stream and an API started for it."""
    settings = Settings()
    for pool in (jars.BROKER, jars.CONNECTOR):
        jars.fetch(settings, pool)
    with tempfile.TemporaryDirectory(prefix="load-") as name, World(Path(name) / "home", settings.jar_folder) as world:
        for service in ("stream", "api"):
            world.start(service)
        world.wait(world.stream_runs)
        world.produce(messages(positions(100, world.dataset.city)), 1_000)
        world.wait(lambda: world.read() > 0 and world.api_answers())
        return drive(world, rate, cells, seconds)


def main() -> None:
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--rate", type=int, default=20_000, help="events a second")
    arguments.add_argument("--cells", type=int, default=300, help="cells in which vehicles drive")
    arguments.add_argument("--seconds", type=float, default=600)
    arguments.add_argument("--running", action="store_true", help="the platform that runs; else one is started for it")
    arguments.add_argument("--json", action="store_true", help="one JSON object")
    options = arguments.parse_args()
    try:
        if options.running:
            load = drive(Watched(Settings()), options.rate, options.cells, options.seconds)
        else:
            load = drive_alone(options.rate, options.cells, options.seconds)
    except TrafficError as error:
        sys.exit(f"throughput: {error}")
    figures = {"benchmark": "throughput", **load.summary()}
    if options.json:
        print(json.dumps(figures))
    else:
        for key, value in figures.items():
            print(f"{key:32} {value}")
    if not load.bounded:
        sys.exit(f"throughput: the stream does not keep up with {options.rate} events/s")


if __name__ == "__main__":
    main()
