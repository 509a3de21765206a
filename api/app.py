"""The application factory."""

from flask import Flask

from api import compression, problems, security, sockets
from api.blueprints import pages, past, system, traffic
from api.context import Context
from smartcity.settings import Settings

#: No request of this API has a body worth the name.
MOST_REQUEST_BYTES = 64 * 1024


def create_app(settings: Settings, context: Context | None = None) -> Flask:
    """The Flask application; ``app.extensions["smartcity"]`` is its ``Context``, which the caller starts and stops.

    Raises: SettingsError where it would listen beyond this machine without a token.
    """
    security.require_safe_binding(settings)
    app = Flask("api", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MOST_REQUEST_BYTES
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    parts = context or Context(settings)
    app.extensions["smartcity"] = parts
    problems.install(app)
    app.after_request(compression.compress_response)
    gate = security.install(app, settings)
    for module in (traffic, past, system, pages):
        app.register_blueprint(module.blueprint)
    parts.socketio = sockets.install(app, parts.pusher, gate, settings.push_seconds)
    return app
