"""``traffic generate``: a city of one's own, as the files that a real one would publish."""

import json
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Literal

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from smartcity.generator.request import Request
from smartcity.generator.run import Generated, generate
from smartcity.settings import Settings


class _Rate(ProgressColumn):
    """Trips made per second, lately."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.0f} trips/s" if task.speed else "")


def _figures(made: Generated, out: Path, seconds: float) -> dict[str, object]:
    return {
        "out": str(out),
        "first_day": made.request.dates[0].isoformat(),
        "last_day": made.request.dates[-1].isoformat(),
        "seed": made.request.seed,
        "trip_rows": made.rows("trips"),
        "probe_rows": made.rows("probes"),
        "truth_rows": made.rows("truth"),
        "dirty_rows": sum(made.dirty_rows.values()),
        **{f"dirty_{kind}_rows": count for kind, count in made.dirty_rows.items()},
        "files": len(made.files),
        "bytes": made.bytes,
        "seconds": round(seconds, 2),
        "trips_per_second": round(made.rows("trips") / seconds),
    }


def _summary(made: Generated, out: Path, seconds: float) -> Table:
    table = Table(title=f"{made.request.city.name}, {made.request.dates[0]} to {made.request.dates[-1]}, in {out}")
    table.add_column("what")
    table.add_column("rows", justify="right")
    table.add_column("files", justify="right")
    table.add_column("MB", justify="right")
    for folder in ("trips", "probes", "truth"):
        files = [figures for name, figures in made.files.items() if name.startswith(f"{folder}/")]
        size = sum(figures.bytes for figures in files) / 1e6
        table.add_row(folder, f"{made.rows(folder):,}", str(len(files)), f"{size:.1f}")
    table.add_section()
    for kind, count in made.dirty_rows.items():
        table.add_row(f"planted: {kind.replace('_', ' ')}", f"{count:,}", "", "")
    table.caption = f"{seconds:.1f} s, {made.rows('trips') / seconds:,.0f} trips/s"
    return table


@click.command()
@click.option("--days", type=click.IntRange(1, 3660), default=7, show_default=True, help="Local days.")
@click.option("--trips-per-day", type=click.IntRange(1, 5_000_000), default=30_000, show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Same seed, same bytes.")
@click.option(
    "--start",
    type=click.DateTime(["%Y-%m-%d"]),
    help="First day. Default: such that the last one is yesterday, city time.",
)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder for the files.")
@click.option("--format", "kind", type=click.Choice(["parquet", "csv"]), default="parquet", help="Of the trip files.")
@click.option("--probes/--no-probes", default=True, show_default=True, help="GPS positions of the vehicles.")
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    help="Processes. Default: one per core, where the city is large enough. The bytes are the same.",
)
@click.option("--force", is_flag=True, help="Replace what another run left in the folder.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object of figures.")
def command(
    days: int,
    trips_per_day: int,
    seed: int,
    start: datetime | None,
    out: Path,
    kind: Literal["parquet", "csv"],
    probes: bool,
    workers: int | None,
    force: bool,
    as_json: bool,
) -> None:
    """Generate a city: taxi trip files, GPS probes, and the truth to score forecasts against."""
    city = Settings().city
    first: date = start.date() if start else datetime.now(UTC).astimezone(city.zone).date() - timedelta(days=days)
    request = Request(
        city=city,
        seed=seed,
        start=first,
        days=days,
        trips_per_day=trips_per_day,
        format=kind,
        with_probes=probes,
    )
    began = time.monotonic()
    columns = (
        TextColumn("generate {task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        _Rate(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True, speed_estimate_period=60) as bar:
        task = bar.add_task(str(first), total=days * trips_per_day)

        def advance(day: date) -> None:
            bar.update(task, advance=trips_per_day, description=str(day))

        made = generate(request, out, force=force, workers=workers, progress=advance)
    seconds = time.monotonic() - began
    if as_json:
        click.echo(json.dumps(_figures(made, out, seconds)))
    else:
        Console().print(_summary(made, out, seconds))
