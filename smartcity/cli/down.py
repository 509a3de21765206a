"""``traffic down``: stop everything of this home and make sure that nothing is left, however it was started."""

import click

from smartcity.errors import ServiceError
from smartcity.services import processes, uplock
from smartcity.services.supervisor import Supervisor
from smartcity.settings import Settings


@click.command()
def command() -> None:
    """Stop everything and leave no process behind."""
    settings = Settings()
    if uplock.interrupt(settings):
        click.echo("stopped the ./traffic up that was at work")
    before = processes.ours(settings)
    supervisor = Supervisor(settings)
    if supervisor.is_running():
        click.echo(f"stopping {len(before)} processes…")
        supervisor.shutdown()
    # Whatever supervisord did not end itself: it was killed, or a program left its process group.
    left = processes.end((process for process, _ in processes.ours(settings).values()), seconds=30)
    if left or processes.ours(settings):
        names = ", ".join(f"{pid} ({service})" for pid, (_, service) in processes.ours(settings).items())
        raise ServiceError(f"these processes do not end: {names}")
    click.echo(f"stopped {len(before)} processes; none is left" if before else "nothing was running")
