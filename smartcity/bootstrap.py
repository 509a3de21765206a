"""Makes ``.venv`` from the locks. Run by ``./traffic`` on a bare Python 3.11, so: standard library only.

Every package is checked against its hash. ``uv`` installs where the machine has it; else it is fetched into the new
environment first, and ``pip`` is the last resort. A copy of each lock, written last, marks the environment whole.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

#: The environment, the installers' caches and the first data need about this much.
NEEDED_BYTES = 6 * 10**9
#: Says for which folder the environment was made: its programs have that path written into them.
PLACE = "made-for"


def say(text: str) -> None:
    """One line to the person who waits."""
    print(f"traffic: {text}", file=sys.stderr, flush=True)


def require_disk(root: Path) -> None:
    """Exit where the disk is too full to end well."""
    free = shutil.disk_usage(root).free
    if free < NEEDED_BYTES:
        sys.exit(
            f"traffic: {free / 1e9:.1f} GB free on the disk of {root}; {NEEDED_BYTES / 1e9:.0f} GB are needed. "
            "Free some and run it again; nothing half-made is left."
        )


def run(command: list[str], lock: int, **options: Any) -> bool:
    """Run an installer; it holds the lock too, so that one that outlives a killed ``./traffic`` is waited for."""
    return subprocess.run(command, check=False, pass_fds=(lock,), **options).returncode == 0


def make_environment(folder: Path, uv: str | None, lock: int) -> None:
    """An empty environment in ``folder``; what was there, half-made, is removed."""
    shutil.rmtree(folder, ignore_errors=True)
    command = [uv, "venv", "--quiet", "--python", sys.executable] if uv else [sys.executable, "-m", "venv"]
    if not run([*command, str(folder)], lock):
        shutil.rmtree(folder, ignore_errors=True)
        sys.exit(
            "traffic: Python could not make an environment in .venv (see above). "
            "On Debian and Ubuntu the package python3.11-venv is needed: apt-get install python3.11-venv"
        )


def fetch_uv(root: Path, python: Path, lock: int) -> str | None:
    """``uv``, pinned by hash, inside the environment; None where it can't be had."""
    pinned = root / "requirements-uv.lock"
    command = [str(python), "-m", "pip", "install", "--quiet", "--require-hashes", "--no-deps", "-r", str(pinned)]
    say("fetching the installer uv…")
    # An environment that uv made has no pip of its own.
    run([str(python), "-m", "ensurepip"], lock, capture_output=True)
    fetched = run([*command, "--disable-pip-version-check", "--retries", "2"], lock)
    uv = python.parent / "uv"
    return str(uv) if fetched and uv.exists() else None


def install(root: Path, python: Path, uv: str | None, locks: list[str], lock: int, whole: bool) -> None:
    """Install what the locks name. Where that fails, a new environment is removed (``whole``: it is an older one).

    Whole downloads stay in the installer's cache.
    """
    installer = [uv, "pip", "install", "--python", str(python)] if uv else [str(python), "-m", "pip", "install"]
    files = [part for name in locks for part in ("-r", str(root / name))]
    quiet_links = {"UV_LINK_MODE": "copy"} if uv and not same_disk(root) else {}
    command = [*installer, "--require-hashes", *files]
    if not run(command, lock, env={**os.environ, **quiet_links}):
        if not whole:
            shutil.rmtree(root / ".venv", ignore_errors=True)
        require_disk(root)
        sys.exit(
            "traffic: the packages could not be installed (the reason is above). Without a network connection, or "
            "behind a proxy that is not set (HTTPS_PROXY, SSL_CERT_FILE), they can't be fetched. "
            "Run it again when that is mended: what was fetched whole is kept, and nothing half-made is used."
        )


def same_disk(root: Path) -> bool:
    """Whether uv's cache and the environment share a disk, so that files can be linked instead of copied."""
    cache = Path(os.environ.get("UV_CACHE_DIR") or os.environ.get("XDG_CACHE_HOME") or Path.home())
    return cache.exists() and cache.stat().st_dev == root.stat().st_dev


def runs(python: Path) -> bool:
    """Whether the environment's Python starts: the one it was made of may be gone."""
    try:
        return subprocess.run([str(python), "-c", ""], check=False, capture_output=True).returncode == 0
    except OSError:
        return False


def was_whole(folder: Path, root: Path) -> bool:
    """Whether an older lock was installed completely: then only the difference is installed."""
    place = folder / PLACE
    at_home = not place.exists() or place.read_text().strip() == str(root)
    return at_home and (folder / "requirements.lock").exists() and runs(folder / "bin" / "python")


def write(mark: Path, content: bytes) -> None:
    """Write a file as a whole or not at all."""
    fresh = mark.with_suffix(".new")
    fresh.write_bytes(content)
    fresh.replace(mark)


def main() -> None:
    """Arguments: the repository's root, then the names of the locks to install."""
    root, locks = Path(sys.argv[1]), sys.argv[2:]
    folder = root / ".venv"
    with (root / ".venv.lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another ./traffic is making the environment; waiting for it…")
            fcntl.flock(handle, fcntl.LOCK_EX)
        whole = was_whole(folder, root)
        marks = {folder / lock: (root / lock).read_bytes() for lock in locks}
        stale = [mark for mark, content in marks.items() if not mark.exists() or mark.read_bytes() != content]
        if whole and not stale:
            return
        started = time.monotonic()
        require_disk(root)
        say("making the Python environment in .venv, once; this takes a minute or a few…")
        uv = shutil.which("uv")
        for mark in stale:
            mark.unlink(missing_ok=True)
        if not whole:
            make_environment(folder, uv, handle.fileno())
        python = folder / "bin" / "python"
        bundled = folder / "bin" / "uv"
        uv = uv or (str(bundled) if whole and bundled.exists() else fetch_uv(root, python, handle.fileno()))
        if uv is None:
            say("uv is not to be had; installing with pip, which takes longer…")
        install(root, python, uv, locks, handle.fileno(), whole)
        write(folder / PLACE, f"{root}\n".encode())
        for mark, content in marks.items():
            write(mark, content)
        say(f"the environment is whole ({time.monotonic() - started:.0f} s)")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\ntraffic: interrupted; run it again to go on")
