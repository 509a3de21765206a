"""``traffic model``: the versions of the registry, which one serves, and how it does."""

import json

import click
from rich.console import Console
from rich.table import Table

from smartcity.model import registry
from smartcity.model.monitor import look
from smartcity.settings import Settings
from smartcity.store.engine import create_all, create_engine
from smartcity.store.ledger import PROMOTE, ROLL_BACK, decisions, record_decision


@click.group()
def command() -> None:
    """List, promote and roll back versions of the model; look how the one that serves does."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: versions, and the ledger.")
def list_versions(as_json: bool) -> None:
    """Every version, what it scored on its hold-out days, and what the gate said."""
    settings = Settings()
    found = registry.entries(settings)
    if as_json:
        versions = [
            {**vars(entry), "aliases": list(entry.aliases), "created_utc": entry.created_utc.isoformat()}
            for entry in found
        ]
        click.echo(json.dumps({"versions": versions, "ledger": _ledger(settings)}))
        return
    if not found:
        click.echo("no version yet. Train one with: traffic train")
        return
    table = Table()
    for name in ("version", "serves", "trained (UTC)", "data set", "macro-F1", "persistence", "the gate said"):
        table.add_column(name)
    for entry in found:
        tags = entry.tags
        table.add_row(
            entry.version,
            "champion" if registry.CHAMPION in entry.aliases else "",
            f"{entry.created_utc:%Y-%m-%d %H:%M}",
            tags.get("dataset", "–"),
            tags.get("macro_f1", "–"),
            tags.get("persistence_macro_f1", "–"),
            tags.get(registry.REASON_TAG, "–"),
        )
    Console().print(table)


def _ledger(settings: Settings) -> list[dict[str, object]]:
    engine = create_engine(settings)
    create_all(engine)
    return [{**line, "decided_utc": line["decided_utc"].isoformat()} for line in decisions(engine)]


@command.command()
@click.argument("version")
@click.option("--reason", default="promoted by hand", show_default=True, help="For the ledger.")
def promote(version: str, reason: str) -> None:
    """Let VERSION serve, whatever the gate said. The stream takes it within seconds."""
    settings = Settings()
    # What does not load would be refused by the stream: better here.
    registry.load_version(settings, version)
    before = registry.make_champion(settings, version)
    _record(settings, version, PROMOTE, before, reason)
    click.echo(f"version {version} serves; before: {before or 'persistence'}")


@command.command()
@click.option("--reason", default="rolled back by hand", show_default=True, help="For the ledger.")
def rollback(reason: str) -> None:
    """Let the version serve that did before this one. The stream takes it within seconds."""
    settings = Settings()
    left, back = registry.roll_back(settings)
    _record(settings, back, ROLL_BACK, left, reason)
    click.echo(f"version {back} serves again; version {left} left")


@command.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def watch(as_json: bool) -> None:
    """Score the forecasts that came due in the last day, record it, and say whether the model has drifted."""
    seen = look(Settings())
    if as_json:
        live = {k: v for k, v in (seen.live or {}).items() if k != "until_utc"}
        verdict = {"drifted": seen.verdict.drifted, "reasons": list(seen.verdict.reasons)}
        click.echo(json.dumps({"version": seen.version, "live": live, "stability": seen.stability, **verdict}))
        return
    if seen.live:
        click.echo(
            f"version {seen.version}, {seen.live['scored']:,} forecasts due in the last day: accuracy "
            f"{seen.live['accuracy']:.3f} (persistence {seen.live['persistence_accuracy']:.3f}), macro-F1 "
            f"{seen.live['macro_f1']:.3f} ({seen.live['persistence_macro_f1']:.3f}), calibration error "
            f"{seen.live['ece']:.3f}"
        )
    click.echo("drifted: train anew (traffic train)" if seen.verdict.drifted else "no drift")
    for reason in seen.verdict.reasons:
        click.echo(f"  {reason}")


def _record(settings: Settings, version: str, action: str, before: str | None, reason: str) -> None:
    engine = create_engine(settings)
    create_all(engine)
    record_decision(engine, version, action, True, before, reason)
