"""What an event costs as load and city grow: processor time and memory, as a table and a plot.

    ./traffic bench scale --rates 1000,5000,10000,20000 --cells 60,300,1000,5000 --plot docs/img/stream-scale.png

Every rate in the second number of cells, every number of cells at the second rate; each load on services of its own.
"""

import argparse
import json
import sys
from collections import Counter
from pathlib import Path

import matplotlib

from benchmarks.throughput import Load, drive_alone
from smartcity.errors import TrafficError

matplotlib.use("agg")


def chosen(rates: list[int], cells: list[int]) -> list[tuple[int, int]]:
    """Rates and cells of the loads: a cross through the second of each."""
    rate, city = rates[min(1, len(rates) - 1)], cells[min(1, len(cells) - 1)]
    return [(one, city) for one in rates] + [(rate, one) for one in cells if one != city]


def table(loads: list[Load]) -> str:
    """The loads as a table in Markdown."""
    lines = ["| events/s | cells | read/s | keeps up | stream µs/event | all µs/event | stream MB | lag, median |"]
    lines.append("|---|---|---|---|---|---|---|---|")
    for load in loads:
        figures = load.summary()
        cost = load.cpu_microseconds_per_event
        keeps = "yes" if load.bounded else "no"
        lines.append(
            f"| {load.rate:,} | {load.cells:,} | {figures['read_events_per_second']:,} | {keeps} | {cost['stream']} | "
            f"{sum(cost.values()):.1f} | {load.memory_mb['stream']:,} | {figures['lag_events_median']:,} |"
        )
    return "\n".join(lines)


def plot(loads: list[Load], file: Path) -> None:
    """Processor time for one event and the stream's memory, by rate and by cells."""
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(2, 2, figsize=(8, 6), sharey="row")
    rate, cells = (Counter(values).most_common(1)[0][0] for values in zip(*map(_load, loads), strict=True))
    for column, by, title in (
        (0, "rate", f"events a second, {cells:,} cells"),
        (1, "cells", f"cells, {rate:,} events/s"),
    ):
        shown = [load for load in loads if (load.cells == cells if by == "rate" else load.rate == rate)]
        shown.sort(key=lambda load: getattr(load, by))
        at = [getattr(load, by) for load in shown]
        for service in ("stream", "broker", "api"):
            costs = [load.cpu_microseconds_per_event[service] for load in shown]
            panels[0][column].plot(at, costs, marker="o", label=service)
            panels[1][column].plot(at, [load.memory_mb[service] for load in shown], marker="o", label=service)
        panels[0][column].set(xscale="log", yscale="log")
        panels[1][column].set(xscale="log", xlabel=title)
    panels[0][0].set(ylabel="µs of a core for one event")
    panels[1][0].set(ylabel="memory, MB")
    panels[0][0].legend()
    figure.tight_layout()
    figure.savefig(file, dpi=110)


def _load(load: Load) -> tuple[int, int]:
    return load.rate, load.cells


def main() -> None:
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--rates", default="1000,5000,10000,20000", help="events a second")
    arguments.add_argument("--cells", default="60,300,1000,5000")
    arguments.add_argument("--seconds", type=float, default=60, help="of each load")
    arguments.add_argument("--plot", type=Path, help="file for the plot")
    arguments.add_argument("--json", action="store_true", help="one JSON object")
    options = arguments.parse_args()
    rates, cells = ([int(value) for value in text.split(",")] for text in (options.rates, options.cells))
    loads = list[Load]()
    try:
        for rate, places in chosen(rates, cells):
            loads.append(drive_alone(rate, places, options.seconds))
            print(table(loads[-1:]).splitlines()[-1], file=sys.stderr, flush=True)
    except TrafficError as error:
        sys.exit(f"scale: {error}")
    if options.plot:
        plot(loads, options.plot)
    if options.json:
        print(json.dumps({"benchmark": "scale", "loads": [load.summary() for load in loads]}))
    else:
        print(table(loads))


if __name__ == "__main__":
    main()
