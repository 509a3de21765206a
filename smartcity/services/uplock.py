"""One ``up`` at a time for a home, and a ``down`` that finds the one at work."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from smartcity.errors import InstallError, ServiceError
from smartcity.services import processes
from smartcity.settings import Settings


def _file(settings: Settings) -> Path:
    return settings.home / "run" / "up.lock"


@contextmanager
def alone(settings: Settings) -> Iterator[None]:
    """Hold the lock while the body runs; it goes with the process, however that ends.

    Raises: ServiceError where another process holds it, InstallError where HOME can't be written.
    """
    try:
        _file(settings).parent.mkdir(parents=True, exist_ok=True)
        handle = _file(settings).open("a+")
    except OSError as error:
        raise InstallError(
            f"the folder {settings.home} can't be written ({error.strerror}); choose another with TRAFFIC_HOME"
        ) from error
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ServiceError(
                f"another ./traffic up is at work in {settings.home}; wait for it, or stop it: ./traffic down"
            ) from error
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        yield


def holder(settings: Settings) -> psutil.Process | None:
    """The ``up`` at work; None where there is none."""
    try:
        with _file(settings).open("r+") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return psutil.Process(int(handle.read()))
    except (OSError, ValueError, psutil.Error):
        pass
    return None


def interrupt(settings: Settings) -> bool:
    """Tell the ``up`` at work to stop, and wait until it has tidied up. Returns: whether there was one."""
    process = holder(settings)
    if process is None:
        return False
    processes.end([process], seconds=60)
    return True
