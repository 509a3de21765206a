"""``traffic evaluate``: train and score on any ingested data set, beside the baselines. Registers nothing."""

import json
import tempfile
from pathlib import Path
from typing import Any

import click

from smartcity.cli.jobs import run_job, size_options
from smartcity.settings import Settings

COLUMNS = ("accuracy", "macro_f1", "log_loss", "ece", "rmse_mph", "mae_mph", "truth_accuracy", "truth_macro_f1")

EVALUATION = ("--no-register", "--all-steps", "--trials", "1")


@click.command()
@click.argument("name", required=False)
@size_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object of figures.")
def command(name: str | None, size: tuple[str, ...], as_json: bool) -> None:
    """Score a model on the held-out last fifth of data set NAME, side by side with the baselines."""
    settings = Settings()
    with tempfile.TemporaryDirectory(prefix="traffic-evaluate-") as folder:
        report = Path(folder) / "report.json"
        chosen = ("--dataset", name or settings.dataset)
        run_job(settings, "evaluate", "spark_jobs.train", *chosen, *size, *EVALUATION, "--report", str(report))
        found = json.loads(report.read_text())
    click.echo(json.dumps({"dataset": name or settings.dataset, **found}) if as_json else _table(found))


def _table(report: dict[str, Any]) -> str:
    """The evaluation as people read it."""
    shown = [column for column in COLUMNS if any(column in figures for figures in report["models"].values())]
    lines = ["".join([f"{'':20}", *(f"{column:>16}" for column in shown)])]
    for model, figures in report["models"].items():
        cells = (f"{figures[column]:>16.4f}" if column in figures else f"{'–':>16}" for column in shown)
        lines.append("".join([f"{model:20}", *cells]))
    margin = report["margin_over_persistence_macro_f1"]
    lines.append(
        f"macro-F1 above persistence {margin['value']:+.4f} "
        f"(95 % interval {margin['low']:+.4f} to {margin['high']:+.4f}), "
        f"RMSE of the expected speed {report['rmse_below_persistence']:.1%} under persistence; "
        f"{report['training_rows']:,} rows to train on, {report['test_rows']:,} to test on"
    )
    if report["absent_levels"]:
        lines.append(f"no training row is {' or '.join(report['absent_levels'])}: the model gives that no chance")
    for name, figures in report["truth_ceilings"].items():
        lines.append(
            f"the most there is to reach against the truth, {name.replace('_', ' ')}: "
            f"accuracy {figures['accuracy']:.4f}, macro-F1 {figures['macro_f1']:.4f}"
        )
    lines += ["", f"RMSE of the expected speed, mph, by minutes ahead ({report['speed_method']})"]
    for model, figures in report["models"].items():
        steps = figures["rmse_mph_by_minutes_ahead"].items()
        lines.append("".join([f"{model:20}", *(f"{minutes + ' min':>8} {value:>7.3f}" for minutes, value in steps)]))
    return "\n".join(lines)
