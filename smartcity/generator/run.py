"""Generate days of a city into a folder: trip files, probes, truth, and ``generated.json`` that says what they are."""

import hashlib
import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from smartcity.city import City
from smartcity.errors import InputError
from smartcity.generator.demand import Demand, demand
from smartcity.generator.dirt import KINDS, plant
from smartcity.generator.drive import Driven, drive
from smartcity.generator.files import Staging
from smartcity.generator.layout import stream
from smartcity.generator.probes import probes
from smartcity.generator.taxirows import taxi_rows
from smartcity.generator.truth import truth

#: Raised when the same request would give other bytes.
GENERATOR_VERSION = 1
MANIFEST = "generated.json"
_ROWS = 6


class Request(BaseModel):
    """What to generate: the same request gives the same bytes."""

    model_config = ConfigDict(frozen=True)

    generator_version: int = GENERATOR_VERSION
    city: City
    seed: int = Field(ge=0)
    start: date
    days: int = Field(ge=1, le=3660)
    trips_per_day: int = Field(ge=1, le=5_000_000)
    format: Literal["parquet", "csv"] = "parquet"
    with_probes: bool = True

    @property
    def dates(self) -> list[date]:
        """The local days, ascending."""
        return [self.start + timedelta(days=number) for number in range(self.days)]


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


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


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
        and _sha256(folder / name) == figures.sha256
        for name, figures in generated.files.items()
    )


def trip_day(
    request: Request, day: date, driven: tuple[Demand, Driven] | None = None
) -> tuple[pa.Table, dict[str, int]]:
    """The rows of one day's trip file, dirty ones included, and how many of each kind those are."""
    trips, taken = driven or _drive(request, day, with_pings=False)
    rng = stream(request.seed, _ROWS, day.toordinal(), request.trips_per_day)
    rows = taxi_rows(request.city, request.seed, trips, taken, rng)
    planted = plant(rows, rng)
    return rows.table(request.city), planted


def _drive(request: Request, day: date, *, with_pings: bool) -> tuple[Demand, Driven]:
    trips = demand(request.city, request.seed, day, request.trips_per_day)
    return trips, drive(request.city, request.seed, trips, with_pings=with_pings)


def generate(request: Request, folder: Path, *, force: bool = False, progress: Progress | None = None) -> Generated:
    """Make all files of ``request`` under ``folder``; files that are already there, whole, are not made again.

    Args:
        request: what to generate.
        folder: gets ``trips/``, ``probes/`` and ``truth/``, a day or month per file.
        force: replace what another request left there.
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

        def put(name: str, table: pa.Table) -> None:
            staging.append(name, table)
            rows[name] = rows.get(name, 0) + table.num_rows

        # Trips under way at the first midnight send pings too.
        last = _drive(request, request.start - timedelta(days=1), with_pings=True) if request.with_probes else None
        for day in request.dates:
            driven = _drive(request, day, with_pings=request.with_probes)
            table, planted = trip_day(request, day, driven)
            put(f"trips/yellow_tripdata_{day:%Y-%m}_generated.{request.format}", table)
            for kind, count in planted.items():
                dirty[kind] += count
            if last is not None:
                put(f"probes/probes_{day}.parquet", probes(request.city, request.seed, day, [last, driven]))
                last = driven
            put(f"truth/truth_{day}.parquet", truth(request.city, request.seed, day))
            if progress is not None:
                progress(day)
        files = {
            name: FileFigures(rows=rows[name], bytes=path.stat().st_size, sha256=_sha256(path))
            for name, path in staging.finish().items()
        }
        generated = Generated(request=request, files=files, dirty_rows=dirty)
        staging.write_bytes(MANIFEST, json.dumps(generated.model_dump(mode="json"), indent=1).encode())
        staging.publish(force=force)
    for name in set(before.files) - set(files) if before is not None else ():
        (folder / name).unlink(missing_ok=True)
    return generated
