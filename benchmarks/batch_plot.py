"""Draw what ``./traffic bench batch --json`` measured: processor time per trip and memory by size, beside the peers.

python -m benchmarks.batch_plot MEASURED.json… --out docs/img/batch-cost.svg
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl

VERSIONS = {"ours": ("ours, on Spark", "#0b6e4f"), "duckdb": ("DuckDB", "#c08a00"), "polars": ("Polars", "#5b6abf")}


def sizes_of(files: list[Path]) -> list[dict[str, Any]]:
    """What the files measured, by size."""
    found = [size for file in files for size in json.loads(file.read_text())["sizes"]]
    return sorted(found, key=lambda size: size["trips"])


def draw(sizes: list[dict[str, Any]], out: Path) -> None:
    """Two panels over the number of trips: processor time, which other work hardly changes, and peak memory."""
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    quantities: tuple[tuple[str, str, Callable[[float, int], float]], ...] = (
        ("cpu_seconds", "processor time, µs per trip", lambda seconds, trips: seconds / trips * 1e6),
        ("peak_memory_gib", "peak memory, GiB", lambda gib, _: gib),
    )
    for panel, (quantity, label, of) in zip(panels, quantities, strict=True):
        for version, (name, colour) in VERSIONS.items():
            key = f"{version}_{quantity}"
            points = [(s["trips"] / 1e6, of(s[key], s["trips"])) for s in sizes if key in s]
            if points:
                panel.plot(*zip(*points, strict=True), marker="o", color=colour, label=name)
        panel.set_xscale("log")
        ticks = [size["trips"] / 1e6 for size in sizes]
        panel.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        panel.minorticks_off()
        panel.set(xlabel="million trips", ylabel=label, ylim=(0, None))
        panel.grid(alpha=0.3)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].legend(frameon=False)
    figure.savefig(out, metadata={"Date": None})


def table(sizes: list[dict[str, Any]]) -> str:
    """The same as a Markdown table."""
    rows = [
        "| trips | version | wall s | CPU s | peak GiB | µs/trip | ours / its wall |",
        "|---|---|---|---|---|---|---|",
    ]
    for size in sizes:
        for version, (name, _) in VERSIONS.items():
            if f"{version}_wall_seconds" in size:
                ratio = size.get(f"ours_to_{version}_wall_ratio", "")
                keys = ("wall_seconds", "cpu_seconds", "peak_memory_gib", "microseconds_per_trip")
                figures = " | ".join(f"{size[f'{version}_{key}']:.2f}" for key in keys)
                rows.append(f"| {size['trips'] / 1e6:g}M | {name} | {figures} | {ratio} |")
    return "\n".join(rows)


def main() -> None:
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("files", nargs="+", type=Path, metavar="MEASURED.json")
    arguments.add_argument("--out", type=Path, required=True, help="the picture, e.g. docs/img/batch-cost.svg")
    options = arguments.parse_args()
    sizes = sizes_of(options.files)
    draw(sizes, options.out)
    print(table(sizes))


if __name__ == "__main__":
    main()
