"""``traffic``: the one command line. Each subcommand is a module of ``smartcity.cli``, loaded when it is called."""

import importlib
import sys

import click

from smartcity.errors import TrafficError

#: Subcommand -> module with a click command named ``command``. Loaded lazily: ``--help`` must not wait for Spark.
COMMANDS = {
    "up": "smartcity.cli.up",
    "down": "smartcity.cli.down",
    "status": "smartcity.cli.status",
    "doctor": "smartcity.cli.doctor",
    "generate": "smartcity.cli.generate",
    "ingest": "smartcity.cli.ingest",
    "train": "smartcity.cli.train",
    "evaluate": "smartcity.cli.evaluate",
    "replay": "smartcity.cli.replay",
    "bench": "smartcity.cli.bench",
    "test": "smartcity.cli.test",
}


class LazyGroup(click.Group):
    """A group that imports a subcommand's module only when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every subcommand, in the order of a first day's work."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The subcommand; None makes click say which ones there are."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(COMMANDS[cmd_name]).command
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="smart-city-traffic", message="%(version)s")
def cli() -> None:
    """Taxi and probe records in; a live, honest picture of congestion out, now and 15 minutes ahead."""


def main() -> None:
    """Run the command line; a ``TrafficError`` becomes one line on standard error and exit code 1."""
    try:
        cli(prog_name="traffic")
    except TrafficError as error:
        click.echo(f"traffic: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
