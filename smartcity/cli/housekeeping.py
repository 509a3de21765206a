"""``traffic housekeeping``: what nobody needs is removed from the lake; small files are merged, where asked."""

import json
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import click

from smartcity.archive import Archive
from smartcity.compaction import Compacted, compact
from smartcity.errors import MissingDataError
from smartcity.housekeeping import ABANDONED_AFTER, READER_GRACE, Swept, sweep, sweep_checkpoints
from smartcity.lake import Dataset
from smartcity.settings import Settings

_HOURS = 3600
#: Among the figures by data set: no data set has a blank in its name.
_CHECKPOINTS = "old checkpoints"


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME…]")
@click.option("--compact", "merge", is_flag=True, help="Merge the small files of each day first.")
@click.option("--now", "at_once", is_flag=True, help="Whatever its age; only while no job runs and nobody reads.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object of figures by data set.")
def command(names: tuple[str, ...], merge: bool, at_once: bool, as_json: bool) -> None:
    """Remove from the data sets NAME (default: all) what no reader can need, and old checkpoints of the stream.

    Jobs do the same for their own data set when they end.
    """
    settings = Settings()
    known = Dataset.names(settings)
    if unknown := [name for name in names if name not in known]:
        raise MissingDataError(f"no data set {unknown[0]!r} in {settings.lake_root}; there are: {', '.join(known)}")
    kept = timedelta(days=settings.archive_days)
    for name in names or known:
        if pruned := Archive.of(dataset := Dataset.of(settings, name)).prune(dataset, kept):
            click.echo(f"{name}: {len(pruned)} archived days removed", err=True)
    found = {name: _look_after(Dataset.of(settings, name), merge, at_once) for name in names or known}
    checkpoints = sweep_checkpoints(settings)
    if as_json:
        figures: dict[str, Any] = {name: {**asdict(c), **asdict(s)} for name, (c, s) in found.items()}
        click.echo(json.dumps({**figures, _CHECKPOINTS: checkpoints}))
        return
    click.echo("\n".join(_told(name, *figures) for name, figures in found.items()) or "no data set yet")
    if checkpoints:
        click.echo(f"{_CHECKPOINTS} removed: {', '.join(checkpoints)}")


def _look_after(dataset: Dataset, merge: bool, at_once: bool) -> tuple[Compacted, Swept]:
    return compact(dataset) if merge else Compacted(), sweep(dataset, at_once=at_once)


def _told(name: str, compacted: Compacted, swept: Swept) -> str:
    merged = (
        f"{compacted.files_before:,} small files of {compacted.days:,} days merged into {compacted.files_after:,}; "
        if compacted.days
        else ""
    )
    return f"{name}: {merged}{_amount(swept.files, swept.bytes)} removed{_left(swept)}"


def _left(swept: Swept) -> str:
    if not swept.left_files:
        return ""
    return (
        f"; {_amount(swept.left_files, swept.left_bytes)} left for now: replaced within "
        f"{READER_GRACE.total_seconds() / _HOURS:.0f} h, or written within "
        f"{ABANDONED_AFTER.total_seconds() / _HOURS:.0f} h by a run that may be at work (--now removes them too)"
    )


def _amount(files: int, size: int) -> str:
    return f"{files:,} file{'' if files == 1 else 's'}, {size / 1e6:,.1f} MB"
