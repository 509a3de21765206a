"""``traffic up``: from whatever is there to everything running. Each step looks first and redoes no finished work."""

import fcntl
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import click
from rich.console import Console

from smartcity.cli import start
from smartcity.cli.steps import Steps
from smartcity.errors import InstallError, ServiceError
from smartcity.services import processes
from smartcity.services.supervisor import Supervisor
from smartcity.settings import Settings

SKIPPABLE = ("airflow", "replay")


@click.command()
@click.option("--days", default=4, show_default=True, help="Days of the generated city, made at the first start.")
@click.option("--trips-per-day", default=20_000, show_default=True, help="Trips a day of the generated city.")
@click.option("--seed", default=7, show_default=True, help="Seed of the generated city.")
@click.option("--skip", multiple=True, type=click.Choice(SKIPPABLE), help="Leave a service out; may be repeated.")
def command(days: int, trips_per_day: int, seed: int, skip: tuple[str, ...]) -> None:
    """Start everything, making what is missing; ends with the addresses to open."""
    settings = Settings()
    console = Console(soft_wrap=True)
    steps = Steps(console)
    supervisor = Supervisor(settings)
    ran_before = supervisor.is_running()
    plan = start.Plan(settings, days, trips_per_day, seed, frozenset(skip))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with _alone(settings):
            start.run(steps, supervisor, plan)
    except KeyboardInterrupt:
        if not ran_before:
            supervisor.shutdown()
            processes.end(process for process, _ in processes.ours(settings).values())
        raise click.Abort from None
    _welcome(console, settings, plan)


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """One ``up`` at a time for a home; the lock goes with the process, however it ends."""
    folder = settings.home / "run"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = (folder / "up.lock").open("w")
    except OSError as error:
        raise InstallError(
            f"the folder {settings.home} can't be written ({error.strerror}); choose another with TRAFFIC_HOME"
        ) from error
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ServiceError(f"another ./traffic up is at work in {settings.home}; wait for it") from error
        yield


def _welcome(console: Console, settings: Settings, plan: start.Plan) -> None:
    host = "127.0.0.1"
    console.print()
    console.print(f"  Dashboard   http://{host}:{settings.api_port}/", highlight=False)
    console.print(f"  API         http://{host}:{settings.api_port}/api/health", highlight=False)
    if "airflow" not in plan.skip:
        console.print(f"  Airflow     http://{host}:{settings.airflow_port}/", highlight=False)
    console.print(f"  MLflow      {settings.mlflow}/", highlight=False)
    console.print()
    console.print("  The map fills as vehicles report; forecasts for 15 minutes ahead follow with the second window.")
    console.print("  ./traffic status shows what runs, ./traffic down stops it.", highlight=False)
