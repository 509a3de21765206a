"""The memory of the batch on days that are out of shape: ``python -m benchmarks.batch_skew [--trips 4m] [--json]``.

One day of that many trips; then the same day with half of its trips inside one cell and every third trip ten times as
long, up to three hours, as Parquet and as ``.csv.gz``. Memory should stay where it is for ordinary days.
"""

import argparse
import json
import os
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.batch import GIB, OURS, count, run_once
from smartcity.city import City
from smartcity.generator.request import Request
from smartcity.generator.run import generate
from smartcity.settings import Settings

DAY, SEED = date(2016, 1, 5), 3
#: What is done to the rows of a day, by column; within some hundred metres of one place.
_SKEW = {
    "pickup_longitude": "if(row % 2 = 0, -73.9855 + (row % 97 - 48) * 0.00002, pickup_longitude)",
    "pickup_latitude": "if(row % 2 = 0, 40.7580 + (row % 97 - 48) * 0.00002, pickup_latitude)",
    "dropoff_longitude": "if(row % 2 = 0, -73.9845 + (row % 97 - 48) * 0.00002, dropoff_longitude)",
    "dropoff_latitude": "if(row % 2 = 0, 40.7588 + (row % 97 - 48) * 0.00002, dropoff_latitude)",
    "tpep_dropoff_datetime": "if(row % 3 = 0, tpep_pickup_datetime + least((tpep_dropoff_datetime - "
    "tpep_pickup_datetime) * 10, interval 179 minutes), tpep_dropoff_datetime)",
}


def skewed(plain: Path, folder: Path) -> list[Path]:
    """The day out of shape, as Parquet and as packed CSV."""
    replaced = ", ".join(f"{what} AS {column}" for column, what in _SKEW.items())
    rows = f"SELECT * EXCLUDE (row) REPLACE ({replaced}) FROM (SELECT *, row_number() OVER () AS row FROM '{plain}')"
    found = []
    for ending, how in ((".parquet", "FORMAT parquet"), (".csv.gz", "FORMAT csv, HEADER, COMPRESSION gzip")):
        found.append(folder / f"{plain.stem.replace('generated', 'skewed')}{ending}")
        with duckdb.connect(config={"memory_limit": "3GB"}) as connection:
            connection.execute(f"COPY ({rows}) TO '{found[-1]}' ({how})")
    return found


def main() -> None:
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--trips", default="4m", help="of the day; default: 4m, ten times New York's")
    arguments.add_argument("--json", action="store_true", help="one JSON object")
    options = arguments.parse_args()
    home = Settings().home / "bench"
    folder = home / "skew"
    trips = count(options.trips)
    request = Request(
        city=City(), seed=SEED, start=DAY, days=1, trips_per_day=trips, format="parquet", with_probes=False
    )
    made = generate(request, folder / "input")
    plain = next(folder / "input" / name for name in made.files if name.startswith("trips/"))
    found: list[dict[str, Any]] = []
    for path in (plain, *skewed(plain, folder)):
        run = run_once(OURS, home, [path])
        took = run.measured
        figures = {
            "file": path.name,
            "wall_seconds": round(took.wall_seconds, 1),
            "cpu_seconds": round(took.cpu_seconds, 1),
            "peak_memory_gib": round(took.peak_memory_bytes / GIB, 2),
        }
        found.append(figures)
        if not options.json:
            print("  ".join(f"{name} {value}" for name, value in figures.items()), flush=True)
    shutil.rmtree(folder)
    shutil.rmtree(home / f"out-{OURS}")
    if options.json:
        print(json.dumps({"benchmark": "batch_skew", "cores": len(os.sched_getaffinity(0)), "runs": found}))


if __name__ == "__main__":
    main()
