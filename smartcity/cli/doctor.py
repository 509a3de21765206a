"""``traffic doctor``: what is wrong with this machine or set-up, and what to do about it."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass

import click
from rich.console import Console
from rich.markup import escape

from smartcity.errors import TrafficError
from smartcity.lake import Dataset
from smartcity.services import health, jars, java, preflight, processes
from smartcity.services.supervisor import RUNNING, Supervisor
from smartcity.settings import Settings


@dataclass(frozen=True)
class Finding:
    """One thing looked at: is it well, what was seen, and if not, the way out."""

    what: str
    ok: bool
    detail: str


def _look(what: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(what, True, check())
    except TrafficError as error:
        return Finding(what, False, str(error))


def _java(settings: Settings) -> str:
    runtime = java.find_runtime()
    return f"{runtime.version} at {java.java_home(settings)}"


def _archives(settings: Settings, pool: str) -> Finding:
    what = f"Java archives: {pool}"
    if lacking := jars.missing(settings, pool):
        return Finding(what, False, f"{len(lacking)} are not fetched yet; ./traffic up fetches them")

    def verified() -> str:
        jars.verify(jars.folder(settings, pool), jars.pinned(pool))
        return f"{len(jars.pinned(pool))}, each as pinned"

    return _look(what, verified)


def _data(settings: Settings) -> Finding:
    days = Dataset.of(settings).features.dates()
    if not days:
        return Finding("data", False, f"data set {settings.dataset!r} has no features; ./traffic up makes a city")
    return Finding("data", True, f"{settings.dataset}: {len(days)} days, {days[0]} to {days[-1]}")


def _services(settings: Settings) -> list[Finding]:
    supervisor = Supervisor(settings)
    states = supervisor.states()
    own = processes.ours(settings)
    if not states:
        if own:
            return [
                Finding("services", False, f"{len(own)} processes run without their supervisor; stop: ./traffic down")
            ]
        return [Finding("services", False, "nothing runs; start it with: ./traffic up")]
    findings = []
    for name, state in states.items():
        log = settings.home / "logs" / f"{name}.log"
        if state.state != RUNNING:
            findings.append(Finding(name, False, f"{state.state.lower()}: {state.description}; see {log}"))
    for name, check in health.CHECKS.items():
        if any(program.split("-")[0] == name and state.state == RUNNING for program, state in states.items()):
            found = check(settings)
            hint = "" if found.ok else f"; see {settings.home / 'logs'}/{name}*.log, then: ./traffic down, ./traffic up"
            findings.append(Finding(name, found.ok, found.detail + hint))
            if name == "airflow" and found.ok:
                dags = health.check_dags(settings)
                findings.append(Finding("DAGs", dags.ok, dags.detail))
    return findings


def examine(settings: Settings) -> list[Finding]:
    """All findings, the machine's first."""
    own = processes.ours(settings)
    findings = [
        _look("disk", lambda: preflight.check_disk(settings)),
        _look("ports", lambda: preflight.check_ports(settings, own)),
        _look("Java", lambda: _java(settings)),
        _archives(settings, jars.BROKER),
        _archives(settings, jars.CONNECTOR),
        _data(settings),
        *_services(settings),
    ]
    if not own:
        findings.insert(1, _look("memory", preflight.check_memory))
    return findings


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object: the findings.")
def command(as_json: bool) -> None:
    """What is wrong with this machine or set-up, and what to do about it. Exit code 1 where anything is."""
    findings = examine(Settings())
    wrong = [finding for finding in findings if not finding.ok]
    if as_json:
        click.echo(json.dumps({"wrong": len(wrong), "findings": [asdict(finding) for finding in findings]}))
    else:
        console = Console(soft_wrap=True)
        for finding in findings:
            mark = "[green]✓[/green]" if finding.ok else "[red]✗[/red]"
            console.print(f"{mark} {finding.what}: {escape(finding.detail)}", highlight=False)
    if wrong:
        raise SystemExit(1)
