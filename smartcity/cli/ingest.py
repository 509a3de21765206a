"""``traffic ingest``: files into the lake, and on to features, in one Spark session of its own."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError
from rich.console import Console

from smartcity import truth
from smartcity.city import Bounds, City
from smartcity.cli.ingested import say
from smartcity.cli.progress import message, stage_progress
from smartcity.errors import InputError, JobError, SettingsError
from smartcity.lake import Dataset
from smartcity.services import child, java
from smartcity.settings import Settings
from smartcity.tripfiles import TRIP_FILES, FileKind, discover, needs_zones, peek
from smartcity.tripfiles.location import is_remote
from smartcity.tripfiles.probes import PROBE_FILES


@click.group()
def command() -> None:
    """Read trip files, GPS feeds or sensor tables into a data set."""


def _city_options(function: Callable[..., None]) -> Callable[..., None]:
    options = (
        click.option("--name", help="Data set to put them into. Default: TRAFFIC_DATASET (city)."),
        click.option("--city-name", help="What the city is called."),
        click.option("--bounds", help="S,W,N,E in degrees; rows outside are quarantined. Default: New York's."),
        click.option("--time-zone", help="IANA name, e.g. Europe/Berlin. Default: America/New_York."),
        click.option("--resolution", type=click.IntRange(5, 11), help="H3 resolution of a cell. Default: 8."),
        click.option("--window-minutes", type=click.IntRange(1, 60), help="Length of a window. Default: 2."),
        click.option("--horizon-minutes", type=click.IntRange(1, 240), help="How far ahead to forecast. Default: 15."),
        click.option("--json", "as_json", is_flag=True, help="Print one JSON object of figures."),
    )
    for option in reversed(options):
        function = option(function)
    return function


@command.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
@click.option("--zones", type=click.Path(path_type=Path), help="Zone polygons (.shp, .geojson) for location ids.")
@click.option("--skip-bad-files", is_flag=True, help="Leave out files that cannot be read instead of refusing all.")
@_city_options
def trips(files: tuple[str, ...], zones: Path | None, skip_bad_files: bool, **city: Any) -> None:
    """TLC trip files as published: yellow and green, 2009 to today, CSV, .csv.gz, Parquet; also directories."""
    _look_at(files, skip_bad_files, TRIP_FILES, zones)
    more = ["--zones", str(zones.resolve())] if zones else []
    _ingest("trips", [*more, *(["--skip-bad-files"] if skip_bad_files else []), *_absolute(files)], city)


@command.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
@click.option("--speed-unit", type=click.Choice(["mph", "kmh", "mps"]), default="mph", show_default=True)
@click.option("--skip-bad-files", is_flag=True, help="Leave out files that cannot be read instead of refusing all.")
@_city_options
def probes(files: tuple[str, ...], speed_unit: str, skip_bad_files: bool, **city: Any) -> None:
    """GPS feeds: vehicle_id,timestamp,latitude,longitude[,speed], CSV or Parquet. Missing speeds are derived."""
    _look_at(files, skip_bad_files, PROBE_FILES)
    skip = ["--skip-bad-files"] if skip_bad_files else []
    _ingest("probes", ["--speed-unit", speed_unit, *skip, *_absolute(files)], city)


@command.command()
@click.option("--speeds", type=click.Path(path_type=Path), required=True, help="One column per sensor, mph.")
@click.option("--locations", type=click.Path(path_type=Path), required=True, help="sensor_id,latitude,longitude.")
@click.option("--start", help="Time of the first row, where the table has no timestamp column.")
@click.option("--every", type=click.IntRange(1, 60), help="Minutes between rows.")
@_city_options
def sensors(speeds: Path, locations: Path, start: str | None, every: int | None, **city: Any) -> None:
    """Speed tables of road sensors; a sensor takes the place of a cell."""
    for option, path in (("--speeds", speeds), ("--locations", locations)):
        if not path.is_file():
            raise InputError(f"{option} {path}: no such file")
    given = ["--speeds", str(speeds.resolve()), "--locations", str(locations.resolve())]
    given += ["--start", start] if start else []
    given += ["--every", str(every)] if every else []
    _ingest("sensors", given, city)


@command.command()
@_city_options
def stream(**city: Any) -> None:
    """What the stream archived, of days that are over and that neither trips nor GPS feeds gave."""
    _ingest("stream", [], city)


def _look_at(files: tuple[str, ...], skip_bad_files: bool, kind: FileKind, zones: Path | None = None) -> None:
    """Refuse at once what the first bytes show to be unreadable; the job looks closer, but takes seconds to start."""
    if zones and not zones.is_file():
        raise InputError(f"--zones {zones}: no such file")
    for found in discover(files):
        if not skip_bad_files:
            layout = peek(found, kind)
            if layout and kind is TRIP_FILES and zones is None and not layout.has_coordinates:
                raise needs_zones(found.path)


def _absolute(files: tuple[str, ...]) -> list[str]:
    """The job runs in another directory. ``--`` keeps a file called -x from being an option."""
    return ["--", *(file if is_remote(file) else str(Path.cwd() / file) for file in files)]


def chosen_city(city: City, options: dict[str, Any]) -> City:
    """``city`` with what the user chose. Raises: SettingsError naming the option and its value."""
    changes: dict[str, Any] = {
        "name": options["city_name"],
        "time_zone": options["time_zone"],
        "h3_resolution": options["resolution"],
        "window_minutes": options["window_minutes"],
        "horizon_minutes": options["horizon_minutes"],
    }
    if options["bounds"]:
        changes["bounds"] = _bounds(options["bounds"])
    chosen = {name: value for name, value in changes.items() if value is not None}
    try:
        return City.model_validate({**city.model_dump(), **chosen})
    except ValidationError as error:
        first = error.errors()[0]
        raise SettingsError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def _bounds(text: str) -> dict[str, float]:
    try:
        south, west, north, east = (float(part) for part in text.split(","))
        return Bounds(south=south, west=west, north=north, east=east).model_dump()
    except ValueError as error:
        raise SettingsError(
            f"--bounds {text}: south,west,north,east in degrees is needed, e.g. 40.49,-74.27,40.93,-73.68"
        ) from error


def _ingest(kind: str, arguments: list[str], options: dict[str, Any]) -> None:
    settings = Settings()
    dataset = Dataset.of(settings, options["name"])
    city = chosen_city(dataset.city, options)
    if dataset.exists():
        dataset.create(city)
    started = time.monotonic()
    stages = _run_stages(settings, kind, dataset.name, city, arguments, quiet=options["as_json"])
    files = arguments[arguments.index("--") + 1 :] if "--" in arguments else []
    if beside := truth.folder_beside(file for file in files if not is_remote(file)):
        truth.load(dataset, beside)
    first = next(stage for stage in stages if stage["stage"] == kind)
    figures = {"dataset": dataset.name, "kind": kind, **{k: v for k, v in first.items() if k not in ("stage", "state")}}
    figures["ingest_seconds"] = figures.pop("seconds", None)
    for stage in stages:
        if stage is not first:
            skipped = ("stage", "state")
            figures |= {f"{stage['stage']}_{key}": value for key, value in stage.items() if key not in skipped}
    figures["seconds"] = round(time.monotonic() - started, 2)
    if options["as_json"]:
        click.echo(json.dumps(figures))
    else:
        say(figures, stages, dataset, Console())


def _run_stages(
    settings: Settings, kind: str, name: str, city: City, arguments: list[str], *, quiet: bool
) -> list[dict[str, Any]]:
    """Run the pipeline as a process; its log goes to HOME/logs. Returns: the figures of each finished stage.

    Raises: InputError with the job's own message where it refuses the input, JobError where it breaks.
    """
    environment = {**java.environment(settings), "TRAFFIC_CITY": city.model_dump_json()}
    command = [sys.executable, "-m", "spark_jobs.pipeline", kind, "--dataset", name, *arguments]
    done: list[dict[str, Any]] = []
    with stage_progress(Console(stderr=True, quiet=quiet), waiting="starting Spark") as bars:

        def watch(line: str) -> None:
            if (told := message(line)) is not None and told["state"] == "done":
                done.append(told)
            bars.line(line)

        try:
            child.run("ingest", command, settings.home / "logs" / f"ingest-{name}.log", environment, watch)
        except JobError as error:
            said = next((line for line in reversed(error.lines) if line.startswith(f"{kind}: ")), None)
            if said is None:
                raise
            raise InputError(said.removeprefix(f"{kind}: ")) from error
    return done
