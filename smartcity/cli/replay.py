"""``traffic replay``: run the producer, which is a program of its own."""

import os
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import click

from smartcity.errors import InputError, ServiceError
from smartcity.lake import Dataset
from smartcity.services.supervisor import RUNNING, STARTING, Supervisor
from smartcity.settings import ROOT, Settings
from smartcity.store import replay as store
from smartcity.store.engine import open_engine

#: For the replay that runs: how each is written.
ORDERS = {"pause": "pause", "resume": "resume", "seek": "seek TIME", "speed": "speed N", "status": "status"}
WAIT_SECONDS = 3.0


def _make_way(supervisor: Supervisor) -> None:
    """Stop the replay that ``traffic up`` started: two at once would drive the same vehicles twice."""
    state = supervisor.states().get("replay")
    if state is not None and state.state in (RUNNING, STARTING):
        click.echo("stopping the replay that runs in the background; ./traffic up starts it again", err=True)
        supervisor.stop_program("replay")


def _order(action: str, *values: str) -> None:
    settings = Settings()
    engine = open_engine(settings)
    zone = Dataset.of(settings).city.zone
    if len(values) != (1 if action in (store.SEEK, store.SPEED) else 0):
        raise InputError(f"say: traffic replay {ORDERS[action]}")
    if action != "status":
        to = _moment(values[0], zone) if action == store.SEEK else None
        store.ask(engine, action, zone, to, _number(values[0]) if action == store.SPEED else None)
    row = store.replay_row(engine)
    # Carried out within a second where the replay runs; what it refuses, it says then.
    end = time.monotonic() + WAIT_SECONDS
    while row is not None and row["wish_number"] != row["done_number"] and time.monotonic() < end:
        time.sleep(0.2)
        row = store.replay_row(engine)
    if row is None:
        raise ServiceError("no replay has run yet. Start one with: traffic replay")
    if action != "status" and row["refused"]:
        raise InputError(row["refused"])
    click.echo(_line(row))


def _line(row: Mapping[str, Any]) -> str:
    if row["wish_number"] != row["done_number"]:
        return "asked for; it is carried out as soon as the replay runs again"
    state = store.state_of(row, datetime.now(UTC))
    at = f"{row['position_utc']:%Y-%m-%d %H:%M:%S}Z" if row["position_utc"] else "the beginning"
    rate = f"{row['events_sent']:,} events sent, {row['events_per_second']:,.0f}/s"
    return f"{state if state != store.NONE else 'does not run'}, ×{row['speed']:g}, at {at}, {rate}"


def _moment(text: str, zone: ZoneInfo) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"{text!r} is no moment; write 2016-01-05T08:00 (city time) or 2016-01-05T13:00Z") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def _number(text: str) -> float:
    try:
        return store.MAX_SPEED if text == "max" else float(text)
    except ValueError as error:
        raise InputError(f"{text!r} is no speed; write a number, or max") from error


@click.command(
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: tuple[str, ...]) -> None:
    """Stream recorded positions into Kafka, as if they happened now or as they were (``--help`` for the options).

    ``pause``, ``resume``, ``seek TIME``, ``speed N`` and ``status`` are for the replay that runs.
    """
    if arguments and arguments[0] in ORDERS:
        return _order(*arguments)
    if not {"-h", "--help"} & set(arguments):
        _make_way(Supervisor(Settings()))
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    sys.stdout.flush()
    # In place of this process, so that Ctrl-C and SIGTERM reach the producer itself.
    os.execvpe(
        sys.executable, [sys.executable, "-m", "streaming.replay", *arguments], {**os.environ, "PYTHONPATH": path}
    )
