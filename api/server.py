"""The HTTP server: gunicorn with one process of threads.

One process, because the state of the city and the WebSocket clients live in it; threads, because Kafka's client does
not work under green threads. A WebSocket keeps its thread. Werkzeug's own server would do the same but is made for
development; gunicorn bounds header sizes and idle connections, and restarts the worker should it hang or die.

After a crash clients have to be back in seconds: the port is opened before the application is imported, which takes
most of the start. Who connects in between waits in the kernel's queue, instead of being refused and trying again later.
"""

import ctypes
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

from gunicorn.app.base import BaseApplication
from gunicorn.workers.gthread import ThreadWorker

from api.startup import without_clients
from smartcity.settings import Settings

if TYPE_CHECKING:
    from flask import Flask

KEEP_ALIVE_SECONDS = 15
GRACEFUL_SECONDS = 5
#: Of Linux's prctl: the signal that this process gets when its parent ends.
PARENT_DEATH_SIGNAL = 1


class StreamWorker(ThreadWorker):  # type: ignore[misc]
    """A worker that lets its WebSocket clients go when told to stop, instead of waiting for them to leave."""

    def handle_exit(self, sig: int, frame: Any) -> None:
        """SIGTERM. The work is done by a thread: a signal handler must not wait for a lock."""
        threading.Thread(target=self._let_go, daemon=True).start()
        super().handle_exit(sig, frame)

    def finish_request(self, conn: Any, fs: Any) -> None:
        """A request is done; a socket that was handed over to the stream's loop is not ours to close any more."""
        if conn.sock.fileno() == -1:
            self.nr_conns -= 1
        else:
            super().finish_request(conn, fs)

    def _let_go(self) -> None:
        from api import sockets

        parts = _parts(self)
        parts.pusher.stop()
        parts.loop.stop()
        sockets.close_all(parts.socketio)


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn around the application, configured from ``Settings``; ``run`` returns when it was told to stop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        super().__init__(prog="python -m api")

    def load_config(self) -> None:
        """Turn settings into gunicorn's."""
        settings = self._settings
        host = f"[{settings.bind_host}]" if ":" in settings.bind_host else settings.bind_host
        values: dict[str, Any] = {
            "bind": f"{host}:{settings.api_port}",
            "workers": 1,
            "worker_class": StreamWorker,
            "threads": settings.api_threads,
            "worker_connections": settings.api_threads * 2,
            "keepalive": KEEP_ALIVE_SECONDS,
            "graceful_timeout": GRACEFUL_SECONDS,
            "timeout": 60,
            "limit_request_line": 4094,
            "limit_request_fields": 64,
            "limit_request_field_size": 8190,
            "proc_name": "smartcity-api",
            "loglevel": "info",
            "worker_tmp_dir": "/dev/shm",
            # Its default is a socket under the user's home, shared by every server of that user.
            "control_socket_disable": True,
            "when_ready": self._import,
            "post_fork": _end_with_parent,
            "post_worker_init": _start,
            "worker_exit": _stop,
        }
        for name, value in values.items():
            self.cfg.set(name, value)

    def _import(self, _: Any) -> None:
        """The port is open: import the application, in the parent, so that a worker that is replaced has it at once."""
        with without_clients():
            from api import app  # noqa: F401
            from api.observing import configure_logging
        configure_logging(self._settings.log_json)

    def load(self) -> "Flask":
        """Build the application inside the worker: threads and connections do not survive a fork."""
        from api.app import create_app

        return create_app(self._settings)


def _parts(worker: Any) -> Any:
    return worker.wsgi.extensions["smartcity"]


def _end_with_parent(_: Any, worker: Any) -> None:
    """In the worker: a killed parent takes it along, or it would hold port and clients for another second."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PARENT_DEATH_SIGNAL, signal.SIGKILL)


def _start(worker: Any) -> None:
    _parts(worker).start()


def _stop(_: Any, worker: Any) -> None:
    if getattr(worker, "wsgi", None) is not None:
        _parts(worker).stop()
