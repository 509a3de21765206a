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

#: The environment, the installers' caches and the first data need about this much.
NEEDED_BYTES = 6 * 10**9


def say(text: str) -> None:
    """One line to the person who waits."""
    print(f"traffic: {text}", file=sys.stderr, flush=True)


def require_disk(root: Path) -> None:
    """Exit where the disk is too full to end well."""
    free = shutil.disk_usage(root).free
    if free < NEEDED_BYTES:
        sys.exit(
            f"traffic: {free / 1e9:.1f} GB free on the disk of {root}; {NEEDED_BYTES / 1e9:.0f} GB are needed. "
            "Free some and run it again; nothing was installed."
        )


def make_environment(folder: Path, uv: str | None) -> None:
    """An empty environment in ``folder``; what was there, half-made, is removed."""
    shutil.rmtree(folder, ignore_errors=True)
    command = [uv, "venv", "--quiet", "--python", sys.executable] if uv else [sys.executable, "-m", "venv"]
    if subprocess.run([*command, str(folder)], check=False).returncode != 0:
        shutil.rmtree(folder, ignore_errors=True)
        sys.exit(
            "traffic: Python could not make an environment in .venv (see above). "
            "On Debian and Ubuntu the package python3.11-venv is needed: apt-get install python3.11-venv"
        )


def fetch_uv(root: Path, python: Path) -> str | None:
    """``uv``, pinned by hash, inside the environment; None where it can't be had."""
    lock = root / "requirements-uv.lock"
    command = [str(python), "-m", "pip", "install", "--quiet", "--require-hashes", "--no-deps", "-r", str(lock)]
    say("fetching the installer uv…")
    # An environment that uv made has no pip of its own.
    subprocess.run([str(python), "-m", "ensurepip"], check=False, capture_output=True)
    fetched = subprocess.run([*command, "--disable-pip-version-check"], check=False).returncode == 0
    uv = python.parent / "uv"
    return str(uv) if fetched and uv.exists() else None


def install(root: Path, python: Path, uv: str | None, locks: list[str]) -> None:
    """Install what the locks name. Exits where that fails; whole downloads stay in the installer's cache."""
    installer = [uv, "pip", "install", "--python", str(python)] if uv else [str(python), "-m", "pip", "install"]
    files = [part for lock in locks for part in ("-r", str(root / lock))]
    quiet_links = {"UV_LINK_MODE": "copy"} if uv and not same_disk(root) else {}
    command = [*installer, "--require-hashes", *files]
    if subprocess.run(command, check=False, env={**os.environ, **quiet_links}).returncode != 0:
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


def was_whole(folder: Path) -> bool:
    """Whether an older lock was installed completely: then only the difference is installed."""
    return (folder / "requirements.lock").exists() and (folder / "bin" / "python").exists()


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
        marks = {lock: folder / lock for lock in locks}
        stale = {
            lock: mark
            for lock, mark in marks.items()
            if not mark.exists() or mark.read_bytes() != (root / lock).read_bytes()
        }
        if not stale:
            return
        started = time.monotonic()
        require_disk(root)
        say("making the Python environment in .venv, once; this takes a minute or a few…")
        uv = shutil.which("uv")
        whole = was_whole(folder)
        for mark in stale.values():
            mark.unlink(missing_ok=True)
        if not whole:
            make_environment(folder, uv)
        python = folder / "bin" / "python"
        bundled = folder / "bin" / "uv"
        uv = uv or (str(bundled) if whole and bundled.exists() else fetch_uv(root, python))
        if uv is None:
            say("uv is not to be had; installing with pip, which takes longer…")
        install(root, python, uv, locks)
        for lock, mark in stale.items():
            fresh = mark.with_suffix(".new")
            shutil.copyfile(root / lock, fresh)
            fresh.replace(mark)
        say(f"the environment is whole ({time.monotonic() - started:.0f} s)")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\ntraffic: interrupted; run it again to go on")
