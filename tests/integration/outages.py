"""Things that go down for a while: a door before a server that others use too, and a broker that is switched off."""

import socket
import socketserver
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from threading import Thread

from smartcity.services.ports import free_port
from smartcity.settings import Settings
from tests.integration.processes import broker


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


class Door:
    """A port that leads to another one, and refuses as a dead server does while it is shut."""

    def __init__(self, target: int) -> None:
        self.target, self.port = target, free_port()
        self.stack = ExitStack()
        self.open()

    def open(self) -> None:
        target = self.target

        class Passing(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with socket.create_connection(("127.0.0.1", target)) as there:
                    back = Thread(target=_pass_on, args=(there, self.request))
                    back.start()
                    _pass_on(self.request, there)
                    back.join()

        server = self.stack.enter_context(_Server(("127.0.0.1", self.port), Passing))
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        self.stack.callback(server.shutdown)

    def shut(self) -> None:
        """For who comes from now on; who is inside may finish."""
        self.stack.close()

    @contextmanager
    def is_shut(self) -> Iterator[None]:
        self.shut()
        try:
            yield
        finally:
            self.open()


def _pass_on(here: socket.socket, there: socket.socket) -> None:
    with suppress(OSError):
        while data := here.recv(65_536):
            there.sendall(data)
    with suppress(OSError):
        there.shutdown(socket.SHUT_WR)


class Broker:
    """A real broker in ``settings.home``; what it holds outlives that it is switched off."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.stack = settings, ExitStack()

    def on(self) -> None:
        self.stack.enter_context(broker(self.settings))

    def off(self) -> None:
        self.stack.close()
