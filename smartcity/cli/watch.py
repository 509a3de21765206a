"""``traffic watch``: whether events come in and are scored in time."""

import json

import click

from smartcity.errors import ServiceError
from smartcity.settings import Settings
from smartcity.watch import Limits, complaints, observe


@click.command()
@click.option(
    "--silent-minutes",
    type=click.FloatRange(min=0, min_open=True),
    default=10,
    show_default=True,
    help="Without an event or a batch.",
)
@click.option(
    "--lag-events", type=click.IntRange(min=0), default=1_000_000, show_default=True, help="Waiting to be scored."
)
def command(silent_minutes: float, lag_events: int) -> None:
    """Look once at the topic and the stream: figures as one JSON line; exit code 1 with what is out of order."""
    observed = observe(Settings())
    click.echo(json.dumps(observed.figures()))
    if found := complaints(observed, Limits(silent_minutes, lag_events)):
        raise ServiceError("; ".join(found))
