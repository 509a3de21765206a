"""Days side by side, in processes of their own, handed back in order. What is made does not depend on how many."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from smartcity.errors import TrafficError
from smartcity.generator.days import DayMade, Places, make_days
from smartcity.generator.request import Request

#: Trips that take about as long as a process takes to start.
_WORTH_A_PROCESS = 200_000
#: A run with probes first drives the day before it; so runs are not single days.
_PROBE_RUN_DAYS = 7
#: Days made ahead of the one that is waited for: a bound for what lies about on disk.
_AHEAD = 2


def worker_count(request: Request) -> int:
    """As many as there are cores, but none that would not be worth its start."""
    worth = request.days * request.trips_per_day // _WORTH_A_PROCESS
    return max(1, min(len(os.sched_getaffinity(0)), request.days, worth))


def all_days(request: Request, places: list[Places], workers: int) -> Iterator[DayMade]:
    """Make every day, in order. Raises: TrafficError where a worker was killed."""
    if workers <= 1:
        yield from make_days(request, places)
        return
    length = min(_PROBE_RUN_DAYS, -(-len(places) // workers)) if request.with_probes else 1
    runs = [places[first : first + length] for first in range(0, len(places), length)]
    # A fresh interpreter for each: a fork of a process with threads (Arrow's, the progress bar's) may hang.
    context = multiprocessing.get_context("spawn")
    waiting: deque[Future[list[DayMade]]] = deque()
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_live_with_the_parent) as pool:
        try:
            for run in runs:
                if len(waiting) == workers + _AHEAD:
                    yield from waiting.popleft().result()
                waiting.append(pool.submit(_make, request, run))
            while waiting:
                yield from waiting.popleft().result()
        except BrokenProcessPool as error:
            raise TrafficError(
                "a process that made days was killed, as a system short of memory does: pass a smaller --workers"
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


def _make(request: Request, run: list[Places]) -> list[DayMade]:
    return list(make_days(request, run))


def _live_with_the_parent() -> None:
    """Leave Ctrl-C to the parent, and end with it, however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def follow() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
