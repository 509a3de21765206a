"""How good the forecasts are: data sets made, ingested and evaluated, each model beside persistence.

    ./traffic bench forecasts [--days 14] [--trips-per-day 30000] [--seed 7] [--only gps,trips,sensors]

``gps`` and ``trips`` are one generated city, as its vehicles' GPS feed and as its taxi records. ``sensors`` is a table
of road sensors, 5 minutes apart, for half as many days again: the true speeds of a finer city's places, with 4 % of
noise in each reading. What is measured is what ``./traffic evaluate`` prints, on the last fifth of the days; only a
generated city has a true level, and *repeated* is who knows it now and repeats it. Three minutes for each data set.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import h3
import numpy as np
import pandas as pd

from smartcity.city import City
from smartcity.generator.demand import day_bounds
from smartcity.generator.field import STEPS_PER_DAY, speeds_mph
from smartcity.generator.layout import layout_of
from smartcity.generator.parameters import FIELD_STEP_SECONDS
from smartcity.model.truthscore import TRUE_NOW

SETS = ("gps", "trips", "sensors")
SENSORS, SENSOR_MINUTES, READING_NOISE = 207, 5, 0.04
SENSOR_START = date(2026, 1, 12)


def sensor_table(folder: Path, days: int, seed: int) -> tuple[Path, Path]:
    """The speeds and the places of a made sensor table, as files that ``ingest sensors`` takes."""
    city = City(h3_resolution=9)
    layout, rng = layout_of(city, seed), np.random.default_rng(seed)
    chosen = np.sort(rng.choice(len(layout.cells), SENSORS, replace=False))
    first = day_bounds(SENSOR_START, city)[0] // FIELD_STEP_SECONDS
    field = speeds_mph(city, seed, first, days * STEPS_PER_DAY)[:, chosen]
    by_minute = np.repeat(field, FIELD_STEP_SECONDS // 60, axis=0)
    speeds = by_minute.reshape(-1, SENSOR_MINUTES, SENSORS).mean(axis=1)
    speeds *= 1 + READING_NOISE * rng.standard_normal(speeds.shape)
    names = [f"s{number:03}" for number in range(SENSORS)]
    times = pd.date_range(SENSOR_START, periods=len(speeds), freq=f"{SENSOR_MINUTES}min")
    table = pd.DataFrame(np.round(speeds, 3), columns=names)
    table.insert(0, "timestamp", times)
    where = np.array([h3.cell_to_latlng(layout.cells[number]) for number in chosen])
    places = pd.DataFrame({"sensor_id": names, "latitude": where[:, 0], "longitude": where[:, 1]})
    table.to_csv(folder / "speeds.csv", index=False)
    places.to_csv(folder / "places.csv", index=False)
    return folder / "speeds.csv", folder / "places.csv"


def traffic(home: Path, *arguments: str) -> str:
    """Run a command of the product on a home of its own. Returns: what it printed."""
    command = [sys.executable, "-m", "smartcity", *arguments]
    environment = {**os.environ, "TRAFFIC_HOME": str(home)}
    return subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout


def evaluated(name: str, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Make the data set of this name, take it in, and evaluate it."""
    home = folder / "home"
    if name == "sensors":
        speeds, places = sensor_table(folder, options.days * 3 // 2, options.seed)
        source = ("--speeds", str(speeds), "--locations", str(places), "--window-minutes", str(SENSOR_MINUTES))
        traffic(home, "ingest", "sensors", *source, "--name", name, "--json")
    else:
        city = folder / "city"
        if not city.exists():
            size = ("--days", options.days, "--trips-per-day", options.trips_per_day, "--seed", options.seed)
            traffic(home, "generate", *map(str, size), "--out", str(city), "--json")
        kind, files = ("probes", city / "probes") if name == "gps" else ("trips", city / "trips")
        traffic(home, "ingest", kind, str(files), "--name", name, "--json")
    report: dict[str, Any] = json.loads(traffic(home, "evaluate", name, "--json"))
    return report


def summary(report: dict[str, Any]) -> dict[str, float]:
    """The figures of one evaluation that people ask for."""
    model, persistence = report["models"]["model"], report["models"]["persistence"]
    margin = report["margin_over_persistence_macro_f1"]
    found = {
        "accuracy": model["accuracy"],
        "persistence_accuracy": persistence["accuracy"],
        "macro_f1": model["macro_f1"],
        "persistence_macro_f1": persistence["macro_f1"],
        "margin": margin["value"],
        "margin_low": margin["low"],
        "margin_high": margin["high"],
        "ece": model["ece"],
        "rmse_below_persistence": report["rmse_below_persistence"],
    }
    repeated = report["truth_ceilings"].get(TRUE_NOW, {})
    for who, figures in (("", model), ("persistence_", persistence)):
        for name in ("truth_accuracy", "truth_macro_f1"):
            if name in figures:
                found[f"{who}{name}"] = figures[name]
    return found | {f"repeated_truth_{name}": value for name, value in repeated.items()}


def table(found: dict[str, dict[str, float]]) -> str:
    """A row for each figure, a column for each data set."""
    names = list(dict.fromkeys(name for figures in found.values() for name in figures))
    lines = [f"{'':28}" + "".join(f"{data_set:>10}" for data_set in found)]
    for name in names:
        values = (figures.get(name) for figures in found.values())
        lines.append(f"{name:28}" + "".join(f"{'–':>10}" if value is None else f"{value:10.4f}" for value in values))
    return "\n".join(lines)


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line. Raises: SystemExit where a data set is not one of ``SETS``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=14)
    parser.add_argument("--trips-per-day", type=int, default=30_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--only", default=",".join(SETS), help="some of gps, trips, sensors")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    options.sets = [name for name in options.only.split(",") if name]
    if unknown := set(options.sets) - set(SETS):
        parser.error(f"--only {', '.join(sorted(unknown))}: there are {', '.join(SETS)}")
    return options


def main() -> None:
    """Print the figures."""
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="traffic-bench-") as name:
        found = {data_set: summary(evaluated(data_set, Path(name), options)) for data_set in options.sets}
    print(json.dumps(found) if options.json else table(found))


if __name__ == "__main__":
    main()
