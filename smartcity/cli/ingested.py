"""What ``traffic ingest`` says at its end: what became of the rows, where the time went, what the lake now holds."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from smartcity.cli.progress import title
from smartcity.lake import Dataset

#: What each stage counts, as its figures name it and as a person does.
COUNTED = {
    "trips": ("rows_read", "rows"),
    "probes": ("rows_read", "rows"),
    "sensors": ("rows_read", "readings"),
    "stream": ("rows_read", "events"),
    "positions": ("positions", "positions"),
    "windows": ("windows", "windows"),
    "features": ("features", "features"),
}


def say(figures: Mapping[str, Any], stages: Sequence[Mapping[str, Any]], dataset: Dataset, console: Console) -> None:
    """Print all of it. Args: figures: of the whole command; stages: what each stage reported when it was done."""
    for warning in figures["warnings"]:
        console.print(f"[yellow]WARNING[/yellow] {warning}", highlight=False)
    for skipped in figures["skipped_files"]:
        console.print(f"[yellow]left out[/yellow] {skipped}", highlight=False)
    console.print(_rows(figures))
    console.print(_times(figures["seconds"], stages))
    if dataset.exists():
        console.print(_sizes(dataset))
    if figures["rows_read"] and not figures["rows_kept"] and not figures["rows_duplicate"]:
        console.print("[yellow]No row was kept.[/yellow] See the reasons above; the rows are in the quarantine.")


def _rows(figures: Mapping[str, Any]) -> Table:
    table = Table(
        title=f"{figures['dataset']}: {figures['files']} file(s), {figures['seconds']:.0f} s", show_header=False
    )
    table.add_column()
    table.add_column(justify="right")
    if figures.get("files_known"):
        table.add_row("files taken in before, not read again", f"{figures['files_known']:,}")
    for label in ("read", "kept", "duplicate", "quarantined"):
        table.add_row(f"rows {label}", f"{figures[f'rows_{label}']:,}")
    for reason, rows in figures["quarantined_by_reason"].items():
        table.add_row(f"  {reason}", f"{rows:,}")
    if figures.get("rows_missing"):
        table.add_row("readings missing (not counted as rows)", f"{figures['rows_missing']:,}")
    table.add_row("days", f"{figures['first_date'] or '-'} to {figures['last_date'] or '-'}")
    return table


def _times(seconds: float, stages: Sequence[Mapping[str, Any]]) -> Table:
    """Seconds, share, amount and rate of each stage, and what is left for the start and end of Spark."""
    table = Table("stage", *("s", "share", "made", "rate"), title="where the time went")
    for column in table.columns[1:]:
        column.justify = "right"
    rest = seconds
    for stage in stages:
        took = float(stage["seconds"])
        rest -= took
        name, unit = COUNTED.get(str(stage["stage"]), ("", ""))
        count = int(stage.get(name) or 0)
        made, rate = (f"{count:,} {unit}", f"{count / took:,.0f}/s") if count and took >= 0.1 else ("", "")
        if took >= 0.05:
            table.add_row(title(str(stage["stage"])), f"{took:.1f}", f"{took / seconds:.0%}", made, rate)
    table.add_row("Spark's start and end", f"{rest:.1f}", f"{rest / seconds:.0%}")
    return table


def _sizes(dataset: Dataset) -> Table:
    table = Table("table", "days", "rows", "files", "size", title=f"in the lake: {dataset.uri}")
    for column in table.columns[1:]:
        column.justify = "right"
    for part in (dataset.trips, dataset.quarantine, dataset.positions, dataset.windows, dataset.features):
        stored = part.stored()
        if stored.files:
            figures = (stored.days, stored.rows, stored.files)
            table.add_row(part.name, *(f"{number:,}" for number in figures), decimal(stored.size))
    return table
