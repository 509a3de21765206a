"""supervisord: each program in its own process group, restarted when it dies, its log turned over."""

import hashlib
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
import xmlrpc.client
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from smartcity.errors import ServiceError, SettingsError
from smartcity.services.java import without_archives
from smartcity.services.programs import HOME_MARK, SERVICE_MARK, Program
from smartcity.settings import ROOT, Settings

#: Unix sockets' addresses end here on the strictest system.
LONGEST_SOCKET_PATH = 100
RUNNING = "RUNNING"
STARTING = "STARTING"


@dataclass(frozen=True)
class State:
    """What supervisord says of one program."""

    name: str
    state: str
    pid: int | None
    uptime_seconds: int
    description: str


def socket_path(settings: Settings) -> Path:
    """Where supervisord listens: in HOME, or in a private temporary folder where that path is too long."""
    path = settings.home / "run" / "supervisor.sock"
    if len(os.fspath(path)) > LONGEST_SOCKET_PATH:
        digest = hashlib.sha256(os.fspath(settings.home).encode()).hexdigest()[:12]
        path = Path(tempfile.gettempdir()) / f"traffic-{os.getuid()}-{digest}" / "s"
    return path


def _quoted(value: str) -> str:
    """A value as supervisord's ``environment`` takes it."""
    quote = "'" if '"' in value else '"'
    if quote in value or "\n" in value:
        raise SettingsError(f"supervisord can't pass on a value with both kinds of quotes or a line break: {value!r}")
    return f"{quote}{value}{quote}".replace("%", "%%")


def _section(settings: Settings, program: Program) -> str:
    environment = {**program.environment, SERVICE_MARK: program.name, HOME_MARK: str(settings.home)}
    told = {name: value for name, value in environment.items() if name not in program.private}
    pairs = ",".join(f"{name}={_quoted(value)}" for name, value in sorted(told.items()))
    return f"""
[program:{program.name}]
command={shlex.join(program.command).replace("%", "%%")}
directory={ROOT}
environment={pairs}
autostart=false
autorestart=true
startsecs={program.start_seconds}
startretries=10
stopasgroup=true
killasgroup=true
stopwaitsecs={program.stop_seconds}
redirect_stderr=true
stdout_logfile={settings.home / "logs" / program.name}.log
stdout_logfile_maxbytes=20MB
stdout_logfile_backups=2
"""


