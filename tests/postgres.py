"""A PostgreSQL of the tests' own, where its programs are installed."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from smartcity.services.ports import free_port


def _account() -> dict[str, str]:
    """PostgreSQL refuses to run as root: its own account then, if there is one."""
    if os.geteuid() != 0:
        return {}
    try:
        return {"user": pwd.getpwnam("postgres").pw_name}
    except KeyError:
        pytest.skip("PostgreSQL does not run as root, and there is no account 'postgres'")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """URL of an empty database on loopback; the tests are skipped where PostgreSQL is not installed."""
    if not shutil.which("initdb") or not shutil.which("pg_ctl"):
        pytest.skip("PostgreSQL (initdb, pg_ctl) is not installed")
    account, port = _account(), free_port()
    # Not under pytest's folder: that one is closed to other accounts, and its path too long for a socket.
    with tempfile.TemporaryDirectory(prefix="pg-") as name:
        folder = Path(name)
        if account:
            shutil.chown(folder, account["user"])
        data, log = str(folder / "data"), str(folder / "log")
        options = {"check": True, "cwd": folder, "stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, **account}
        subprocess.run(["initdb", "-D", data, "-U", "traffic", "-A", "trust", "--no-sync"], **options)
        settings = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        subprocess.run(["pg_ctl", "-D", data, "-l", log, "-o", settings, "-w", "start"], **options)
        try:
            yield f"postgresql://traffic@127.0.0.1:{port}/postgres"
        finally:
            subprocess.run(["pg_ctl", "-D", data, "-m", "immediate", "-w", "stop"], **options)
