"""``traffic replay``: run the producer, which is a program of its own."""

import os
import sys

import click

from smartcity.services.supervisor import RUNNING, STARTING, Supervisor
from smartcity.settings import ROOT, Settings


def _make_way(supervisor: Supervisor) -> None:
    """Stop the replay that ``traffic up`` started: two at once would drive the same vehicles twice."""
    state = supervisor.states().get("replay")
    if state is not None and state.state in (RUNNING, STARTING):
        click.echo("stopping the replay that runs in the background; ./traffic up starts it again", err=True)
        supervisor.stop_program("replay")


@click.command(
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: tuple[str, ...]) -> None:
    """Stream recorded positions into Kafka, as if they happened now or as they were (``--help`` for the options)."""
    if not {"-h", "--help"} & set(arguments):
        _make_way(Supervisor(Settings()))
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    sys.stdout.flush()
    # In place of this process, so that Ctrl-C and SIGTERM reach the producer itself.
    os.execvpe(
        sys.executable, [sys.executable, "-m", "streaming.replay", *arguments], {**os.environ, "PYTHONPATH": path}
    )
