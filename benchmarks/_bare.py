"""The yardstick of ``bench api``: one Flask route that returns bytes, under the same server as the API."""

import os
from pathlib import Path

from flask import Flask, Response

from api import server
from smartcity.settings import Settings


class Bare(server.Server):
    """gunicorn as the API's, around nothing."""

    def load_config(self) -> None:
        super().load_config()
        self.cfg.set("post_worker_init", lambda worker: None)
        self.cfg.set("worker_exit", lambda arbiter, worker: None)
        self.cfg.set("worker_class", "gthread")

    def load(self) -> Flask:
        app = Flask("bare", static_folder=None)
        body = Path(os.environ["BARE_BODY"]).read_bytes()

        @app.get("/api/current-traffic")
        def current_traffic() -> Response:
            response = Response(body, mimetype="application/json")
            response.headers["Content-Encoding"] = "gzip"
            return response

        @app.get("/api/health")
        def health() -> str:
            return "ok"

        return app


if __name__ == "__main__":
    Bare(Settings()).run()
