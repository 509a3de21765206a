"""``traffic status``: what runs, since when, with how much memory, and how old the newest data are."""

import json
from typing import Any, Literal

import click
import psutil
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from smartcity.services import health, processes
from smartcity.services.supervisor import Supervisor
from smartcity.settings import Settings
from smartcity.store.age import data_age


def figures(settings: Settings) -> dict[str, Any]:
    """Named figures, units in the names."""
    supervisor = Supervisor(settings)
    states, deaths = supervisor.states(), supervisor.deaths()
    own = processes.ours(settings)
    members: dict[str, list[psutil.Process]] = {}
    for process, service in own.values():
        members.setdefault(service, []).append(process)
    services: dict[str, dict[str, Any]] = {}
    for name, state in states.items():
        check = health.CHECKS.get(name)
        found = check(settings) if check and state.pid else None
        services[name] = {
            "state": state.state.lower(),
            "healthy": found.ok if found else None,
            "pid": state.pid,
            "uptime_seconds": state.uptime_seconds,
            "restarts": deaths.get(name, 0),
            "processes": len(members.get(name, [])),
            "memory_bytes": processes.memory_bytes(members.get(name, [])),
            "detail": found.detail if found else state.description,
        }
    airflow = health.check_airflow(settings) if any(name.startswith("airflow") for name in states) else None
    age = data_age(settings)
    return {
        "home": str(settings.home),
        "running": bool(states),
        "services": services,
        "airflow_healthy": airflow.ok if airflow else None,
        "airflow_detail": airflow.detail if airflow and not airflow.ok else None,
        "processes": len(own),
        "memory_bytes": processes.memory_bytes(process for process, _ in own.values()),
        "last_batch_age_seconds": round(age.progress_seconds, 1) if age else None,
        "newest_event_age_seconds": round(age.newest_event_seconds, 1) if age and age.newest_event_seconds else None,
        "events_per_second": age.events_per_second if age else None,
        "lag_events": age.lag_events if age else None,
        "model_version": age.model_version if age else None,
    }


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object of named figures.")
def command(as_json: bool) -> None:
    """What runs, since when, with how much memory, and how old the newest data are. Exit code 1 where nothing runs."""
    found = figures(Settings())
    if as_json:
        click.echo(json.dumps(found))
    else:
        _show(found)
    if not found["running"]:
        raise SystemExit(1)


def _age(seconds: int) -> str:
    return f"{seconds} s" if seconds < 60 else f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h"


def _show(found: dict[str, Any]) -> None:
    if not found["running"]:
        click.echo("nothing runs; start it with: ./traffic up")
        return
    table = Table(box=None, pad_edge=False)
    for title in ("service", "state", "healthy", "pid", "up", "restarts", "memory", ""):
        justify: Literal["right", "left"] = "right" if title in ("pid", "up", "restarts", "memory") else "left"
        table.add_column(title, justify=justify, no_wrap=bool(title))
    for name, row in found["services"].items():
        table.add_row(
            name,
            row["state"],
            {True: "yes", False: "[red]no[/red]", None: ""}[row["healthy"]],
            str(row["pid"] or ""),
            _age(row["uptime_seconds"]) if row["pid"] else "",
            f"[yellow]{row['restarts']}[/yellow]" if row["restarts"] else "",
            f"{row['memory_bytes'] / 2**20:.0f} MiB",
            "" if row["pid"] and row["healthy"] is not False else escape(row["detail"]),
        )
    console = Console(soft_wrap=True)
    console.print(table)
    if found["airflow_detail"]:
        console.print(f"[red]Airflow: {escape(found['airflow_detail'])}[/red]", highlight=False)
    console.print(f"{found['processes']} processes, {found['memory_bytes'] / 2**30:.1f} GiB", highlight=False)
    if found["last_batch_age_seconds"] is not None:
        console.print(
            f"last batch {found['last_batch_age_seconds']} s ago, newest event {found['newest_event_age_seconds']} s "
            f"old, {found['events_per_second']:.0f} events/s, model {found['model_version'] or 'none'}",
            highlight=False,
        )
