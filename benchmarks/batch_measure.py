"""Run a program and take its wall time, its processor time and its peak memory, all its processes together."""

import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from smartcity.errors import TrafficError

#: Between two looks at the processes. Shorter peaks may be missed; the looks themselves cost the program time.
SAMPLE_SECONDS = 0.25
_TAIL_LINES = 15


@dataclass(frozen=True)
class Measured:
    """What a run took. Memory: proportional set size, so pages that processes share count once."""

    wall_seconds: float
    cpu_seconds: float
    peak_memory_bytes: int
    output: str


class _Watch(threading.Thread):
    """Looks at a process and all that come from it until told to end."""

    def __init__(self, pid: int) -> None:
        super().__init__(name="watch", daemon=True)
        self._root = psutil.Process(pid)
        self._ended = threading.Event()
        self._cpu: dict[tuple[int, float], float] = {}
        self.peak_bytes = 0

    def run(self) -> None:
        while not self._ended.wait(SAMPLE_SECONDS):
            self._look()

    def _look(self) -> None:
        total = 0
        try:
            family = [self._root, *self._root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return
        for process in family:
            try:
                times = process.cpu_times()
                self._cpu[process.pid, process.create_time()] = times.user + times.system
                total += _proportional_bytes(process.pid)
            except (psutil.NoSuchProcess, OSError):
                continue
        self.peak_bytes = max(self.peak_bytes, total)

    def end(self) -> float:
        """Stop looking. Returns: processor seconds of all processes seen, as of their last look."""
        self._ended.set()
        self.join()
        return sum(self._cpu.values())


def _proportional_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def measure(command: Sequence[str], environment: Mapping[str, str], folder: Path, log: Path) -> Measured:
    """Run ``command`` in ``folder``. Raises: TrafficError with the end of its log where it fails."""
    started = time.monotonic()
    with log.open("w") as errors:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, env=dict(environment), cwd=folder, text=True
        )
        watch = _Watch(process.pid)
        watch.start()
        try:
            output = process.communicate()[0]
        except BaseException:
            process.kill()
            raise
        finally:
            wall = time.monotonic() - started
            cpu = watch.end()
    if process.returncode:
        last = "\n".join(log.read_text(errors="replace").splitlines()[-_TAIL_LINES:])
        raise TrafficError(f"{' '.join(command[:4])} … failed with exit code {process.returncode}:\n{last}")
    return Measured(wall, cpu, watch.peak_bytes, output)


def read_seconds(files: Sequence[Path]) -> float:
    """Time to read the bytes of files, once: what no reader of them can beat."""
    buffer = bytearray(1 << 22)
    started = time.monotonic()
    for path in files:
        with path.open("rb", buffering=0) as stream:
            while stream.readinto(buffer):
                pass
    return time.monotonic() - started


def folder_bytes(folder: Path) -> int:
    """Size of all files under a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
