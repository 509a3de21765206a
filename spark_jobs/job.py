"""What every job's main shares: its arguments, its session, and the one line of figures it ends with."""

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from smartcity.errors import TrafficError
from smartcity.housekeeping import sweep
from smartcity.lake import Dataset
from smartcity.settings import Settings
from smartcity.spark.engine import Engine


@dataclass(frozen=True)
class Span:
    """City-local days ``start`` … ``end``, both included; None: from the first or to the last there is."""

    start: date | None = None
    end: date | None = None

    def covers(self, day: date) -> bool:
        """Whether a day lies within the span."""
        return (self.start is None or day >= self.start) and (self.end is None or day <= self.end)


Figures = Mapping[str, int | float | str | None]
Job = Callable[[Engine, Dataset, Span, argparse.Namespace], Figures]


def parser(description: str) -> argparse.ArgumentParser:
    """The arguments that all jobs take; a job may add its own."""
    arguments = argparse.ArgumentParser(description=description)
    arguments.add_argument("--dataset", help="name of the data set; default: TRAFFIC_DATASET")
    arguments.add_argument("--figures", type=Path, help="also write the final line of figures to this file")
    arguments.add_argument("--from", dest="start", type=date.fromisoformat, help="first day, YYYY-MM-DD, city time")
    arguments.add_argument("--redo", action="store_true", help="make days again that are up to date")
    arguments.add_argument("--to", dest="end", type=date.fromisoformat, help="last day, included")
    return arguments


def run(
    name: str, job: Job, arguments: argparse.ArgumentParser, argv: list[str] | None = None, *, start: bool = True
) -> None:
    """Parse, open the data set, run, and print the figures as one JSON line (the log's last).

    Args: start: whether Spark starts at once; else when the job first uses it, for one that may find nothing to do.
    """
    options = arguments.parse_args(argv)
    settings = Settings()
    started = time.monotonic()
    engine = Engine(settings, f"traffic {name}")
    if start:
        engine.start()
    dataset = Dataset.of(settings, options.dataset)
    try:
        figures = job(engine, dataset, Span(options.start, options.end), options)
        sweep(dataset)
    except TrafficError as error:
        sys.exit(f"{name}: {error}")
    finally:
        engine.stop()
    line = json.dumps({"job": name, **figures, "seconds": round(time.monotonic() - started, 2)})
    if options.figures:
        options.figures.write_text(line)
    print(line, flush=True)
