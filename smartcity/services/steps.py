"""Runs a step of the start as a process that ``down`` and the next ``up`` find, should it be left over."""

from collections.abc import Callable, Mapping

from smartcity.services import child
from smartcity.services.programs import HOME_MARK, SERVICE_MARK
from smartcity.settings import Settings

#: What a step's process is called in its environment; only its own `up` may have one running.
STEP_MARK = "step-"


def run(
    settings: Settings,
    name: str,
    command: list[str],
    environment: Mapping[str, str],
    watch: Callable[[str], None] = lambda line: None,
) -> list[str]:
    """Run ``command`` to its end. Returns: the last lines of its output. Raises: JobError with them where it fails.

    ``watch`` takes each line of either output.
    """
    marks = {HOME_MARK: str(settings.home), SERVICE_MARK: f"{STEP_MARK}{name}"}
    log = settings.home / "logs" / f"{name}.log"
    return child.run(name, command, log, {**environment, **marks}, watch, watch)
