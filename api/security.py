"""Who may ask: everyone on the loopback, the holder of the token as soon as the API listens further."""

import hmac
import ipaddress
from urllib.parse import urlsplit

from flask import Flask, Request, Response, redirect, request

from api.problems import Problem
from smartcity.errors import SettingsError
from smartcity.settings import Settings

COOKIE = "traffic_token"
#: Without a token: for health checks of containers and proxies; it shows ages, no data.
OPEN_PATHS = frozenset({"/api/health"})

#: Kepler.gl starts its worker from a blob and compiles accessors and shader layouts with ``new Function``; its
#: styles are inline (styled-components). Nothing is ever loaded from another host.
CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'self'",
        "script-src 'self' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)
#: Great Expectations' pages carry their scripts inline and were made by this installation.
DATA_DOCS_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:"
)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(), camera=(), microphone=()",
}


def is_loopback(host: str) -> bool:
    """Whether an address can only be reached from this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def require_safe_binding(settings: Settings) -> None:
    """Raises: SettingsError where the API would listen beyond this machine without a token."""
    if not is_loopback(settings.bind_host) and not _secret(settings):
        raise SettingsError(
            f"TRAFFIC_BIND_HOST={settings.bind_host} lets other machines in, and TRAFFIC_API_TOKEN is not set. "
            "Set a token (for instance: openssl rand -hex 32), or bind to 127.0.0.1"
        )


def _secret(settings: Settings) -> str:
    return settings.api_token.get_secret_value() if settings.api_token else ""


class Gate:
    """Checks the token and the origin of requests."""

    def __init__(self, settings: Settings) -> None:
        self._token = _secret(settings).encode()

    def _matches(self, offered: str | None) -> bool:
        # ``compare_digest`` takes the same time wherever two values differ.
        return offered is not None and hmac.compare_digest(offered.encode(), self._token)

    def admits(self, asking: Request, token: str | None = None) -> bool:
        """Whether the request carries the token (header ``Authorization: Bearer``, cookie, or ``token``)."""
        if not self._token:
            return True
        scheme, _, bearer = asking.headers.get("Authorization", "").partition(" ")
        offered = bearer.strip() if scheme.lower() == "bearer" else None
        return self._matches(offered) or self._matches(asking.cookies.get(COOKIE)) or self._matches(token)

    def check(self) -> Response | None:
        """Before each request. Raises: Problem 401 without the token, 403 for a WebSocket from a foreign page."""
        if request.path == "/ws/stream" and not same_origin(request):
            raise Problem(403, "This WebSocket may be opened by the pages of this server only.")
        if request.path in OPEN_PATHS or self.admits(request):
            return None
        if request.method == "GET" and self._matches(request.args.get("token")):
            return self._remember()
        raise Problem(
            401,
            "A token is needed: send the header 'Authorization: Bearer TOKEN', or open a page once as /?token=TOKEN.",
            headers={"WWW-Authenticate": 'Bearer realm="smart-city-traffic"'},
        )

    def _remember(self) -> Response:
        """Keep the token in a cookie and take it out of the address: a browser cannot send headers by itself."""
        response = redirect(request.path, 303)
        response.set_cookie(
            COOKIE, self._token.decode(), httponly=True, samesite="Strict", secure=request.is_secure, path="/"
        )
        return response  # type: ignore[return-value]


def same_origin(asking: Request) -> bool:
    """Whether a browser's page comes from this server; programs send no ``Origin`` and are let in."""
    origin = asking.headers.get("Origin")
    return origin is None or urlsplit(origin).netloc == asking.host


def add_headers(response: Response) -> Response:
    """Security headers on everything, a content security policy on what a browser renders."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    policy = DATA_DOCS_POLICY if request.path.startswith("/data-docs/") else CONTENT_SECURITY_POLICY
    response.headers.setdefault("Content-Security-Policy", policy)
    return response


def install(app: Flask, settings: Settings) -> Gate:
    """Put the gate before and the headers behind every request."""
    gate = Gate(settings)
    app.before_request(gate.check)
    app.after_request(add_headers)
    return gate
