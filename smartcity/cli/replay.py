"""``traffic replay``: run the producer, which is a program of its own."""

import os
import sys

import click

from smartcity.settings import ROOT


@click.command(
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: tuple[str, ...]) -> None:
    """Stream recorded positions into Kafka, as if they happened now or as they were (``--help`` for the options)."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    sys.stdout.flush()
    # In place of this process, so that Ctrl-C and SIGTERM reach the producer itself.
    os.execvpe(
        sys.executable, [sys.executable, "-m", "streaming.replay", *arguments], {**os.environ, "PYTHONPATH": path}
    )
