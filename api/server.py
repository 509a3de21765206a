"""The HTTP server: gunicorn with one process of threads.

One process, because the state of the city and the WebSocket clients live in it; threads, because Kafka's client does
not work under green threads. A WebSocket keeps its thread. Werkzeug's own server would do the same but is made for
development; gunicorn bounds header sizes and idle connections, and restarts the worker should it hang or die.
"""

import threading
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.workers.gthread import ThreadWorker

from api import sockets
from api.app import create_app
from smartcity.settings import Settings

KEEP_ALIVE_SECONDS = 15
GRACEFUL_SECONDS = 5


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
            "post_worker_init": _start,
            "worker_exit": _stop,
        }
        for name, value in values.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """Build the application inside the worker: threads and connections do not survive a fork."""
        return create_app(self._settings)


def _parts(worker: Any) -> Any:
    return worker.wsgi.extensions["smartcity"]


def _start(worker: Any) -> None:
    _parts(worker).start()


def _stop(_: Any, worker: Any) -> None:
    if getattr(worker, "wsgi", None) is not None:
        _parts(worker).stop()
