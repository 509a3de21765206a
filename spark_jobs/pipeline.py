"""Files to features in one Spark session: ``python -m spark_jobs.pipeline KIND --dataset NAME FILE…``.

The same jobs that Airflow runs one by one; here they share one start of Spark. Each stage prints its figures as a JSON
line when it is done.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date, timedelta

from smartcity.errors import TrafficError
from smartcity.housekeeping import sweep
from smartcity.lake import Dataset
from smartcity.settings import Settings
from smartcity.spark.engine import KERNELS_ONLY, Engine
from spark_jobs import clean, features, positions, probes, sensors, windows
from spark_jobs.job import Figures, Job, Span, parser

Stages = tuple[tuple[str, Job], ...]


@dataclass(frozen=True)
class Source:
    """A kind of input: the jobs that read it, their arguments, and the stages that follow."""

    inputs: Stages
    arguments: Callable[[], argparse.ArgumentParser]
    stages: Stages
    #: Whether Spark's SQL reads the input, not kernels.
    uses_sql: bool = True


def _in_folder(job: Job, name: str, **settled: object) -> Job:
    """Let a job read the folder ``name`` of a generated city."""

    def run_there(engine: Engine, dataset: Dataset, span: Span, options: argparse.Namespace) -> Figures:
        here = argparse.Namespace(**vars(options), files=[f"{options.folder}/{name}"], skip_bad_files=False, **settled)
        return job(engine, dataset, span, here)

    return run_there


def _generated_arguments() -> argparse.ArgumentParser:
    found = parser("A generated city: its trip files, and the GPS feed of the very same vehicles.")
    found.add_argument("folder", help="what traffic generate --out made")
    return found


_SIMULATED: Stages = (("positions", positions.job), ("windows", windows.job), ("features", features.job))
#: A feed of positions needs no simulation; a table of sensors is windows already. A generated city has both feed and
#: trips: where the feed says where vehicles were, their trips are not simulated.
SOURCES = {
    "trips": Source((("trips", clean.job),), clean.arguments, _SIMULATED, uses_sql=False),
    "probes": Source((("probes", probes.job),), probes.arguments, _SIMULATED[1:]),
    "sensors": Source((("sensors", sensors.job),), sensors.arguments, _SIMULATED[2:], uses_sql=False),
    "generated": Source(
        (
            ("probes", _in_folder(probes.job, "probes", speed_unit="mph")),
            ("trips", _in_folder(clean.job, "trips", zones=None)),
        ),
        _generated_arguments,
        _SIMULATED,
    ),
}


def touched(inputs: list[Figures]) -> Span | None:
    """Days that the inputs reach; None where they held no valid row.

    The day before has labels that lie in the first of them; a trip of the last may run past midnight.
    """
    dates = [date.fromisoformat(str(f[name])) for f in inputs for name in ("first_date", "last_date") if f.get(name)]
    return Span(min(dates) - timedelta(days=1), max(dates) + timedelta(days=1)) if dates else None


@contextmanager
def _stage(name: str) -> Iterator[dict[str, object]]:
    started = time.monotonic()
    print(json.dumps({"stage": name, "state": "started"}), flush=True)
    figures: dict[str, object] = {}
    yield figures
    done = {"stage": name, "state": "done", **figures, "seconds": round(time.monotonic() - started, 2)}
    print(json.dumps(done), flush=True)


def run(engine: Engine, dataset: Dataset, source: Source, options: argparse.Namespace) -> None:
    """Read the input, then run each stage over the days that it reaches."""
    read: list[Figures] = []
    for name, job in source.inputs:
        with _stage(name) as figures:
            figures.update(job(engine, dataset, Span(), options))
        read.append(figures)  # type: ignore[arg-type]
    span = touched(read)
    if span is None:
        return
    for name, job in source.stages:
        with _stage(name) as figures:
            figures.update(job(engine, dataset, span, options))
    with _stage("housekeeping") as figures:
        figures.update(asdict(sweep(dataset)))


def main(argv: list[str] | None = None) -> None:
    """Run from the command line."""
    argv = sys.argv[1:] if argv is None else argv
    name = argv[0] if argv else "--help"
    if name not in SOURCES:
        print(f"usage: python -m spark_jobs.pipeline {{{','.join(SOURCES)}}} --dataset NAME FILE…\n\n{__doc__}")
        sys.exit(0 if name in ("-h", "--help") else 2)
    source = SOURCES[name]
    arguments = source.arguments()
    arguments.add_argument("--refit-profile", action="store_true", help="fit the profile anew; recomputes all features")
    options = arguments.parse_args(argv[1:])
    settings = Settings()
    dataset = Dataset.of(settings, options.dataset)
    engine = Engine(
        settings,
        f"traffic {name} {dataset.name}",
        java_options=() if source.uses_sql else KERNELS_ONLY,
        make_archive=True,
    )
    try:
        run(engine, dataset, source, options)
    except TrafficError as error:
        sys.exit(f"{name}: {error}")
    finally:
        engine.stop()


if __name__ == "__main__":
    main()
