"""Who may ask, how often, from which pages: all on the loopback, the token's holder once it listens further."""

import hmac
import math
from urllib.parse import urlsplit

from flask import Flask, Request, Response, redirect, request

from api.binding import secret
from api.problems import Problem
from api.ratelimit import WRONG_TOKEN, RateLimit, network_of
from smartcity.errors import SettingsError
from smartcity.settings import Settings

COOKIE = "traffic_token"
#: Without a token: for health checks of containers and proxies; it shows ages, no data.
OPEN_PATHS = frozenset({"/api/health"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
STREAM_PATH = "/ws/stream"


def content_security_policy(map_style: str = "") -> str:
    """What pages may load: from this host alone, besides the map's style and tiles where a public style is set.

    Kepler.gl starts its worker from a blob and compiles accessors and shader layouts with ``new Function``; its styles
    are inline (styled-components). Raises: SettingsError where ``map_style`` is no web address.
    """
    parts = urlsplit(map_style)
    if map_style and (parts.scheme not in ("http", "https") or not parts.netloc or set(parts.netloc) & set(" ;,'")):
        raise SettingsError(f"TRAFFIC_MAP_STYLE: {map_style!r} is no address of a style; write https://host/style.json")
    tiles = f" {parts.scheme}://{parts.netloc}" if map_style else ""
    return "; ".join(
        [
            "default-src 'self'",
            "script-src 'self' 'unsafe-eval'",
            "style-src 'self' 'unsafe-inline'",
            f"img-src 'self' data: blob:{tiles}",
            "font-src 'self' data:",
            f"connect-src 'self' data: blob:{tiles}",
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
HEADER_ITEMS = tuple(HEADERS.items())
CORS_METHODS = "GET, POST, DELETE"
CORS_HEADERS = "Authorization, Content-Type, If-None-Match, X-Request-Id"
CORS_EXPOSED = "ETag, Retry-After, X-Next-Cursor, X-Request-Id"


def origins_of(settings: Settings) -> list[str]:
    """The pages of other hosts that are let in. Raises: SettingsError where one is no origin."""
    found = [origin.strip().rstrip("/") for origin in settings.cors_origins.split(",") if origin.strip()]
    for origin in found:
        parts = urlsplit(origin)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.path or parts.query:
            raise SettingsError(f"TRAFFIC_CORS_ORIGINS: {origin!r} is no origin; write it as https://host[:port]")
    return found


class Gate:
    """Checks the token, the origin and the rate of requests."""

    def __init__(self, settings: Settings) -> None:
        self._token = secret(settings).encode()
        #: Of pages; Data Docs have their own.
        self.policy = content_security_policy(settings.map_style)
        self.origins = origins_of(settings)
        self.rate = RateLimit(settings.rate_per_second, settings.rate_burst)

    @property
    def has_token(self) -> bool:
        """Whether a token is needed."""
        return bool(self._token)

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

    def lets_in(self, asking: Request) -> bool:
        """Whether a browser's page is this server's or one of ``origins``; programs send no ``Origin``."""
        origin = asking.headers.get("Origin")
        return origin is None or urlsplit(origin).netloc == asking.host or origin in self.origins

    def check(self) -> Response | None:
        """Before each request. Raises: Problem 429 for too many, 403 for a foreign page, 401 without the token."""
        address = network_of(request.remote_addr)
        if wait := self.rate.take(address):
            raise too_many(wait)
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            return Response(status=204)
        if (request.path == STREAM_PATH or request.method not in SAFE_METHODS) and not self.lets_in(request):
            raise Problem(403, "This is for the pages of this server, and those in TRAFFIC_CORS_ORIGINS, only.")
        if not self._token or request.path in OPEN_PATHS or self.admits(request):
            return None
        if request.method == "GET" and self._matches(request.args.get("token")):
            return self._remember()
        if "Authorization" in request.headers or "token" in request.args or COOKIE in request.cookies:
            self.rate.take(address, WRONG_TOKEN)
        raise Problem(
            401,
            "A token is needed: send the header 'Authorization: Bearer TOKEN', or open a page once as /?token=TOKEN.",
            headers={"WWW-Authenticate": 'Bearer realm="smart-city-traffic"'},
        )

    def require_token(self) -> None:
        """Of what changes the system: also on the loopback. Raises: Problem 403 where no token is set."""
        if not self._token:
            raise Problem(403, "This needs a token even on the loopback: set TRAFFIC_API_TOKEN and start again.")

    def _remember(self) -> Response:
        """Keep the token in a cookie and take it out of the address: a browser cannot send headers by itself."""
        response = redirect(request.path, 303)
        response.set_cookie(
            COOKIE, self._token.decode(), httponly=True, samesite="Strict", secure=request.is_secure, path="/"
        )
        return response  # type: ignore[return-value]

    def add_headers(self, response: Response) -> Response:
        """Security headers on everything, a content security policy on what a browser renders, CORS where it is set."""
        headers = response.headers
        for name, value in HEADER_ITEMS:
            headers[name] = value
        data_docs = request.path.startswith("/data-docs/")
        headers["Content-Security-Policy"] = DATA_DOCS_POLICY if data_docs else self.policy
        if self.origins:
            self._add_cors(response)
        return response

    def _add_cors(self, response: Response) -> None:
        response.vary.add("Origin")
        origin = request.headers.get("Origin")
        if origin not in self.origins:
            return
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Expose-Headers"] = CORS_EXPOSED
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        if request.method == "OPTIONS":
            response.headers["Access-Control-Allow-Methods"] = CORS_METHODS
            response.headers["Access-Control-Allow-Headers"] = CORS_HEADERS
            response.headers["Access-Control-Max-Age"] = "600"


def too_many(wait: float) -> Problem:
    """Problem 429 that says when to come again."""
    seconds = max(1, math.ceil(wait))
    return Problem(429, f"Too many requests; come again in {seconds} s.", headers={"Retry-After": str(seconds)})


def install(app: Flask, settings: Settings) -> Gate:
    """Put the gate before and the headers behind every request."""
    gate = Gate(settings)
    app.before_request(gate.check)
    app.after_request(gate.add_headers)
    return gate
