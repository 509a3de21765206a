"""The nightly batch side by side with DuckDB and Polars: files to features, on the same files, to the same windows.

    ./traffic bench batch [--trips 1m,4m,10m] [--rounds 3] [--next-day] [--json]

Every version runs as a process of its own, in turn, ``--rounds`` times; figures are medians. Ours is what ``traffic
ingest trips`` runs, into a lake of its own; the peers (``batch_duckdb``, ``batch_polars``) know these files' layout
beforehand, keep no manifest and compute fewer features. Time is from start to exit; memory is the peak of all
processes of a version together.
"""

import argparse
import json
import os
import re
import shutil
import statistics
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table as Grid

from benchmarks.batch_compare import differences, read_windows
from benchmarks.batch_measure import Measured, folder_bytes, measure, read_seconds
from smartcity.city import City
from smartcity.errors import InputError, TrafficError
from smartcity.generator.request import Request
from smartcity.generator.run import generate
from smartcity.lake import Dataset
from smartcity.services import java
from smartcity.settings import ROOT, Settings

TRIPS_PER_DAY = 400_000
#: Before anything is measured each version runs once on so many: libraries and class archives are then in place.
WARM_UP_TRIPS = 20_000
#: Times that the next day is taken in. The first follows at once on the whole run, whose output the kernel still holds.
NEXT_DAYS = 5
START, SEED = date(2016, 1, 1), 1
DATASET = "bench"
OURS = "ours"
PEERS = ("duckdb", "polars")
GIB = 1 << 30


@dataclass(frozen=True)
class Run:
    """One version's run: what it took, the seconds of each of its stages, and the size of what it wrote."""

    measured: Measured
    stage_seconds: dict[str, float]
    output_bytes: int


