"""The question that is asked most, answered before the framework begins: all of /api/current-traffic, as JSON.

Anything out of the ordinary (a query, a token, another page's origin, a list of formats) goes the long way; a test
holds both ways to the same answer, header by header.
"""

import logging
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from api.observing import REQUEST_ID, Observer, access, request_id
from api.ratelimit import network_of
from api.security import HEADER_ITEMS, Gate

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

    from api.context import Context

PATH = "/api/current-traffic"
#: What a program sends that has no wish, or this one.
ORDINARY_ACCEPT = frozenset({"", "*/*", "application/json"})
Headers = list[tuple[str, str]]


class FastPath:
    """A WSGI application around another."""

    def __init__(self, inner: "WSGIApplication", context: "Context", gate: Gate, observer: Observer) -> None:
        self._inner = inner
        self._context = context
        self._gate = gate
        self._observer = observer
        # Others' pages need headers of their own, and a token has to be looked at.
        self._open = not gate.origins and not gate.has_token
        self._made: tuple[str, Headers] = ("", [])

    def __call__(self, environ: dict[str, Any], start: "StartResponse") -> Iterable[bytes]:
        """Answer, or pass on."""
        if environ.get("PATH_INFO") != PATH or not self._ordinary(environ):
            return self._inner(environ, start)
        begun = time.perf_counter()
        encodings = environ.get("HTTP_ACCEPT_ENCODING", "")
        given = environ.get("HTTP_IF_NONE_MATCH")
        etag, plain, packed = self._context.bodies.current(self._context.state)
        if (given is not None and given != etag) or ";" in encodings or self._refused(environ):
            return self._inner(environ, start)
        headers = [*self._headers(etag), (REQUEST_ID, request_id(environ.get("HTTP_X_REQUEST_ID", "")))]
        if given is not None:
            start("304 NOT MODIFIED", headers)
            self._observer.record("GET", PATH, 304, time.perf_counter() - begun)
            return []
        body = plain
        if "gzip" in encodings:
            body = packed
            headers.append(("Content-Encoding", "gzip"))
        headers += [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        start("200 OK", headers)
        self._observer.record("GET", PATH, 200, time.perf_counter() - begun)
        return [body]

    def _ordinary(self, environ: dict[str, Any]) -> bool:
        return (
            self._open
            and environ.get("REQUEST_METHOD") == "GET"
            and not environ.get("QUERY_STRING")
            and environ.get("HTTP_ACCEPT", "") in ORDINARY_ACCEPT
            and not access.isEnabledFor(logging.INFO)
        )

    def _refused(self, environ: dict[str, Any]) -> bool:
        """Whether the address asks too often; the long way then says so."""
        return self._gate.rate.take(network_of(environ.get("REMOTE_ADDR"))) > 0

    def _headers(self, etag: str) -> Headers:
        made = self._made
        if made[0] != etag:
            made = (
                etag,
                [
                    ("ETag", etag),
                    ("Cache-Control", "no-cache"),
                    ("Vary", "Accept, Accept-Encoding"),
                    *HEADER_ITEMS,
                    ("Content-Security-Policy", self._gate.policy),
                ],
            )
            self._made = made
        return made[1]