def configuration(settings: Settings, programs: list[Program], environment: Mapping[str, str]) -> str:
    """Supervisord's configuration. The digest of the settings makes a changed one start everything anew.

    Settings, secrets among them, reach the programs through the inherited environment, never through this file.
    """
    inherited = [f"{name}={value}" for name, value in sorted(environment.items()) if name.startswith("TRAFFIC_")]
    dotenv = ROOT / ".env"
    told = "\n".join(inherited) + (dotenv.read_text() if dotenv.exists() else "")
    head = f"""\
; Written by ./traffic up; settings {hashlib.sha256(told.encode()).hexdigest()}
[supervisord]
nodaemon=true
logfile={settings.home / "logs" / "supervisord.log"}
logfile_maxbytes=5MB
logfile_backups=1
pidfile={settings.home / "run" / "supervisord.pid"}
identifier=traffic

[unix_http_server]
file={socket_path(settings)}
chmod=0700

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""
    return head + "".join(_section(settings, program) for program in programs)


def _private(programs: list[Program]) -> dict[str, str]:
    """What programs inherit from supervisord instead of reading it in its configuration."""
    return {name: program.environment[name] for program in programs for name in program.private}


def _settled(text: str) -> str:
    """What makes a configuration another one: not the path of the shell that `up` was called from."""
    return re.sub(r"\bPATH=(\"[^\"]*\"|'[^']*'),?", "", without_archives(text))


class Supervisor:
    """The supervisord of one home."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.config = settings.home / "run" / "supervisord.conf"

    @property
    def _rpc(self) -> Any:
        from supervisor.xmlrpc import SupervisorTransport

        transport = SupervisorTransport(None, None, serverurl=f"unix://{socket_path(self.settings)}")
        return xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport).supervisor

    def is_running(self) -> bool:
        """Whether supervisord answers."""
        try:
            return bool(self._rpc.getState()["statename"] == RUNNING)
        except (OSError, xmlrpc.client.Error):
            return False

    def start(self, programs: list[Program]) -> bool:
        """Start supervisord with these programs, none of them started yet; one with other settings is stopped first.

        Returns: whether it was started (False: it ran already, with just these).
        """
        text = configuration(self.settings, programs, os.environ)
        if self.is_running():
            known = self.config.read_text() if self.config.exists() else ""
            if _settled(known) == _settled(text):
                return False
            self.shutdown()
        for folder in (self.config.parent, self.settings.home / "logs"):
            folder.mkdir(parents=True, exist_ok=True)
        private = socket_path(self.settings).parent
        private.mkdir(mode=0o700, parents=True, exist_ok=True)
        if private.stat().st_uid != os.getuid():
            raise ServiceError(f"{private} belongs to another user; remove it, or choose a shorter TRAFFIC_HOME")
        self.config.write_text(text)
        with (self.settings.home / "logs" / "supervisord.out").open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "smartcity.services.supervisord", "--configuration", str(self.config)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                env={
                    **os.environ,
                    **_private(programs),
                    HOME_MARK: str(self.settings.home),
                    SERVICE_MARK: "supervisor",
                },
                start_new_session=True,
            )
        for _ in range(150):
            if self.is_running():
                return True
            if process.poll() is not None:
                break
            time.sleep(0.1)
        said = (self.settings.home / "logs" / "supervisord.out").read_text(errors="replace")[-500:]
        raise ServiceError(f"supervisord did not start (exit {process.poll()}): {said}")

    def states(self) -> dict[str, State]:
        """Every program's state by name; empty where supervisord does not run."""
        try:
            rows = self._rpc.getAllProcessInfo()
        except (OSError, xmlrpc.client.Error):
            return {}
        return {
            row["name"]: State(
                row["name"],
                row["statename"],
                row["pid"] or None,
                max(0, row["now"] - row["start"]) if row["pid"] else 0,
                row["description"],
            )
            for row in rows
        }

    def deaths(self) -> dict[str, int]:
        """How often each program ended by itself, and was started again, since supervisord started."""
        try:
            text = (self.settings.home / "logs" / "supervisord.log").read_text(errors="replace")
        except OSError:
            return {}
        return dict(Counter(re.findall(r" exited: (\S+) \(", text.rpartition("supervisord started with pid")[2])))

    def start_program(self, name: str) -> bool:
        """Start one program, without waiting. Returns: False where it ran already."""
        state = self.states().get(name)
        if state is None:
            raise ServiceError(f"supervisord knows no program {name!r}. Run ./traffic down, then ./traffic up")
        if state.state in (RUNNING, STARTING):
            return False
        try:
            self._rpc.startProcess(name, False)
        except xmlrpc.client.Fault as fault:
            log = self.settings.home / "logs" / f"{name}.log"
            raise ServiceError(f"{name} could not be started: {fault.faultString}. See {log}") from fault
        return True

    def stop_program(self, name: str) -> None:
        """Stop one program and wait; nothing where it does not run."""
        state = self.states().get(name)
        if state is not None and state.state not in ("STOPPED", "EXITED", "FATAL"):
            self._rpc.stopProcess(name, True)

    def shutdown(self, seconds: float = 60) -> None:
        """Stop all programs and supervisord itself, and wait for it: it stops to answer long before it ends."""
        try:
            process = psutil.Process(self._rpc.getPID())
            self._rpc.shutdown()
            process.wait(seconds)
        except (OSError, xmlrpc.client.Error, psutil.Error):
            return
