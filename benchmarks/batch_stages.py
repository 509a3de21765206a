"""Stages of a batch report themselves as the platform's own pipeline does: a JSON line each."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def stage(name: str) -> Iterator[dict[str, int]]:
    """Time the body; it fills the figures that are printed at its end."""
    started, cpu = time.monotonic(), time.process_time()
    figures: dict[str, int] = {}
    yield figures
    spent = {"seconds": round(time.monotonic() - started, 2), "cpu_seconds": round(time.process_time() - cpu, 2)}
    print(json.dumps({"stage": name, "state": "done", **figures, **spent}), flush=True)
