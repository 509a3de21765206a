"""gzip for answers worth it."""

import gzip

from flask import Response, request

#: Smaller answers fit one packet anyway.
LEAST_BYTES = 1024
COMPRESSIBLE = (
    "application/json",
    "application/geo+json",
    "text/csv",
    "application/problem+json",
    "text/html",
    "text/css",
    "text/javascript",
)
LEVEL = 4


def accepts_gzip() -> bool:
    """Whether the client takes gzip."""
    return request.accept_encodings["gzip"] > 0


def compress(body: bytes) -> bytes:
    """Compressed bytes; the same each time for the same body."""
    return gzip.compress(body, LEVEL, mtime=0)


def compress_response(response: Response) -> Response:
    """After each request: gzip the body where it pays and nobody did it yet."""
    if response.mimetype not in COMPRESSIBLE or response.is_streamed or response.status_code in (204, 304):
        return response
    response.vary.add("Accept-Encoding")
    if "Content-Encoding" in response.headers or not accepts_gzip():
        return response
    body = response.get_data()
    if len(body) >= LEAST_BYTES:
        response.set_data(compress(body))
        response.headers["Content-Encoding"] = "gzip"
    return response
