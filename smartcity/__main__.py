"""``traffic``: the one command line. Each subcommand is a module of ``smartcity.cli``, loaded when it is called."""

import errno
import importlib
import re
import sys
from pathlib import Path

import click

from smartcity.errors import TrafficError

ROOT = Path(__file__).resolve().parent.parent

#: Subcommand -> what it does. Each is the click command named ``command`` in the module of its name in
#: ``smartcity.cli``, imported only when it is called: ``--help`` must not wait for Spark.
COMMANDS = {
    "up": "Start everything, making what is missing; ends with the addresses to open.",
    "down": "Stop everything and leave no process behind.",
    "status": "What runs, since when, with how much memory, and how old the newest data are.",
    "doctor": "What is wrong with this machine or set-up, and what to do about it.",
    "generate": "Make the generated city: trips, probe positions and the truth.",
    "ingest": "Take trip files, probe feeds or sensor tables into the lake.",
    "housekeeping": "Remove what killed runs left in the lake, and what newer files replaced.",
    "watch": "Say whether events come in and are scored in time; exit code 1 where not.",
    "train": "Train the congestion model and register it.",
    "evaluate": "Score a data set's model against its baselines.",
    "model": "List, promote and roll back versions of the model; look how the one that serves does.",
    "replay": "Stream recorded trips into Kafka as if they happened now.",
    "secrets": "Make the secrets of the full deployment and write them into .env.",
    "bench": "Run one of the benchmarks.",
    "test": "Install what the tests need and run every check and test.",
}


def project_version() -> str:
    """The version in ``pyproject.toml``: ``./traffic`` runs from the sources, with nothing installed."""
    found = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    return found[1] if found else "unknown"


class LazyGroup(click.Group):
    """A group that imports a subcommand's module only when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every subcommand, in the order of a first day's work."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The subcommand; None makes click say which ones there are."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"smartcity.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in ``--help``, without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version=project_version(), message="%(version)s")
def cli() -> None:
    """Taxi and probe records in; a live, honest picture of congestion out, now and 15 minutes ahead."""


def main() -> None:
    """Run the command line; a ``TrafficError`` becomes one line on standard error and exit code 1."""
    try:
        cli(prog_name="traffic")
    except TrafficError as error:
        said = str(error)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in ("smartcity", "benchmarks"):
            raise
        said = f"the environment is damaged: it has no {error.name}. Remake it: rm -r .venv && ./traffic doctor"
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            raise
        said = f"{error.strerror}: {error.filename or f'one of the disks under {ROOT} and TRAFFIC_HOME'}"
    else:
        return
    click.echo(f"traffic: {said}", err=True)
    sys.exit(1)


if __name__ == "__main__":
    main()
