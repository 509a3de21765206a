"""``traffic model``: the versions of the registry, which one serves, and how it does."""

import json
from datetime import UTC, datetime

import click
from rich.console import Console
from rich.table import Table

from smartcity.model import registry
from smartcity.model.advice import Advice, advise, reign
from smartcity.model.monitor import Look, look
from smartcity.model.pruning import prune
from smartcity.settings import Settings
from smartcity.store.engine import create_engine, open_engine
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
    return [{**line, "decided_utc": line["decided_utc"].isoformat()} for line in decisions(open_engine(settings))]


@command.command()
@click.argument("version")
@click.option("--reason", default="promoted by hand", show_default=True, help="For the ledger.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def promote(version: str, reason: str, as_json: bool) -> None:
    """Let VERSION serve, whatever the gate said. The stream takes it within seconds."""
    settings = Settings()
    # What does not load would be refused by the stream: better here.
    registry.load_version(settings, version)
    before = registry.make_champion(settings, version)
    if before != version:
        _record(settings, version, PROMOTE, before, reason)
    if as_json:
        click.echo(json.dumps({"version": version, "before": before, "changed": before != version, "reason": reason}))
        return
    click.echo(f"version {version} serves; before: {before or 'persistence'}")


@command.command()
@click.option("--reason", default="rolled back by hand", show_default=True, help="For the ledger.")
@click.option(
    "--if-serving", metavar="VERSION", help="Only where VERSION serves; else nothing is done, and exit code 0."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def rollback(reason: str, if_serving: str | None, as_json: bool) -> None:
    """Let the version serve that did before this one. The stream takes it within seconds."""
    settings = Settings()
    serving = registry.champion_version(settings)
    if if_serving is not None and serving != if_serving:
        said = {"version": serving, "before": if_serving, "changed": False, "reason": reason}
        click.echo(json.dumps(said) if as_json else f"version {serving} serves, not {if_serving}: nothing to do")
        return
    left, back = registry.roll_back(settings, if_serving)
    _record(settings, back, ROLL_BACK, left, reason)
    if as_json:
        click.echo(json.dumps({"version": back, "before": left, "changed": True, "reason": reason}))
        return
    click.echo(f"version {back} serves again; version {left} left")


@command.command("prune")
@click.option(
    "--keep", type=click.IntRange(min=2), default=20, show_default=True, help="Newest, and earlier champions."
)
def prune_versions(keep: int) -> None:
    """Take old versions out of the registry, never what serves nor what a roll-back would return to."""
    settings = Settings()
    gone = prune(settings, keep)
    left = len(registry.entries(settings))
    click.echo(f"{len(gone)} versions removed{': ' + ', '.join(gone) if gone else ''}; {left} left")


@command.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def watch(as_json: bool) -> None:
    """Score the forecasts that came due in the last day, record it, and say whether the model has drifted."""
    settings = Settings()
    seen = look(settings)
    advice, dataset = _advice(settings, seen)
    if as_json:
        live = {k: v for k, v in (seen.live or {}).items() if k != "until_utc"}
        verdict = {"drifted": seen.verdict.drifted, "reasons": list(seen.verdict.reasons)}
        said = {"version": seen.version, "dataset": dataset, "live": live, "stability": seen.stability, **verdict}
        click.echo(json.dumps({**said, "roll_back": advice.roll_back, "retrain": advice.retrain}))
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
    if advice.roll_back:
        click.echo(f"it is new: go back with traffic model rollback --if-serving {seen.version}")


def _advice(settings: Settings, seen: Look) -> tuple[Advice, str | None]:
    """What to do, and the data set that the serving version was trained on."""
    entries = registry.entries(settings) if seen.version else []
    serving = next((entry for entry in entries if entry.version == seen.version), None)
    trained = max((entry.created_utc for entry in entries), default=None)
    lines = [dict(line) for line in decisions(create_engine(settings), most=200)]
    advice = advise(seen, reign(seen.version, lines), trained, datetime.now(UTC))
    return advice, serving.tags.get("dataset") if serving else None


def _record(settings: Settings, version: str, action: str, before: str | None, reason: str) -> None:
    record_decision(open_engine(settings), version, action, True, before, reason)
