"""Generate days of a city into a folder: trip files, probes, truth, and ``generated.json`` that says what they are."""

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

from pydantic import BaseModel, ValidationError

from smartcity.errors import InputError
from smartcity.generator.days import DayMade, Places
from smartcity.generator.dirt import KINDS
from smartcity.generator.files import Staging
from smartcity.generator.request import Request
from smartcity.generator.taxirows import SCHEMA
from smartcity.generator.workers import all_days, worker_count
from smartcity.hashing import file_sha256

MANIFEST = "generated.json"


class FileFigures(BaseModel):
    """One file: its rows, size and content."""

    rows: int
    bytes: int
    sha256: str


class Generated(BaseModel):
    """What was generated. ``dirty_rows``: planted, by kind."""

    request: Request
    files: dict[str, FileFigures]
    dirty_rows: dict[str, int]

    def rows(self, folder: str) -> int:
        """Rows of all files under ``trips``, ``probes`` or ``truth``."""
        return sum(figures.rows for name, figures in self.files.items() if name.startswith(f"{folder}/"))

    @property
    def bytes(self) -> int:
        """Size of all files."""
        return sum(figures.bytes for figures in self.files.values())


Progress = Callable[[date], None]


def earlier(folder: Path) -> Generated | None:
    """What ``generated.json`` of the folder says; None where there is none that can be read."""
    try:
        return Generated.model_validate_json((folder / MANIFEST).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def _is_whole(folder: Path, generated: Generated) -> bool:
    return all(
        (folder / name).is_file()
        and (folder / name).stat().st_size == figures.bytes
        and file_sha256(folder / name) == figures.sha256
        for name, figures in generated.files.items()
    )


def generate(
    request: Request,
    folder: Path,
    *,
    force: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Generated:
    """Make all files of ``request`` under ``folder``; files that are already there, whole, are not made again.

    Args:
        request: what to generate.
        folder: gets ``trips/``, ``probes/`` and ``truth/``, a day or month per file.
        force: replace what another request left there.
        workers: processes to make days in; by default one per core where that many are worth their start.
        progress: called with each finished day.

    Raises: InputError where the folder holds other content and ``force`` is not given; then nothing was changed.

    """
    before = earlier(folder)
    if before is not None and before.request == request and _is_whole(folder, before):
        return before
    if before is not None and before.request != request and not force:
        raise InputError(
            f"{folder} holds a city generated from other options ({before.request.days} days from "
            f"{before.request.start}, seed {before.request.seed}): choose another --out, or pass --force"
        )
    with Staging(folder) as staging:
        rows: dict[str, int] = {}
        dirty = dict.fromkeys(KINDS, 0)
        places = [_places(staging, request, day) for day in request.dates]
        for made in all_days(request, places, workers or worker_count(request)):
            _take(staging, request, made, rows)
            for kind, count in made.dirty.items():
                dirty[kind] += count
            if progress is not None:
                progress(made.places.day)
        files = {
            name: FileFigures(rows=rows[name], bytes=path.stat().st_size, sha256=file_sha256(path))
            for name, path in staging.finish().items()
        }
        generated = Generated(request=request, files=files, dirty_rows=dirty)
        staging.write_bytes(MANIFEST, json.dumps(generated.model_dump(mode="json"), indent=1).encode())
        staging.publish(force=force)
    for name in set(before.files) - set(files) if before is not None else ():
        (folder / name).unlink(missing_ok=True)
    return generated


def _trips_file(request: Request, day: date) -> str:
    """A file a month, named as the publisher does: its name says which pick-ups belong into it."""
    return f"trips/yellow_tripdata_{day:%Y-%m}_generated.{request.format}"


def _places(staging: Staging, request: Request, day: date) -> Places:
    return Places(
        day,
        trips=staging.part(_trips_file(request, day), day.isoformat()),
        truth=staging.place(f"truth/truth_{day}.parquet"),
        probes=staging.place(f"probes/probes_{day}.parquet") if request.with_probes else None,
    )


def _take(staging: Staging, request: Request, made: DayMade, rows: dict[str, int]) -> None:
    """Join a day's trips to its month's, and count the rows of each file."""
    day, name = made.places.day, _trips_file(request, made.places.day)
    staging.join(name, made.places.trips, SCHEMA)
    rows[name] = rows.get(name, 0) + made.trip_rows
    rows[f"truth/truth_{day}.parquet"] = made.truth_rows
    if made.places.probes is not None:
        rows[f"probes/probes_{day}.parquet"] = made.probe_rows
