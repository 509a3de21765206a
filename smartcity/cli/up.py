"""``traffic up``: from whatever is there to everything running. Each step looks first and redoes no finished work."""

import signal

import click
from rich.console import Console

from smartcity.cli import start
from smartcity.cli.steps import Steps
from smartcity.services import processes, uplock
from smartcity.services.supervisor import Supervisor
from smartcity.settings import Settings

SKIPPABLE = ("airflow", "replay")


@click.command()
@click.option("--days", default=6, show_default=True, help="Days of the generated city, made at the first start.")
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
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        with uplock.alone(settings):
            try:
                start.run(steps, supervisor, plan)
            except KeyboardInterrupt:
                # Before the lock is let go: another `up` must not meet what is being stopped.
                if not ran_before:
                    console.print("stopping what was started…")
                    supervisor.shutdown()
                    processes.end(process for process, _ in processes.ours(settings).values())
                raise
    except KeyboardInterrupt:
        done = "what ran before goes on running" if ran_before else "nothing of it is left running"
        raise click.ClickException(f"interrupted; {done}. ./traffic up goes on where it stopped") from None
    _welcome(console, settings, plan)


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
