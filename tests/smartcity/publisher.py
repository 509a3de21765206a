"""A publisher of files over HTTP, with ranges and versions as a web server has them, and faults on demand."""

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Publisher:
    """``files`` by path. ``break_after``: bytes of an answer after which it breaks off. ``told``: more headers.

    ``breaks``: how often it does so.
    """

    port: int = 0
    files: dict[str, bytes] = field(default_factory=dict)
    told: dict[str, str] = field(default_factory=dict)
    break_after: int | None = None
    breaks: int = 1_000_000
    tagged: bool = True
    #: Path and range of each request.
    asked: list[tuple[str, str | None]] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def publisher() -> Iterator[Publisher]:
    found = Publisher()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            found.asked.append((self.path, wanted))
            content = found.files.get(self.path)
            if content is None:
                self.send_error(403)
                return
            tag = f'"{hashlib.md5(content).hexdigest()[:8]}"'
            start = 0
            if wanted and self.headers.get("If-Range") == tag:
                start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])
                if start >= len(content):
                    self.send_error(416)
                    return
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            else:
                self.send_response(200)
            if found.tagged:
                self.send_header("ETag", tag)
            for name, value in found.told.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            found.breaks -= 1
            self.wfile.write(content[start:][: found.break_after if found.breaks >= 0 else None])

        def log_message(self, *words: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
