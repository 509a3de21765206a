"""A PostgreSQL of a scenario's own, which is killed like any other service."""

import os
import pwd
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path


def has_postgresql() -> bool:
    """Whether PostgreSQL is installed and there is an account under which it runs."""
    if not shutil.which("initdb") or not shutil.which("postgres"):
        return False
    with suppress(KeyError):
        return os.geteuid() != 0 or bool(pwd.getpwnam("postgres"))
    return False


class Postgres:
    """A database server; it syncs to disk, since that is what is tried. Its folder is short: a socket lies in it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._folder = Path("/tmp") / f"traffic-pg-{port}"
        self.url = f"postgresql://traffic@127.0.0.1:{port}/postgres"
        #: It refuses to run as root.
        self.account = {"user": "postgres"} if os.geteuid() == 0 else {}
        bin_folder = Path(shutil.which("postgres") or "postgres").resolve().parent
        self._initdb = str(bin_folder / "initdb")
        data = str(self._folder / "data")
        self.command = [str(bin_folder / "postgres"), "-D", data, "-p", str(port), "-k", str(self._folder)]

    def make(self) -> None:
        """Make its data folder."""
        self._folder.mkdir(mode=0o755)
        if self.account:
            shutil.chown(self._folder, "postgres")
        command = [self._initdb, "-D", str(self._folder / "data"), "-U", "traffic", "-A", "trust"]
        subprocess.run(command, check=True, cwd="/", stdout=subprocess.DEVNULL, **self.account)  # type: ignore[call-overload]

    def answers(self) -> bool:
        """Whether it takes connections."""
        ready = ["pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self._port)]
        return subprocess.run(ready, check=False).returncode == 0

    def remove(self) -> None:
        """Delete its data folder."""
        shutil.rmtree(self._folder, ignore_errors=True)
