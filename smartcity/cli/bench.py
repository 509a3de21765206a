"""``traffic bench NAME``: one of the benchmarks, as a process of its own."""

import os
import subprocess
import sys

import click

from smartcity.errors import InputError
from smartcity.services import java
from smartcity.settings import ROOT, Settings

FOLDER = ROOT / "benchmarks"


def names() -> list[str]:
    """The benchmarks there are; ``batch_duckdb`` is a part of ``batch``, not one of its own."""
    stems = {path.stem for path in FOLDER.glob("[!_]*.py")}
    return sorted(stem for stem in stems if stem.split("_")[0] not in stems - {stem})


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON object of named figures.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(name: str | None, as_json: bool, arguments: tuple[str, ...]) -> None:
    """Run the benchmark NAME; what follows is passed on to it. Without NAME: list them."""
    if name is None:
        click.echo("\n".join(names()))
        return
    if name not in names():
        raise InputError(f"there is no benchmark {name!r}; there are: {', '.join(names()) or 'none'}")
    command_line = [sys.executable, "-m", f"benchmarks.{name}", *(["--json"] if as_json else []), *arguments]
    environment = {**os.environ, **java.environment(Settings())}
    raise SystemExit(subprocess.run(command_line, env=environment, check=False).returncode)
