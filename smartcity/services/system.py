"""Programs that come as the system's packages: finding one, and installing it where this user may."""

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Tool:
    """A program, where it may be, and the package that brings it, by package manager."""

    name: str
    commands: tuple[str, ...]
    places: tuple[str, ...]
    packages: dict[str, str]

    def find(self) -> Path | None:
        """Where it is; None where it is not installed."""
        for command in self.commands:
            if found := shutil.which(command):
                return Path(found)
        for place in self.places:
            for path in sorted(Path("/").glob(place), reverse=True):
                if path.exists():
                    return path
        return None


CHROMIUM = Tool(
    "Chromium",
    ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"),
    (
        "Applications/Chromium.app/Contents/MacOS/Chromium",
        "Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    ),
    {"apt-get": "chromium", "dnf": "chromium", "pacman": "chromium", "zypper": "chromium", "apk": "chromium"},
)
POSTGRESQL = Tool(
    "PostgreSQL",
    ("initdb",),
    ("usr/lib/postgresql/*/bin/initdb", "usr/pgsql-*/bin/initdb", "opt/homebrew/opt/postgresql*/bin/initdb"),
    {"apt-get": "postgresql", "dnf": "postgresql-server"},
)
INSTALL = {
    "apt-get": ["apt-get", "install", "-y", "--no-install-recommends"],
    "dnf": ["dnf", "install", "-y"],
    "pacman": ["pacman", "-S", "--noconfirm"],
    "zypper": ["zypper", "--non-interactive", "install"],
    "apk": ["apk", "add"],
}


def privilege() -> list[str] | None:
    """What goes before a command that installs: nothing for root, ``sudo -n`` where it asks no password, else None."""
    if os.geteuid() == 0:
        return []
    if (
        shutil.which("sudo")
        and subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode == 0
    ):
        return ["sudo", "-n"]
    return None


def _run(command: list[str]) -> bool:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    return subprocess.run(command, stdin=subprocess.DEVNULL, env=environment, check=False).returncode == 0


def ensure(tool: Tool, say: Callable[[str], None]) -> str | None:
    """Install ``tool`` where it is missing. Returns: None, or why it can't be had."""
    if tool.find():
        return None
    manager = next((name for name in tool.packages if shutil.which(name)), None)
    if manager is None:
        return f"{tool.name} is not installed, and no package manager that has it was found"
    before = privilege()
    if before is None:
        install = " ".join([*INSTALL[manager], tool.packages[manager]])
        return f"{tool.name} is not installed, and this user may not install it; an administrator can: {install}"
    say(f"installing {tool.name}: {manager} install {tool.packages[manager]}")
    if manager == "apt-get" and not _run([*before, "apt-get", "update", "-q"]):
        say("apt-get update failed; trying with the lists that are there")
    if not _run([*before, *INSTALL[manager], tool.packages[manager]]) or tool.find() is None:
        return f"{tool.name} could not be installed with {manager} (the reason is above)"
    return None
