"""The stages from files to features, for each kind of input, run one after the other on one start of Spark."""

import argparse
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date, timedelta

from smartcity.housekeeping import sweep
from smartcity.lake import Dataset
from smartcity.spark.engine import Engine
from spark_jobs import features, positions, windows
from spark_jobs.job import Figures, Job, Span, parser

Stages = tuple[tuple[str, Job], ...]


@dataclass(frozen=True)
class Source:
    """A kind of input: the jobs that read it, their arguments, and the stages that follow."""

    inputs: Stages
    arguments: Callable[[], argparse.ArgumentParser]
    stages: Stages

    def options(self, argv: Sequence[str]) -> argparse.Namespace:
        """The command line of a run through all stages."""
        arguments = self.arguments()
        arguments.add_argument("--refit-profile", action="store_true", help="fit the profile anew; redoes all features")
        return arguments.parse_args(argv)


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


def _trips() -> Source:
    from spark_jobs import clean

    return Source((("trips", clean.job),), clean.arguments, _SIMULATED)


def _probes() -> Source:
    """A feed of positions needs no simulation."""
    from spark_jobs import probes

    return Source((("probes", probes.job),), probes.arguments, _SIMULATED[1:])


def _stream() -> Source:
    from spark_jobs import archive

    return Source((("stream", archive.job),), archive.arguments, _SIMULATED[1:])


def _sensors() -> Source:
    """A table of sensors is windows already."""
    from spark_jobs import sensors

    return Source((("sensors", sensors.job),), sensors.arguments, _SIMULATED[2:])


def _generated() -> Source:
    """Both feed and trips: where the feed says where vehicles were, their trips are not simulated."""
    from spark_jobs import clean, probes

    inputs = (
        ("probes", _in_folder(probes.job, "probes", speed_unit="mph")),
        ("trips", _in_folder(clean.job, "trips", zones=None)),
    )
    return Source(inputs, _generated_arguments, _SIMULATED)


#: By kind of input, made on demand: what one kind needs, such as pandas for tables, takes its time to import.
SOURCES: dict[str, Callable[[], Source]] = {
    "trips": _trips,
    "probes": _probes,
    "stream": _stream,
    "sensors": _sensors,
    "generated": _generated,
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