def request(trips: int, city: City, kind: str) -> Request:
    """Files of about this many trips, at a real city's 400,000 a day."""
    days = max(1, round(trips / TRIPS_PER_DAY))
    per_day = -(-trips // days)
    return Request(city=city, seed=SEED, start=START, days=days, trips_per_day=per_day, format=kind, with_probes=False)


def next_day(wanted: Request) -> Request:
    """One more day of the same city."""
    return wanted.model_copy(update={"start": wanted.start + timedelta(days=wanted.days), "days": 1})


def count(text: str) -> int:
    """``4m`` and ``400k`` as numbers. Raises: InputError for anything else."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([km]?)", text.strip().lower())
    if match is None or float(match[1]) <= 0:
        raise InputError(f"--trips {text}: numbers such as 400k, 1m, 10m, separated by commas, are needed")
    return round(float(match[1]) * {"": 1, "k": 1_000, "m": 1_000_000}[match[2]])


def input_files(home: Path, wanted: Request) -> list[Path]:
    """The trip files of a request, made once."""
    folder = home / f"input-{wanted.start}-{wanted.days}x{wanted.trips_per_day}-{wanted.format}"
    made = generate(wanted, folder)
    return [folder / name for name in made.files if name.startswith("trips/")]


def _command(version: str, out: Path, files: list[Path]) -> tuple[list[str], dict[str, str]]:
    """What to run, and the settings it needs beside this process's own."""
    names = [str(path) for path in files]
    if version != OURS:
        return [sys.executable, "-m", f"benchmarks.batch_{version}", "--out", str(out), *names], {}
    command = [sys.executable, "-m", "spark_jobs.pipeline", "trips", "--dataset", DATASET, *names]
    # The home stays from run to run, as on any machine that does this every night: Java's class archives live there.
    home = {"TRAFFIC_HOME": str(out.with_name("home")), "TRAFFIC_LAKE": str(out / "lake")}
    return command, {**home, **java.environment(Settings())}


def run_once(version: str, home: Path, files: list[Path], *, fresh: bool = True) -> Run:
    """Run a version, into a fresh folder or, where not ``fresh``, into what its last run made."""
    out = home / f"out-{version}"
    if fresh:
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
    os.sync()
    command, more = _command(version, out, files)
    measured = measure(command, {**os.environ, **more}, ROOT, home / f"{version}.log")
    lines = [json.loads(line) for line in measured.output.splitlines() if line.startswith('{"stage"')]
    seconds = {line["stage"]: line["seconds"] for line in lines if "seconds" in line}
    return Run(measured, seconds, folder_bytes(out))


def windows_of(version: str, home: Path) -> Any:
    """The windows that a version's last run made."""
    out = home / f"out-{version}"
    if version != OURS:
        return read_windows(out / "windows")
    return Dataset(str(out / "lake"), DATASET, Settings().city).windows.read()


def figures(runs: Mapping[str, list[Run]], trips: int) -> dict[str, Any]:
    """Medians by version, units in the names."""
    found: dict[str, Any] = {}
    for version, all_runs in runs.items():
        middle: Callable[[Callable[[Run], float]], float] = lambda of, rows=all_runs: statistics.median(map(of, rows))  # noqa: E731
        found[f"{version}_wall_seconds"] = round(middle(lambda run: run.measured.wall_seconds), 2)
        found[f"{version}_wall_seconds_all"] = [round(run.measured.wall_seconds, 2) for run in all_runs]
        found[f"{version}_cpu_seconds"] = round(middle(lambda run: run.measured.cpu_seconds), 2)
        found[f"{version}_peak_memory_gib"] = round(middle(lambda run: run.measured.peak_memory_bytes) / GIB, 2)
        found[f"{version}_output_bytes"] = int(middle(lambda run: run.output_bytes))
        found[f"{version}_microseconds_per_trip"] = round(found[f"{version}_wall_seconds"] / trips * 1e6, 2)
        for stage in all_runs[0].stage_seconds:
            seconds = [run.stage_seconds[stage] for run in all_runs if stage in run.stage_seconds]
            found[f"{version}_{stage}_seconds"] = round(statistics.median(seconds), 2)
        if version != OURS and OURS in runs:
            for what in ("wall_seconds", "cpu_seconds", "peak_memory_gib"):
                ratio = found[f"{OURS}_{what}"] / max(found[f"{version}_{what}"], 1e-9)
                found[f"ours_to_{version}_{what.rsplit('_', 1)[0]}_ratio"] = round(ratio, 3)
    return found


def one_more_day(home: Path, wanted: Request, whole_seconds: float) -> dict[str, Any]:
    """What it costs to take in the next day: medians of ``NEXT_DAYS`` runs, each into the lake of our last run."""
    files = input_files(home, next_day(wanted))
    before, out = home / f"before-{OURS}", home / f"out-{OURS}"
    shutil.rmtree(before, ignore_errors=True)
    out.rename(before)
    runs = []
    for _ in range(NEXT_DAYS):
        shutil.rmtree(out, ignore_errors=True)
        # A lake's files are put in place whole and never written to again, so links are as good as copies.
        shutil.copytree(before, out, copy_function=os.link)
        runs.append(run_once(OURS, home, files, fresh=False))
    shutil.rmtree(before)
    wall = statistics.median(run.measured.wall_seconds for run in runs)
    return {
        "next_day_seconds": round(wall, 2),
        "next_day_seconds_all": [round(run.measured.wall_seconds, 2) for run in runs],
        "next_day_share": round(wall / whole_seconds, 4),
        "next_day_cpu_seconds": round(statistics.median(run.measured.cpu_seconds for run in runs), 2),
        **{
            f"next_day_{stage}_seconds": round(statistics.median(run.stage_seconds[stage] for run in runs), 2)
            for stage in runs[0].stage_seconds
        },
    }


def measure_size(home: Path, trips: int, versions: tuple[str, ...], options: argparse.Namespace, say: Console) -> dict:
    """All versions at one size. Raises: TrafficError where their windows differ."""
    kind, rounds = options.format, options.rounds
    wanted = request(trips, Settings().city, kind)
    say.print(f"{wanted.days} days of {wanted.trips_per_day:,} trips: making or checking the files")
    files = input_files(home, wanted)
    read_seconds(files)
    found: dict[str, Any] = {
        "trips": wanted.days * wanted.trips_per_day,
        "days": wanted.days,
        "input_format": kind,
        "input_bytes": sum(path.stat().st_size for path in files),
        "read_floor_seconds": round(read_seconds(files), 3),
        "rounds": rounds,
    }
    runs: dict[str, list[Run]] = {version: [] for version in versions}
    for number in range(rounds):
        for version in versions:
            runs[version].append(run_once(version, home, files))
            taken = runs[version][-1].measured
            say.print(
                f"  round {number + 1}: {version} {taken.wall_seconds:.1f} s, {taken.cpu_seconds:.1f} CPU s, "
                f"{taken.peak_memory_bytes / GIB:.2f} GiB"
            )
    found |= figures(runs, found["trips"])
    if OURS in versions:
        ours = windows_of(OURS, home)
        found["windows"] = ours.num_rows
        for version in versions:
            if version != OURS and (unequal := differences(ours, windows_of(version, home))):
                raise TrafficError(f"the windows of {version} are not ours: {'; '.join(unequal)}")
        if len(versions) > 1:
            found["windows_equal"] = True
        if options.next_day:
            found |= one_more_day(home, wanted, found["ours_wall_seconds"])
    for version in versions:
        shutil.rmtree(home / f"out-{version}")
    return found


def _print(sizes: list[dict[str, Any]], versions: tuple[str, ...], console: Console) -> None:
    grid = Grid(
        "trips", "version", "wall s", "CPU s", "peak GiB", "output MB", "µs/trip", "ours / its wall", "stages, s"
    )
    for size in sizes:
        for version in versions:
            stages = {
                name.removeprefix(f"{version}_").removesuffix("_seconds"): value
                for name, value in size.items()
                if name.startswith(f"{version}_")
                and name.endswith("_seconds")
                and not name.endswith(("_wall_seconds", "_cpu_seconds"))
            }
            grid.add_row(
                f"{size['trips']:,}",
                version,
                *(f"{size[f'{version}_{what}']:.2f}" for what in ("wall_seconds", "cpu_seconds", "peak_memory_gib")),
                f"{size[f'{version}_output_bytes'] / 1e6:,.0f}",
                f"{size[f'{version}_microseconds_per_trip']:.2f}",
                str(size.get(f"ours_to_{version}_wall_ratio", "")),
                " ".join(f"{stage} {seconds:.1f}" for stage, seconds in stages.items()),
            )
        read = f"read {size['read_floor_seconds']:.2f}"
        if "next_day_seconds" in size:
            grid.add_row("", "one more day", f"{size['next_day_seconds']:.2f}", *[""] * 6)
        grid.add_row("", "plain read", read.removeprefix("read "), *[""] * 6, end_section=True)
    console.print(grid)


def main() -> None:
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--trips", default="1m,4m", help="sizes, e.g. 400k,1m,10m,46m; default: 1m,4m")
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--versions", default=",".join((OURS, *PEERS)), help="which to run; default: all")
    arguments.add_argument("--format", choices=["csv", "parquet"], default="csv", help="of the trip files")
    arguments.add_argument("--next-day", action="store_true", help="then one more day, into our last lake")
    arguments.add_argument("--json", action="store_true", help="one JSON object")
    options = arguments.parse_args()
    console = Console(stderr=True, highlight=False)
    home = Settings().home / "bench"
    try:
        versions = tuple(options.versions.split(","))
        if unknown := set(versions) - {OURS, *PEERS}:
            raise InputError(
                f"--versions: there is no {', '.join(sorted(unknown))}; there are: {OURS}, {', '.join(PEERS)}"
            )
        if options.format != "csv" and set(versions) - {OURS}:
            raise InputError("--format parquet: the peers read CSV; pass --versions ours")
        warm_up = input_files(home, request(WARM_UP_TRIPS, Settings().city, options.format))
        for version in versions:
            console.print(f"warming up: {version}")
            run_once(version, home, warm_up)
        sizes = [
            measure_size(home, trips, versions, options, console) for trips in map(count, options.trips.split(","))
        ]
    except TrafficError as error:
        sys.exit(f"batch: {error}")
    if options.json:
        print(json.dumps({"benchmark": "batch", "cores": len(os.sched_getaffinity(0)), "sizes": sizes}))
    else:
        wide = Console()
        _print(sizes, versions, wide if wide.is_terminal else Console(width=170))


if __name__ == "__main__":
    main()
