"""The application factory."""

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from api import compression, observing, problems, security, sockets
from api.binding import require_safe_binding
from api.blueprints import alerts, model, pages, past, replay, system, traffic
from api.context import Context
from api.fastpath import FastPath
from smartcity.settings import Settings

#: No request of this API has a body worth the name.
MOST_REQUEST_BYTES = 64 * 1024


def create_app(settings: Settings, context: Context | None = None) -> Flask:
    """The Flask application; ``app.extensions["smartcity"]`` is its ``Context``, which the caller starts and stops.

    Raises: SettingsError where it would listen beyond this machine without a token.
    """
    require_safe_binding(settings)
    app = Flask("api", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MOST_REQUEST_BYTES
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    parts = context or Context(settings)
    app.extensions["smartcity"] = parts
    problems.install(app)
    app.after_request(compression.compress_response)
    gate = security.install(app, settings)
    app.extensions["gate"] = gate
    observer = observing.install(app, parts, gate)
    for module in (traffic, past, alerts, model, replay, system, pages):
        app.register_blueprint(module.blueprint)
    parts.socketio = sockets.install(app, parts.pusher, parts.loop, gate)
    # Outermost last: addresses are told right before anything counts them.
    app.wsgi_app = FastPath(app.wsgi_app, parts, gate, observer)  # type: ignore[method-assign, assignment]
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    return app
