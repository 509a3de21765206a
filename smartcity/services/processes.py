"""Finding and ending the processes of this home, whoever their parent is: each carries two marks in its environment."""

import os
from collections.abc import Iterable

import psutil

from smartcity.services.programs import HOME_MARK, SERVICE_MARK
from smartcity.settings import Settings


def ours(settings: Settings) -> dict[int, tuple[psutil.Process, str]]:
    """Every process that a service of this home started, by process id, with that service's name.

    Children count too: some programs write their title over the environment that they were given.
    """
    found: dict[int, tuple[psutil.Process, str]] = {}
    for process in psutil.process_iter():
        try:
            environment = process.environ()
        except (psutil.Error, OSError):
            continue
        if environment.get(HOME_MARK) == str(settings.home) and SERVICE_MARK in environment:
            found[process.pid] = (process, environment[SERVICE_MARK])
    for process, service in list(found.values()):
        try:
            children = process.children(recursive=True)
        except psutil.Error:
            continue
        for child in children:
            found.setdefault(child.pid, (child, service))
    found.pop(os.getpid(), None)
    return found


def memory_bytes(processes: Iterable[psutil.Process]) -> int:
    """Memory of these processes together; pages they share are counted once, where the system tells (PSS)."""
    total = 0
    for process in processes:
        try:
            try:
                total += process.memory_full_info().pss
            except (AttributeError, psutil.AccessDenied):
                total += process.memory_info().rss
        except psutil.Error:
            continue
    return total


def end(processes: Iterable[psutil.Process], seconds: float = 15) -> list[psutil.Process]:
    """Ask these processes to end, then make them. Returns: those that are there even so."""
    remaining = list(processes)
    for ask in (psutil.Process.terminate, psutil.Process.kill):
        for process in remaining:
            try:
                ask(process)
            except psutil.NoSuchProcess:
                continue
        _, remaining = psutil.wait_procs(remaining, timeout=seconds)
        if not remaining:
            break
    return remaining
