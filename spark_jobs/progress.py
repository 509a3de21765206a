"""Says once a second how far a job is, as JSON lines for whoever started it."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from smartcity.spark.tasks import Scheduler

_SECONDS = 1.0

#: Given to tasks: adds to what is done.
Count = Callable[[float], None]


@contextmanager
def counting(spark: Scheduler, stage: str, total: int, unit: str) -> Iterator[Count]:
    """Run the block while what its tasks count is shown against ``total``.

    Yields: a function that tasks on any worker call with the units they finished.
    """
    done = spark.sparkContext.accumulator(0.0)
    stopped = threading.Event()

    def show() -> None:
        shown = -1.0
        while not stopped.wait(_SECONDS):
            if done.value != shown:
                shown = done.value
                line = {"stage": stage, "state": "running", "done": round(shown), "total": total, "unit": unit}
                print(json.dumps(line), flush=True)

    thread = threading.Thread(target=show, name=f"progress of {stage}", daemon=True)
    thread.start()
    try:
        yield done.add
    finally:
        stopped.set()
        thread.join()
