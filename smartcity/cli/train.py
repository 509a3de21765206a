"""``traffic train``: train on a data set, register, and let the gate decide."""

import json

import click

from smartcity.cli.jobs import run_job, size_options
from smartcity.settings import Settings


@click.command()
@click.option("--name", "dataset", help="Data set; default: the one in the settings.")
@size_options
@click.option(
    "--trials",
    type=click.IntRange(1, 17),
    default=Settings().training_trials,
    show_default=True,
    help="Hyper-parameters to try first, on the last of the training days; 1: none but the settings'.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object of figures.")
def command(dataset: str | None, size: tuple[str, ...], trials: int, as_json: bool) -> None:
    """Train a model, log it to MLflow, register it, and promote it if it is better."""
    settings = Settings()
    chosen = ("--dataset", dataset or settings.dataset)
    figures = run_job(settings, "train", "spark_jobs.train", *chosen, *size, "--trials", str(trials))
    if as_json:
        click.echo(json.dumps(figures))
        return
    click.echo(
        f"version {figures['version']}: accuracy {figures['accuracy']:.3f} (persistence "
        f"{figures['persistence_accuracy']:.3f}), macro-F1 {figures['macro_f1']:.3f} "
        f"({figures['persistence_macro_f1']:.3f}), calibration error {figures['ece']:.3f}"
    )
    click.echo(f"{'promoted' if figures['promoted'] else 'not promoted'}: {figures['reason']}")
    click.echo(f"compare runs at {settings.mlflow}")
