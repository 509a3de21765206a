"""``traffic housekeeping``: what killed runs left in the lake, and what newer files replaced, is removed."""

import json
from dataclasses import asdict

import click

from smartcity.errors import MissingDataError
from smartcity.housekeeping import ABANDONED_AFTER, READER_GRACE, Swept, sweep
from smartcity.lake import Dataset
from smartcity.settings import Settings

_HOURS = 3600


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME…]")
@click.option("--now", "at_once", is_flag=True, help="Whatever its age; only while no job runs and nobody reads.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object of figures by data set.")
def command(names: tuple[str, ...], at_once: bool, as_json: bool) -> None:
    """Remove from the data sets NAME (default: all) what no reader can need. Jobs do the same when they end."""
    settings = Settings()
    known = Dataset.names(settings)
    if unknown := [name for name in names if name not in known]:
        raise MissingDataError(f"no data set {unknown[0]!r} in {settings.lake_root}; there are: {', '.join(known)}")
    found = {name: sweep(Dataset.of(settings, name), at_once=at_once) for name in names or known}
    click.echo(json.dumps({name: asdict(swept) for name, swept in found.items()}) if as_json else _told(found))


def _told(found: dict[str, Swept]) -> str:
    lines = [f"{name}: {_amount(swept.files, swept.bytes)} removed{_left(swept)}" for name, swept in found.items()]
    return "\n".join(lines or ["no data set yet"])


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
